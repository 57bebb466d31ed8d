//! Configurations of HTTP and network filters that control planes or files tell (ECDS), on the main thread: who wants which, and what has come.
//!
//! All filters of one category, name and source share a subscription, but each has its own instance of what came: a plugin is loaded for each of
//! them here, and on every worker, as for filters that stand in a listener.

mod entry;
mod filter;
mod shared;
mod taker;
mod wanted;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use sandgate_config::ResourceLoader;
use sandgate_config::model::{ConfigSource, ExtensionDiscovery, FilterCategory, Origin};
use sandgate_host::Environment;

use self::taker::Taker;
use super::StartError;
use super::main_loop::{Shared, WorkerSenders};
use super::routes::same_source;
use super::thread::LocalWorker;
use crate::admin::ResourceViews;
use crate::xds::{Names, ResourceType, Subscription, SubscriptionCallbacks, XdsClient};

pub(super) use self::entry::{DiscoveredEntry, discovered_filters};
pub(super) use self::filter::ProvidedFilter;
pub(super) use self::shared::{Applied, ExtensionSlot, ProvidedConfig};

/// What taking configurations of filters needs.
pub(super) struct ExtensionContext {
    pub(super) client: Rc<XdsClient>,
    pub(super) loader: ResourceLoader,
    pub(super) shared: Arc<Shared>,
    pub(super) local: Rc<LocalWorker>,
    pub(super) environment: Rc<dyn Environment>,
    pub(super) workers: WorkerSenders,
    /// For the admin interface.
    pub(super) views: Arc<ResourceViews>,
}

/// All configurations of filters that come from elsewhere.
pub(super) struct ExtensionManager {
    context: Rc<ExtensionContext>,
    next_id: Rc<Cell<u64>>,
    providers: RefCell<Providers>,
}

/// By category and name; each as long as a filter has it.
type Providers = HashMap<(FilterCategory, String), Vec<Weak<Provider>>>;

/// One name of one source. It is asked for as long as this is there.
struct Provider {
    source: ConfigSource,
    taker: Rc<Taker>,
    subscription: OnceCell<Subscription>,
}

// === impl ExtensionManager ===

impl ExtensionManager {
    pub(super) fn new(context: ExtensionContext) -> Rc<Self> {
        Rc::new(Self { context: Rc::new(context), next_id: Rc::default(), providers: RefCell::default() })
    }

    /// A filter of that name in some chain. It goes by what has come for others, else by its default, and by what comes.
    ///
    /// # Errors
    /// What it would go by cannot be used.
    pub(super) fn get(
        &self,
        name: &str,
        discovery: &Arc<ExtensionDiscovery>,
        origin: &Origin,
    ) -> Result<Rc<ProvidedFilter>, StartError> {
        let (provider, is_new) = self.provider(discovery.category, name, &discovery.source);
        let context = (&self.context, &self.next_id);
        let filter = ProvidedFilter::new(context, name, (discovery, origin), Rc::clone(&provider));
        provider.taker.begin(&filter)?;
        if is_new {
            let callbacks = Rc::<Taker>::clone(&provider.taker) as Rc<dyn SubscriptionCallbacks>;
            let names = Names::Set(BTreeSet::from([name.to_owned()]));
            let (source, prefix) = (&discovery.source, provider.taker.prefix());
            let subscription = self.context.client.subscribe(source, ResourceType::Extension, names, prefix, callbacks);
            let _ = provider.subscription.set(subscription);
        }
        Ok(filter)
    }

    /// Who tells it, and whether he has to be asked yet.
    fn provider(&self, category: FilterCategory, name: &str, source: &ConfigSource) -> (Rc<Provider>, bool) {
        let mut providers = self.providers.borrow_mut();
        providers.retain(|_, known| {
            known.retain(|provider| provider.strong_count() > 0);
            !known.is_empty()
        });
        let known = providers.entry((category, name.to_owned())).or_default();
        if let Some(known) = known.iter().filter_map(Weak::upgrade).find(|known| same_source(&known.source, source)) {
            return (known, false);
        }
        let number = self.next_id.replace(self.next_id.get() + 1);
        let taker = Taker::new(&self.context, (category, name), number);
        let provider = Rc::new(Provider { source: source.clone(), taker, subscription: OnceCell::new() });
        known.push(Rc::downgrade(&provider));
        (provider, true)
    }
}
