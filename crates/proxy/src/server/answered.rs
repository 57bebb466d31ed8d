//! Whether something that was asked for has come, or will not come in time.

use std::cell::Cell;

use tokio::sync::Notify;

/// Set once; whoever waits goes on then.
#[derive(Debug, Default)]
pub(super) struct Answered {
    set: Cell<bool>,
    changed: Notify,
}

impl Answered {
    pub(super) fn set(&self) {
        self.set.set(true);
        self.changed.notify_waiters();
    }

    pub(super) fn is_set(&self) -> bool {
        self.set.get()
    }

    /// Waits until it is.
    pub(super) async fn wait(&self) {
        loop {
            let changed = self.changed.notified();
            if self.is_set() {
                return;
            }
            changed.await;
        }
    }
}
