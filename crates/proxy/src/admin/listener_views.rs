//! The listeners that pages show.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use super::ResourceView;

/// All listeners as they were after the last change.
#[derive(Debug, Default)]
pub(crate) struct ListenerViews {
    views: Mutex<Vec<ListenerView>>,
    /// Of the control plane's last update of which something was taken.
    version: Mutex<String>,
}

/// A listener, or one that could not be made.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListenerView {
    pub(crate) name: String,
    /// Nothing if no version of it is active.
    pub(crate) address: Option<SocketAddr>,
    /// What a control plane said of the version that is active.
    pub(crate) active: Option<ResourceView>,
    /// The same of one that is on its way.
    pub(crate) warming: Option<ResourceView>,
    /// The last one that was refused, if none was taken since, and why.
    pub(crate) refused: Option<(ResourceView, String)>,
}

// === impl ListenerViews ===

impl ListenerViews {
    pub(crate) fn set(&self, views: Vec<ListenerView>) {
        *self.views.lock().unwrap_or_else(PoisonError::into_inner) = views;
    }

    pub(crate) fn set_version(&self, version: &str) {
        version.clone_into(&mut self.version.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn version(&self) -> String {
        self.version.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn push(&self, view: ListenerView) {
        self.views.lock().unwrap_or_else(PoisonError::into_inner).push(view);
    }

    pub(crate) fn get(&self) -> Vec<ListenerView> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
