//! Secrets from control planes: who wants which, and what has come.

mod files;
mod provider;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::{Arc, Weak as ArcWeak};

use sandgate_config::ResourceLoader;
use sandgate_tls::TlsError;

use self::provider::ProvidedSecret;
use super::routes::same_source;
use crate::admin::SecretViews;
use crate::secrets::{SecretUser, ToldSecrets, WantedSecret};
use crate::stats::{SslSocketFactoryStats, StatsStore};
use crate::xds::XdsClient;

/// All secrets that come from control planes, on the main thread.
pub(super) struct SecretManager {
    client: Rc<XdsClient>,
    loader: ResourceLoader,
    stats: Arc<StatsStore>,
    views: Arc<SecretViews>,
    /// By name; each as long as somebody has it.
    providers: RefCell<HashMap<String, Vec<Weak<ProvidedSecret>>>>,
}

/// The secrets of a TLS context. It has them as long as this is there.
pub(super) struct SecretUse {
    user: ArcWeak<dyn SecretUser>,
    /// In the order in which the context wants them.
    secrets: Vec<Rc<ProvidedSecret>>,
    stats: SslSocketFactoryStats,
}

// === impl SecretManager ===

impl SecretManager {
    pub(super) fn new(
        client: &Rc<XdsClient>,
        loader: ResourceLoader,
        stats: &Arc<StatsStore>,
        views: &Arc<SecretViews>,
    ) -> Rc<Self> {
        let (client, stats, views) = (Rc::clone(client), Arc::clone(stats), Arc::clone(views));
        Rc::new(Self { client, loader, stats, views, providers: RefCell::default() })
    }

    /// What a context wants of control planes; `None` if that is nothing. What others have got already it gets at once, the rest when
    /// it has [started](SecretUse::start).
    ///
    /// # Errors
    /// What is there already is not right for this context.
    pub(super) fn get(&self, user: &Arc<dyn SecretUser>) -> Result<Option<Rc<SecretUse>>, TlsError> {
        let wanted = user.wanted();
        if wanted.is_empty() {
            return Ok(None);
        }
        let scope = format!("{}{}.", user.scope(), user.factory());
        let stats = SslSocketFactoryStats::new(&self.stats, &scope);
        let secrets = wanted.iter().map(|wanted| self.provider(wanted)).collect();
        let wants = Rc::new(SecretUse { user: Arc::downgrade(user), secrets, stats });
        Arc::clone(user).prepare(wants.told())?();
        wants.secrets.iter().for_each(|secret| secret.add(&wants));
        Ok(Some(wants))
    }

    fn provider(&self, wanted: &WantedSecret) -> Rc<ProvidedSecret> {
        let mut providers = self.providers.borrow_mut();
        providers.retain(|_, known| {
            known.retain(|secret| secret.strong_count() > 0);
            !known.is_empty()
        });
        let known = providers.entry(wanted.name.clone()).or_default();
        let is_same = |secret: &Rc<ProvidedSecret>| {
            secret.wanted.kind == wanted.kind && same_source(&secret.wanted.source, &wanted.source)
        };
        if let Some(secret) = known.iter().filter_map(Weak::upgrade).find(is_same) {
            return secret;
        }
        let secret = ProvidedSecret::new(self, wanted.clone());
        known.push(Rc::downgrade(&secret));
        secret
    }
}

// === impl SecretUse ===

impl SecretUse {
    /// Asks for what nobody has asked for yet.
    pub(super) fn start(&self) {
        self.secrets.iter().for_each(|secret| secret.start());
    }

    /// Whether something that was asked for is still waited for.
    pub(super) fn is_waiting(&self) -> bool {
        self.secrets.iter().any(|secret| !secret.is_answered())
    }

    /// Waits until each secret has come, or has taken too long.
    pub(super) async fn answered(&self) {
        for secret in &self.secrets {
            secret.answered().await;
        }
    }

    fn told(&self) -> ToldSecrets {
        self.secrets.iter().map(|secret| secret.latest()).collect()
    }
}
