//! Something to be done later.

use std::time::Duration;

use tokio::task::AbortHandle;

use crate::worker::guarded;

/// It is done once, or not at all if this is dropped before.
pub(super) struct Timer(AbortHandle);

impl Timer {
    /// Call inside a `LocalSet`.
    pub(super) fn new(what: &'static str, wait: Duration, then: impl FnOnce() + 'static) -> Self {
        let task = async move {
            tokio::time::sleep(wait).await;
            then();
        };
        Self(tokio::task::spawn_local(guarded(what, task)).abort_handle())
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.abort();
    }
}
