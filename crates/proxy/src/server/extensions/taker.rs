//! What comes for one name of one source, for all filters that want it.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use sandgate_config::model::{ExtensionConfig, FilterCategory};

use super::ExtensionContext;
use super::filter::ProvidedFilter;
use super::shared::Applied;
use crate::admin::ResourceView;
use crate::server::StartError;
use crate::server::answered::Answered;
use crate::stats::EcdsStats;
use crate::xds::{SubscriptionCallbacks, Update};

/// Takes the configurations of that name.
pub(super) struct Taker {
    context: Rc<ExtensionContext>,
    name: String,
    /// Tells it from others of its name.
    number: u64,
    prefix: String,
    stats: Rc<EcdsStats>,
    filters: RefCell<Vec<Weak<ProvidedFilter>>>,
    /// What was taken last.
    last: RefCell<Option<Taken>>,
    /// Something has come, or will not come in time.
    answered: Answered,
}

struct Taken {
    config: Rc<ExtensionConfig>,
    serialized: Bytes,
}

// === impl Taker ===

impl Taker {
    pub(super) fn new(
        context: &Rc<ExtensionContext>,
        (category, name): (FilterCategory, &str),
        number: u64,
    ) -> Rc<Self> {
        let category = match category {
            FilterCategory::Http => "http_filter",
            FilterCategory::Network => "network_filter",
        };
        let prefix = format!("extension_config_discovery.{category}.{name}.");
        let stats = Rc::new(EcdsStats::new(&context.shared.stats, &prefix));
        Rc::new(Self {
            context: Rc::clone(context),
            name: name.to_owned(),
            number,
            prefix,
            stats,
            filters: RefCell::default(),
            last: RefCell::default(),
            answered: Answered::default(),
        })
    }

    /// Of all its stats.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Another filter wants it.
    ///
    /// # Errors
    /// What it would go by cannot be used.
    pub(super) fn begin(&self, filter: &Rc<ProvidedFilter>) -> Result<(), StartError> {
        let last = self.last.borrow().as_ref().map(|last| Rc::clone(&last.config));
        let fits = last.and_then(|last| match filter.takes_type(&last.type_url) {
            Ok(()) => Some(last),
            Err(reason) => {
                log::debug!(target: "filter", "ECDS subscription {} is invalid for another filter: {reason}", self.name);
                self.stats.config_conflict().inc();
                None
            }
        });
        let draft = match fits {
            Some(last) => {
                filter.takes(&last.kind).map_err(|what| filter.refused(what))?;
                Some(filter.draft(&last.kind)?)
            }
            None => filter.default()?,
        };
        filter.apply(draft, None);
        let mut filters = self.filters.borrow_mut();
        filters.retain(|filter| filter.strong_count() > 0);
        filters.push(Rc::downgrade(filter));
        Ok(())
    }

    /// Waits until something has come, or it has taken too long.
    pub(super) async fn answered(&self) {
        self.answered.wait().await;
    }

    fn filters(&self) -> Vec<Rc<ProvidedFilter>> {
        self.filters.borrow().iter().filter_map(Weak::upgrade).collect()
    }

    fn applied(&self) -> Arc<Applied> {
        let stats = Rc::clone(&self.stats);
        Applied::then(move || stats.config_reload().inc())
    }

    /// Takes one for all filters, or for none.
    fn take(&self, update: &Update) -> Result<(), String> {
        let name = &self.name;
        let [resource] = update.resources.as_slice() else {
            let count = update.resources.len();
            return Err(format!("Unexpected number of resources in ExtensionConfigDS response: {count}"));
        };
        let unexpected = |given: &str| {
            format!("Unexpected resource name in ExtensionConfigDS response: expected {name}, got {given}")
        };
        let Some(body) = &resource.body else { return Err(unexpected("")) };
        let loaded = self.context.loader.extension(body).map_err(|refused| refused.detail())?;
        let (config, serialized) = (loaded.resource, loaded.serialized);
        if config.name != *name {
            return Err(unexpected(&config.name));
        }
        for warning in loaded.warnings.items() {
            log::warn!(target: "config", "{warning}");
        }
        if self.last.borrow().as_ref().is_some_and(|last| last.serialized == serialized) {
            return Ok(());
        }
        let filters = self.filters();
        for filter in &filters {
            filter.takes_type(&config.type_url)?;
            filter.takes(&config.kind)?;
        }
        // Counted also if a plugin refuses it, as in Envoy.
        let applied = self.applied();
        let drafts = filters.iter().map(|filter| filter.draft(&config.kind)).collect::<Result<Vec<_>, _>>();
        let drafts = drafts.map_err(|error| error.to_string())?;
        let taken = Taken { config: Rc::new(config), serialized: serialized.clone() };
        self.last.replace(Some(taken));
        let updated = Some(SystemTime::now());
        let view = ResourceView { version: resource.version.clone(), updated, serialized };
        self.context.views.set(name, self.number, view);
        for (filter, draft) in filters.iter().zip(drafts) {
            filter.apply(Some(draft), Some(&applied));
        }
        log::debug!(target: "filter", "Updated filter config {name} accepted, posting to workers");
        Ok(())
    }

    /// All filters go by their defaults.
    fn remove(&self) {
        log::debug!(target: "filter", "Removing extension config for {}", self.name);
        self.last.take();
        self.context.views.remove(&self.name, self.number);
        let applied = self.applied();
        for filter in self.filters() {
            let draft = filter.default().unwrap_or_else(|error| {
                log::error!(target: "filter", "the default of filter '{}' cannot be used: {error}", self.name);
                None
            });
            filter.apply(draft, Some(&applied));
        }
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        self.context.views.remove(&self.name, self.number);
    }
}

impl SubscriptionCallbacks for Taker {
    fn on_update(&self, update: &Update) -> Result<(), String> {
        let taken = match (update.removed.is_empty(), update.resources.is_empty()) {
            (false, true) => {
                self.remove();
                Ok(())
            }
            (true, true) if update.is_delta => Ok(()),
            _ => self.take(update).inspect_err(|reason| {
                log::debug!(target: "filter", "Updating filter config {} failed due to {reason}", self.name);
                self.stats.config_fail().inc();
            }),
        };
        self.answered.set();
        taken
    }

    fn on_fetch_timeout(&self) {
        self.stats.config_fail().inc();
        self.answered.set();
    }
}
