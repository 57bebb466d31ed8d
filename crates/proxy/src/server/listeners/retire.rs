//! Versions of listeners that are not wanted any more.

use std::rc::Rc;

use super::entry::{Entry, MainChain};
use super::{ListenerCounts, ListenerManager};
use crate::server::thread::WorkerCommand;
use crate::worker::guarded;

impl ListenerManager {
    /// A listener is to be there no more. Whether it was.
    pub(in crate::server) fn remove(self: &Rc<Self>, name: &str) -> bool {
        if self.is_static(name) {
            return false;
        }
        self.refused.borrow_mut().remove(name);
        let warming = self.warming.borrow_mut().remove(name);
        let active = self.active.borrow_mut().remove(name);
        if warming.is_none() && active.is_none() {
            return false;
        }
        ListenerCounts::add(&self.context.counts.removed, 1);
        if let Some(warming) = warming {
            self.give_up(warming.id);
        }
        if let Some(entry) = active {
            let id = entry.unit.id;
            self.context.workers.each(|| WorkerCommand::StopListener(id));
            if let Some(bound) = &entry.bound {
                self.removed.borrow_mut().push((std::sync::Arc::clone(&entry.unit.config), Rc::clone(bound)));
            }
            self.drain(entry, None);
        }
        self.note_change();
        true
    }

    /// A version that workers may have begun to make is not wanted.
    pub(super) fn give_up(&self, id: u64) {
        self.context.workers.each(|| WorkerCommand::Remove(id));
    }

    /// Another version has taken a listener's place.
    pub(super) fn replace(self: &Rc<Self>, before: Entry, now: &Entry) {
        let id = before.unit.id;
        let same_socket = match (&before.bound, &now.bound) {
            (Some(before), Some(now)) => Rc::ptr_eq(before, now),
            _ => false,
        };
        let command = if same_socket { WorkerCommand::HandOn } else { WorkerCommand::StopListener };
        self.context.workers.each(|| command(id));
        self.drain(before, Some(now));
    }

    /// Drains what a listener has and its next version has not; after the drain time its connections are closed.
    fn drain(self: &Rc<Self>, mut entry: Entry, now: Option<&Entry>) {
        entry.bound = None;
        let stays =
            |chain: &Rc<MainChain>| now.is_some_and(|now| now.chains.iter().any(|kept| Rc::ptr_eq(kept, chain)));
        let in_place = now.is_some_and(|now| entry.is_updated_in_place_by(now));
        let counts = &self.context.counts;
        if in_place {
            ListenerCounts::add(&counts.in_place_updated, 1);
        }
        entry.chains.retain(|chain| !stays(chain));
        let places: Vec<_> = entry.chains.iter().map(|chain| chain.unit.place).collect();
        self.context.workers.each(|| WorkerCommand::DrainChains(places.clone()));
        if in_place {
            counts.chains_draining(true, places.len())
        } else {
            counts.draining(true)
        }
        let this = Rc::clone(self);
        let time = self.context.shared.drain.options().time;
        tokio::task::spawn_local(guarded("listener drain", async move {
            tokio::time::sleep(time).await;
            this.context.workers.each(|| WorkerCommand::Remove(entry.unit.id));
            let counts = &this.context.counts;
            if in_place {
                counts.chains_draining(false, places.len())
            } else {
                counts.draining(false)
            }
            // Its plugins on the main thread end with it.
            drop(entry);
        }));
    }
}
