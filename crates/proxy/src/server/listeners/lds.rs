//! Listeners from a control plane: what an update of LDS says is done, or refused.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::SystemTime;

use bytes::Bytes;
use sandgate_config::ResourceLoader;

use super::ListenerManager;
use crate::admin::ResourceView;
use crate::server::answered::Answered;
use sandgate_xds::{Resource, Update};

use crate::xds::SubscriptionCallbacks;

/// Takes listeners from a control plane.
pub(in crate::server) struct Lds {
    listeners: Rc<ListenerManager>,
    loader: RefCell<ResourceLoader>,
    /// The listeners that were taken, serialized: one that comes again as it was is not read.
    taken: RefCell<BTreeMap<String, Bytes>>,
    /// Something has come, or will not come in time.
    answered: Answered,
}

// === impl Lds ===

impl Lds {
    pub(in crate::server) fn new(listeners: &Rc<ListenerManager>, loader: ResourceLoader) -> Rc<Self> {
        Rc::new(Self {
            listeners: Rc::clone(listeners),
            loader: RefCell::new(loader),
            taken: RefCell::default(),
            answered: Answered::default(),
        })
    }

    /// Waits until the control plane has answered for the first time, or has taken too long.
    pub(in crate::server) async fn answered(&self) {
        self.answered.wait().await;
    }

    /// Takes one, or says why not. Whether that changed anything.
    fn take(&self, resource: &Resource) -> Result<bool, String> {
        let name = &resource.name;
        let Some(body) = &resource.body else { return Err(format!("{name}: the resource is empty")) };
        if self.taken.borrow().get(name) == Some(body) && self.listeners.has_provided(name) {
            return Ok(false);
        }
        let updated = Some(SystemTime::now());
        let mut view = ResourceView { version: resource.version.clone(), updated, serialized: Bytes::new() };
        let loaded = self.loader.borrow().listener(body).map_err(|refused| refused.detail());
        let taken = loaded.and_then(|loaded| {
            for warning in loaded.warnings.items() {
                log::warn!(target: "config", "{warning}");
            }
            view.serialized = loaded.serialized;
            self.listeners.update(loaded.resource, view.clone()).map_err(|error| error.to_string())
        });
        match taken {
            Ok(changed) => {
                self.taken.borrow_mut().insert(name.clone(), body.clone());
                Ok(changed)
            }
            Err(reason) => {
                self.listeners.note_refused(name, view, reason.clone());
                Err(format!("{name}: {reason}"))
            }
        }
    }

    fn remove(&self, name: &str) -> bool {
        self.taken.borrow_mut().remove(name);
        let removed = self.listeners.remove(name);
        if removed {
            log::info!(target: "upstream", "lds: remove listener '{name}'");
        }
        removed
    }
}

impl SubscriptionCallbacks for Lds {
    /// As in Envoy: what is good is taken, and the rest is told; but nothing is taken of an update with bytes that are no listener.
    fn on_update(&self, update: &Update) -> Result<(), String> {
        let mut bodies = update.resources.iter().filter_map(|resource| resource.body.as_ref());
        if let Some(error) = bodies.find_map(|body| ResourceLoader::undecodable_listener(body)) {
            self.answered.set();
            return Err(error);
        }
        self.loader.borrow_mut().set_clusters(self.listeners.context.shared.clusters.names());
        let removed = if update.is_delta {
            update.removed.clone()
        } else {
            let named: BTreeSet<_> = update.resources.iter().map(|resource| &resource.name).collect();
            self.listeners.provided().into_iter().filter(|name| !named.contains(name)).collect()
        };
        let mut changed = false;
        for name in &removed {
            changed |= self.remove(name);
        }
        let mut seen = BTreeSet::new();
        let mut refused = Vec::new();
        for resource in &update.resources {
            if !seen.insert(&resource.name) {
                refused.push(format!("{}: duplicate listener {} found", resource.name, resource.name));
                continue;
            }
            match self.take(resource) {
                Ok(taken) => changed |= taken,
                Err(reason) => refused.push(reason),
            }
        }
        if changed {
            self.listeners.set_version(&update.version);
        }
        self.listeners.end_update();
        self.answered.set();
        if refused.is_empty() {
            return Ok(());
        }
        Err(format!("Error adding/updating listener(s) {}\n", refused.join("\n")))
    }

    fn on_fetch_timeout(&self) {
        self.answered.set();
    }
}
