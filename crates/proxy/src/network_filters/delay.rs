//! Closing a connection later.

use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::network::{CloseType, ConnectionHandle};
use crate::worker::guarded;

/// Closes a connection after a while, unless this is dropped before.
pub(super) struct DelayedClose(JoinHandle<()>);

// === impl DelayedClose ===

impl DelayedClose {
    pub(super) fn start(connection: &Rc<ConnectionHandle>, after: Duration, reason: &'static str) -> Self {
        let connection = Rc::downgrade(connection);
        Self(tokio::task::spawn_local(guarded("delayed close", async move {
            tokio::time::sleep(after).await;
            if let Some(connection) = connection.upgrade() {
                connection.close(CloseType::NoFlush, reason);
            }
        })))
    }
}

impl Drop for DelayedClose {
    fn drop(&mut self) {
        self.0.abort();
    }
}
