//! The listeners that pages show.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;

/// All listeners as they were after the last change.
#[derive(Debug, Default)]
pub(crate) struct ListenerViews(Mutex<Vec<ListenerView>>);

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

/// A resource of a control plane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResourceView {
    /// Empty if unknown.
    pub(crate) version: String,
    /// When it was taken, or refused.
    pub(crate) updated: Option<SystemTime>,
    /// The message, serialized.
    pub(crate) serialized: Bytes,
}

// === impl ListenerViews ===

impl ListenerViews {
    pub(crate) fn set(&self, views: Vec<ListenerView>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = views;
    }

    pub(crate) fn push(&self, view: ListenerView) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(view);
    }

    pub(crate) fn get(&self) -> Vec<ListenerView> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
