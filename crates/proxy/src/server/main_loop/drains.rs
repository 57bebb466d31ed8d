//! Drains that the admin interface asks for.

use std::sync::Arc;

use sandgate_config::model::Bootstrap;
use tokio::sync::mpsc::UnboundedSender;

use super::MainCommand;
use super::workers::Workers;
use crate::admin::AdminAction;
use crate::drain::{DrainDirection, DrainManager, ListenerDrain};
use crate::lifecycle::Lifecycle;

/// Begins drains, and stops listeners.
pub(super) struct Drains {
    drain: Arc<DrainManager>,
    lifecycle: Arc<Lifecycle>,
    /// The listeners that have not been stopped; whether they are inbound.
    listening: Vec<bool>,
    to_main: UnboundedSender<MainCommand>,
}

impl Drains {
    pub(super) fn new(
        bootstrap: &Bootstrap,
        drain: &Arc<DrainManager>,
        lifecycle: &Arc<Lifecycle>,
        to_main: UnboundedSender<MainCommand>,
    ) -> Self {
        Self {
            drain: Arc::clone(drain),
            lifecycle: Arc::clone(lifecycle),
            listening: bootstrap.listeners.iter().map(|listener| ListenerDrain::new(listener).inbound).collect(),
            to_main,
        }
    }

    /// Does what was asked for.
    pub(super) fn act(&mut self, action: AdminAction, workers: &Workers) {
        let AdminAction::Drain { direction, graceful, stop } = action else { return };
        let begun = self.drain.start(direction);
        let time = self.drain.options().time;
        if !graceful {
            // It does not wait for the connections, which are asked to end all the same.
            if stop {
                self.stop(direction, workers);
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

    /// Stops listeners; their connections stay.
    pub(super) fn stop(&mut self, direction: DrainDirection, workers: &Workers) {
        let before = self.listening.len();
        self.listening.retain(|inbound| direction == DrainDirection::InboundOnly && !inbound);
        for _ in self.listening.len()..before {
            self.lifecycle.count_stopped_listener();
        }
        workers.stop_listeners(direction);
    }
}
