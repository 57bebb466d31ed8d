//! The contexts of all listeners that there are.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::ListenerTls;

/// Contexts as long as somebody else has them, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct TlsContexts(Mutex<Vec<Weak<ListenerTls>>>);

impl TlsContexts {
    pub(crate) fn add(&self, tls: &Arc<ListenerTls>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|tls| tls.strong_count() > 0);
        all.push(Arc::downgrade(tls));
    }

    pub(crate) fn get(&self) -> Vec<Arc<ListenerTls>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect()
    }
}
