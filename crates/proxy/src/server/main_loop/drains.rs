//! Drains that the admin interface asks for.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use super::MainCommand;
use crate::admin::AdminAction;
use crate::drain::DrainManager;
use crate::server::listeners::ListenerManager;

/// Begins drains, and stops listeners.
pub(super) struct Drains {
    drain: Arc<DrainManager>,
    to_main: UnboundedSender<MainCommand>,
}

impl Drains {
    pub(super) fn new(drain: &Arc<DrainManager>, to_main: UnboundedSender<MainCommand>) -> Self {
        Self { drain: Arc::clone(drain), to_main }
    }

    /// Does what was asked for; whether the drain has begun with it.
    pub(super) fn act(&mut self, (action, begun): (AdminAction, bool), listeners: &ListenerManager) {
        let AdminAction::Drain { direction, graceful, stop } = action else { return };
        let time = self.drain.options().time;
        if !graceful {
            // It does not wait for the connections, which are asked to end all the same.
            if stop {
                listeners.stop(direction);
            }
        } else if begun && stop {
            let later = self.to_main.clone();
            tokio::task::spawn_local(async move {
                tokio::time::sleep(time).await;
                // A main loop that is gone has stopped them.
                let _ = later.send(MainCommand::StopListeners(direction));
            });
        }
    }
}
