//! One secret of a control plane, and those who use it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use sandgate_config::model::Secret;
use sandgate_config::{LoadedResource, ResourceLoader};
use tokio::task::JoinHandle;

use super::files::Resolved;
use super::{SecretManager, SecretUse};
use crate::admin::{ResourceView, SecretNumber, SecretViews};
use crate::listener_tls::{Fingerprint, INTERVAL};
use crate::secrets::{SecretType, WantedSecret};
use crate::server::answered::Answered;
use crate::stats::{SdsStats, scope_name};
use crate::worker::guarded;
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
    answered: Answered,
    stats: SdsStats,
    /// Looks after the files of a secret that has some.
    watch: RefCell<Option<JoinHandle<()>>>,
}

/// What was taken last.
#[derive(Clone)]
struct Latest {
    /// With what is in its files.
    secret: Arc<Secret>,
    /// As it came.
    told: Arc<Secret>,
    serialized: Bytes,
    /// Its files before they were last read.
    seen: Vec<Fingerprint>,
}

/// Is told of it.
struct Listening(Rc<Taker>);

// === impl ProvidedSecret ===

impl ProvidedSecret {
    pub(super) fn new(manager: &SecretManager, wanted: WantedSecret) -> Rc<Self> {
        let taker = Rc::new(Taker {
            name: wanted.name.clone(),
            kind: wanted.kind,
            loader: manager.loader.clone(),
            views: Arc::clone(&manager.views),
            number: manager.views.add(&wanted.name, wanted.kind),
            latest: RefCell::default(),
            users: RefCell::default(),
            answered: Answered::default(),
            stats: SdsStats::new(&manager.stats, &format!("sds.{}.", scope_name(&wanted.name))),
            watch: RefCell::default(),
        });
        Rc::new(Self { wanted, client: Rc::clone(&manager.client), taker, subscription: RefCell::default() })
    }

    /// Asks for it, unless that was done before.
    pub(super) fn start(&self) {
        if self.subscription.borrow().is_some() {
            return;
        }
        let WantedSecret { name, source, .. } = &self.wanted;
        let callbacks = Rc::new(Listening(Rc::clone(&self.taker)));
        let names = Names::Set(BTreeSet::from([name.clone()]));
        let prefix = format!("sds.{}.", scope_name(name));
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
        self.taker.answered.is_set()
    }

    /// Waits for that.
    pub(super) async fn answered(&self) {
        self.taker.answered.wait().await;
    }
}

// === impl Taker ===

impl Taker {
    fn take(self: &Rc<Self>, update: &Update) -> Result<(), String> {
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
            if !self.kind.fits(&secret.kind) {
                return Err(format!("the secret {name} is of another kind than the one asked for"));
            }
            let told = Arc::new(secret);
            let Resolved { seen, secret } = Resolved::new((*told).clone());
            self.replace(Latest { secret: Arc::new(secret?), told, serialized: serialized.clone(), seen })?;
            self.watch();
        }
        let version = if resource.version.is_empty() { &update.version } else { &resource.version };
        let view = ResourceView { version: version.clone(), updated: Some(SystemTime::now()), serialized };
        self.views.set_active(name, self.number, view);
        Ok(())
    }

    /// All who use the secret get the new one, or nobody if it does not do for one of them.
    fn replace(&self, latest: Latest) -> Result<(), String> {
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
                log::debug!(target: "config", "secret {} has been taken over", self.name);
                Ok(())
            }
            Err(error) => {
                self.latest.replace(before);
                Err(error.to_string())
            }
        }
    }

    /// Looks after the files of the secret, if it has some.
    fn watch(self: &Rc<Self>) {
        let has_files = self.latest.borrow().as_ref().is_some_and(|latest| !latest.seen.is_empty());
        if !has_files || self.watch.borrow().is_some() {
            return;
        }
        let taker = Rc::downgrade(self);
        let watch = guarded("secret watcher", async move {
            loop {
                tokio::time::sleep(INTERVAL).await;
                let Some(taker) = taker.upgrade() else { return };
                taker.look();
            }
        });
        self.watch.replace(Some(tokio::task::spawn_local(watch)));
    }

    /// Takes over what is in the files now, if they are others than before. Otherwise what was read before stays.
    fn look(&self) {
        let Some(latest) = self.latest.borrow().clone() else { return };
        if latest.seen.iter().all(Fingerprint::is_current) {
            return;
        }
        let Resolved { seen, secret } = Resolved::new((*latest.told).clone());
        // Those that cannot be used are looked at again when they change.
        self.latest.replace(Some(Latest { seen: seen.clone(), ..latest.clone() }));
        let replaced = secret.and_then(|secret| self.replace(Latest { secret: Arc::new(secret), seen, ..latest }));
        if let Err(error) = replaced {
            self.stats.key_rotation_failed().inc();
            log::warn!(target: "config", "changed files of secret {} cannot be used: {error}", self.name);
        }
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        if let Some(watch) = self.watch.get_mut() {
            watch.abort();
        }
        self.views.remove(&self.name, self.number);
    }
}

// === impl Listening ===

impl SubscriptionCallbacks for Listening {
    fn on_update(&self, update: &Update) -> Result<(), String> {
        let result = self.0.take(update);
        self.0.answered.set();
        result
    }

    fn on_fetch_timeout(&self) {
        self.0.answered.set();
    }
}
