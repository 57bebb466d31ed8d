//! The listeners of a thread: made, listening, drained, gone.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinHandle;

use crate::drain::DrainDirection;
use crate::listener::{Stop, accept};
use crate::network::{ActiveListener, FilterChain};
use crate::server::StartError;
use crate::server::network::ListenerBuilder;
use crate::server::unit::{ChainPlace, ListenerUnit};
use crate::worker::{Worker, guarded};

/// All listeners of a thread, also those that are drained.
#[derive(Default)]
pub(super) struct Listeners {
    listeners: BTreeMap<u64, Known>,
    /// A chain outlives its listener where another version of that has it too.
    chains: Chains,
}

/// Filter chains by their place, and how many listeners have each.
pub(in crate::server) type Chains = BTreeMap<ChainPlace, (Rc<FilterChain>, usize)>;

struct Known {
    places: Vec<ChainPlace>,
    active: Rc<ActiveListener>,
    listening: Option<Listening>,
}

/// A listener that takes connections on this thread.
#[derive(Debug)]
pub(in crate::server) struct Listening {
    stop: Rc<Stop>,
    task: JoinHandle<()>,
}

/// Starts to take connections.
pub(in crate::server) fn listen(
    worker: &Rc<Worker>,
    listener: &Rc<ActiveListener>,
    socket: std::net::TcpListener,
) -> Listening {
    let stop = Rc::<Stop>::default();
    let accept = accept(socket, Rc::clone(worker), Rc::clone(listener), Rc::clone(&stop));
    Listening { stop, task: tokio::task::spawn_local(guarded("listener", accept)) }
}

// === impl Listening ===

impl Listening {
    /// Waits until it has taken what was connected by then.
    async fn stop(self) {
        self.stop.stop();
        // Its panics are logged.
        let _ = self.task.await;
    }
}

// === impl Listeners ===

impl Listeners {
    /// Makes a listener, with the chains that are there already as they are.
    pub(super) fn prepare(
        &mut self,
        builder: &ListenerBuilder<'_>,
        unit: &Arc<ListenerUnit>,
    ) -> Result<(), StartError> {
        let active = builder.build(unit, &self.chains)?;
        let places: Vec<_> = unit.chains.iter().map(|chain| chain.place).collect();
        for (place, made) in places.iter().zip(&active.chains) {
            self.chains.entry(*place).or_insert_with(|| (Rc::clone(made), 0)).1 += 1;
        }
        self.listeners.insert(unit.id, Known { places, active, listening: None });
        Ok(())
    }

    /// A listener takes connections from that socket.
    pub(super) fn listen(&mut self, worker: &Rc<Worker>, id: u64, socket: std::net::TcpListener) {
        if let Some(known) = self.listeners.get_mut(&id) {
            known.listening = Some(listen(worker, &known.active, socket));
        }
    }

    /// A listener takes no connections any more; another one takes those of its socket.
    pub(super) fn hand_on(&mut self, id: u64) {
        if let Some(listening) = self.listeners.get_mut(&id).and_then(|known| known.listening.take()) {
            listening.stop.hand_on();
        }
    }

    /// A listener takes no connections any more, but those that have come.
    pub(super) async fn stop(&mut self, id: u64) {
        if let Some(listening) = self.listeners.get_mut(&id).and_then(|known| known.listening.take()) {
            listening.stop().await;
        }
    }

    /// The same of all, or of those that are inbound.
    pub(super) async fn stop_all(&mut self, direction: DrainDirection) {
        for known in self.listeners.values_mut() {
            let inbound = known.active.drain.is_some_and(|listener| listener.inbound);
            if (direction == DrainDirection::All || inbound)
                && let Some(listening) = known.listening.take()
            {
                listening.stop().await;
            }
        }
    }

    /// Responses on these chains begin to end their connections.
    pub(super) fn drain(&self, chains: &[ChainPlace]) {
        let now = Instant::now();
        chains.iter().filter_map(|place| self.chains.get(place)).for_each(|(chain, _)| chain.drain.begin(now));
    }

    /// Forgets a listener, and ends what is left on chains that no other has.
    pub(super) fn remove(&mut self, worker: &Worker, id: u64) {
        let Some(removed) = self.listeners.remove(&id) else { return };
        for place in removed.places {
            let Some((_, holders)) = self.chains.get_mut(&place) else { continue };
            *holders = holders.saturating_sub(1);
            if *holders == 0
                && let Some((chain, _)) = self.chains.remove(&place)
            {
                chain.drain.end();
            }
        }
        worker.wake_connections();
    }
}
