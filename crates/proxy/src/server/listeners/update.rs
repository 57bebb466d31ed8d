//! Listeners that a control plane sends, changes and takes away.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use sandgate_config::model;

use super::draft::drafts;
use super::entry::{Entry, ListenerSource, Warming};
use super::{ListenerCounts, ListenerManager};
use crate::admin::ResourceView;
use crate::listener::{BoundListener, ListenerSpec};
use crate::server::StartError;

impl ListenerManager {
    /// A listener is there, or is another one than before. Whether that changes anything; nothing has happened if it is refused.
    pub(in crate::server) fn update(
        self: &Rc<Self>,
        listener: model::Listener,
        view: ResourceView,
    ) -> Result<bool, StartError> {
        let name = listener.name.clone();
        if self.is_static(&name) {
            // As in Envoy: what the bootstrap says stays, and nobody hears of it.
            log::debug!(target: "config", "static listener {name} cannot be updated");
            return Ok(false);
        }
        if self.is_known(&name, &view.serialized) {
            self.refused.borrow_mut().remove(&name);
            return Ok(false);
        }
        super::check(&listener)?;
        let config = Arc::new(listener);
        let bound = self.socket(&config)?;
        let id = self.new_id();
        let chains = {
            let active = self.active.borrow();
            drafts(&self.context, id, (&config, &view.serialized), active.get(&name))?
        };
        let counts = &self.context.counts;
        let known = self.active.borrow().contains_key(&name) || self.warming.borrow().contains_key(&name);
        ListenerCounts::add(if known { &counts.modified } else { &counts.added }, 1);
        self.refused.borrow_mut().remove(&name);
        self.begin(id, config, bound, (ListenerSource::Provided(view), chains));
        Ok(true)
    }

    /// Whether the bootstrap has a listener of that name, which may still be on its way.
    pub(super) fn is_static(&self, name: &str) -> bool {
        self.active.borrow().get(name).is_some_and(Entry::is_static)
            || self.warming.borrow().get(name).is_some_and(Warming::is_static)
    }

    /// Whether that is what there is, or what comes.
    fn is_known(&self, name: &str, serialized: &Bytes) -> bool {
        let same = |source: &ListenerSource| match source {
            ListenerSource::Provided(view) => view.serialized == *serialized,
            ListenerSource::Static => false,
        };
        if let Some(warming) = self.warming.borrow().get(name) {
            return same(&warming.source.borrow());
        }
        self.active.borrow().get(name).is_some_and(|entry| same(&entry.source))
    }

    /// A bound socket: that of the version before, or of one just taken away, if it is for the same address.
    fn socket(&self, config: &model::Listener) -> Result<Rc<BoundListener>, StartError> {
        let warming = self.warming.borrow();
        let active = self.active.borrow();
        let duplicate = |name: &String, other: &model::Listener| {
            *name != config.name && other.address == config.address && config.address.port() != 0
        };
        let of_active = active.iter().map(|(name, entry)| (name, &*entry.unit.config));
        let of_warming = warming.iter().map(|(name, warming)| (name, &*warming.config));
        if of_active.chain(of_warming).any(|(name, other)| duplicate(name, other)) {
            return Err(StartError::DuplicateAddress { name: config.name.clone(), address: config.address });
        }
        let before = warming.get(&config.name).map(|warming| (&*warming.config, &warming.bound));
        let before = before.or_else(|| {
            let entry = active.get(&config.name)?;
            Some((&*entry.unit.config, entry.bound.as_ref()?))
        });
        if let Some((_, bound)) = before.filter(|(before, _)| same_socket(before, config)) {
            return Ok(Rc::clone(bound));
        }
        let removed = self.removed.borrow();
        if let Some((_, bound)) = removed.iter().find(|(removed, _)| same_socket(removed, config)) {
            return Ok(Rc::clone(bound));
        }
        let bound = BoundListener::bind(&ListenerSpec::new(config), self.context.workers.count());
        bound.map(Rc::new).map_err(|source| {
            ListenerCounts::add(&self.context.counts.create_failed, 1);
            let origin = Box::new(config.origin.clone());
            StartError::Bind { address: config.address, origin, source }
        })
    }

    /// Remembers what was refused, for who asks; nothing else changes.
    pub(in crate::server) fn note_refused(&self, name: &str, resource: ResourceView, reason: String) {
        self.refused.borrow_mut().insert(name.to_owned(), (resource, reason));
        self.note_change();
    }

    /// The control plane's last update of which something was taken.
    pub(in crate::server) fn set_version(&self, version: &str) {
        self.context.views.set_version(version);
    }

    /// Whether a listener of the control plane has that name.
    pub(in crate::server) fn has_provided(&self, name: &str) -> bool {
        let is_known = self.warming.borrow().contains_key(name) || self.active.borrow().contains_key(name);
        is_known && !self.is_static(name)
    }

    /// The names of those that the control plane has sent, with what it said of them.
    pub(in crate::server) fn provided(&self) -> Vec<String> {
        let active = self.active.borrow();
        let mut names: Vec<_> = active.keys().cloned().collect();
        names.extend(self.warming.borrow().keys().filter(|name| !active.contains_key(*name)).cloned());
        names.retain(|name| !self.is_static(name));
        names
    }

    /// Sockets of listeners that were removed are there until this ends, for others that want the same address.
    pub(in crate::server) fn end_update(&self) {
        self.removed.borrow_mut().clear();
    }
}

/// Whether the socket of one does for the other.
fn same_socket(one: &model::Listener, other: &model::Listener) -> bool {
    one.address == other.address
        && one.ipv4_compat == other.ipv4_compat
        && one.enable_reuse_port == other.enable_reuse_port
        && one.tcp_backlog_size == other.tcp_backlog_size
}
