//! One secret of a control plane, and those who use it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use sandgate_config::model::Secret;
use sandgate_config::{LoadedResource, ResourceLoader};
use tokio::sync::Notify;

use super::{SecretManager, SecretUse};
use crate::admin::{ResourceView, SecretNumber, SecretViews};
use crate::secrets::{SecretType, WantedSecret};
use crate::xds::{Names, ResourceType, Subscription, SubscriptionCallbacks, Update, XdsClient};

/// A secret as long as somebody uses it.
pub(super) struct ProvidedSecret {
    pub(super) wanted: WantedSecret,
    client: Rc<XdsClient>,
    taker: Rc<Taker>,
    /// Once somebody has asked.
    subscription: RefCell<Option<Subscription>>,
}

/// Who takes it.
struct Taker {
    name: String,
    kind: SecretType,
    loader: ResourceLoader,
    views: Arc<SecretViews>,
    number: SecretNumber,
    latest: RefCell<Option<Latest>>,
    users: RefCell<Vec<Weak<SecretUse>>>,
    /// Something has come, or will not come in time.
    answered: Cell<bool>,
    changed: Notify,
}

/// What was taken last.
struct Latest {
    secret: Arc<Secret>,
    serialized: Bytes,
}

// === impl ProvidedSecret ===

impl ProvidedSecret {
    pub(super) fn new(manager: &SecretManager, wanted: WantedSecret) -> Rc<Self> {
        let taker = Rc::new(Taker {
            name: wanted.name.clone(),
            kind: wanted.kind,
            loader: manager.loader.clone(),
            views: Arc::clone(&manager.views),
            number: manager.views.add(&wanted.name),
            latest: RefCell::default(),
            users: RefCell::default(),
            answered: Cell::new(false),
            changed: Notify::new(),
        });
        Rc::new(Self { wanted, client: Rc::clone(&manager.client), taker, subscription: RefCell::default() })
    }

    /// Asks for it, unless that was done before.
    pub(super) fn start(&self) {
        if self.subscription.borrow().is_some() {
            return;
        }
        let WantedSecret { name, source, .. } = &self.wanted;
        let callbacks = Rc::<Taker>::clone(&self.taker) as Rc<dyn SubscriptionCallbacks>;
        let names = Names::Set(BTreeSet::from([name.clone()]));
        let prefix = format!("sds.{name}.");
        let subscription = self.client.subscribe(source, ResourceType::Secret, names, &prefix, callbacks);
        self.subscription.replace(Some(subscription));
    }

    /// Somebody is to hear of each new one.
    pub(super) fn add(&self, user: &Rc<SecretUse>) {
        let mut users = self.taker.users.borrow_mut();
        users.retain(|user| user.strong_count() > 0);
        // A context may want it twice.
        if !users.iter().any(|known| known.ptr_eq(&Rc::downgrade(user))) {
            users.push(Rc::downgrade(user));
        }
    }

    /// What came last; nothing before the first.
    pub(super) fn latest(&self) -> Option<Arc<Secret>> {
        self.taker.latest.borrow().as_ref().map(|latest| Arc::clone(&latest.secret))
    }

    /// Something has come, or will not come in time.
    pub(super) fn is_answered(&self) -> bool {
        self.taker.answered.get()
    }

    /// Waits for that.
    pub(super) async fn answered(&self) {
        loop {
            let changed = self.taker.changed.notified();
            if self.is_answered() {
                return;
            }
            changed.await;
        }
    }
}

// === impl Taker ===

impl Taker {
    fn take(&self, update: &Update) -> Result<(), String> {
        let name = &self.name;
        let resource = match &*update.resources {
            [resource] => resource,
            [] if update.removed.is_empty() => {
                return Err(format!("Missing SDS resources for {name} in onConfigUpdate()"));
            }
            [] => {
                log::debug!(target: "config", "secret {name} is gone at the control plane, what there is stays");
                return Ok(());
            }
            more => return Err(format!("Unexpected SDS secrets length: {}", more.len())),
        };
        let Some(body) = &resource.body else {
            return Err(format!("Unexpected SDS secret (expecting {name}): "));
        };
        let LoadedResource { resource: secret, serialized, warnings } =
            self.loader.secret(body).map_err(|refused| refused.detail())?;
        warnings.items().iter().for_each(|warning| log::warn!(target: "config", "{warning}"));
        if secret.name != *name {
            return Err(format!("Unexpected SDS secret (expecting {name}): {}", secret.name));
        }
        let is_known = self.latest.borrow().as_ref().is_some_and(|latest| latest.serialized == serialized);
        if !is_known {
            self.replace(Latest { secret: Arc::new(secret), serialized: serialized.clone() })?;
        }
        let version = if resource.version.is_empty() { &update.version } else { &resource.version };
        let view = ResourceView { version: version.clone(), updated: Some(SystemTime::now()), serialized };
        self.views.set_active(name, self.number, view);
        Ok(())
    }

    /// All who use the secret get the new one, or nobody if it does not do for one of them.
    fn replace(&self, latest: Latest) -> Result<(), String> {
        let name = &self.name;
        if !self.kind.fits(&latest.secret.kind) {
            return Err(format!("the secret {name} is of another kind than the one asked for"));
        }
        let before = self.latest.replace(Some(latest));
        let users: Vec<_> = self.users.borrow().iter().filter_map(Weak::upgrade).collect();
        let prepared = users.iter().filter_map(|wants| {
            let user = wants.user.upgrade()?;
            Some(user.prepare(wants.told()).map(|put| (wants, put)))
        });
        match prepared.collect::<Result<Vec<_>, _>>() {
            Ok(prepared) => {
                for (wants, put) in prepared {
                    put();
                    wants.stats.ssl_context_update_by_sds().inc();
                }
                log::debug!(target: "config", "secret {name} has been taken over");
                Ok(())
            }
            Err(error) => {
                self.latest.replace(before);
                Err(error.to_string())
            }
        }
    }

    fn answer(&self) {
        self.answered.set(true);
        self.changed.notify_waiters();
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        self.views.remove(&self.name, self.number);
    }
}

impl SubscriptionCallbacks for Taker {
    fn on_update(&self, update: &Update) -> Result<(), String> {
        let result = self.take(update);
        self.answer();
        result
    }

    fn on_fetch_timeout(&self) {
        self.answer();
    }
}
