//! A filter in a chain that goes by what has come.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use sandgate_config::model::{DiscoveredKind, ExtensionDiscovery, HttpFilterKind, Origin};
use tokio::sync::Notify;

use super::shared::{Applied, ExtensionSlot, ProvidedConfig};
use super::wanted::{check_place, check_type};
use super::{ExtensionContext, Provider};
use crate::server::plugins::{PluginLoader, Plugins, Running};
use crate::server::thread::WorkerCommand;
use crate::server::{StartError, remote_code};
use crate::worker::guarded;

/// One filter of one filter chain. Its configuration is asked for as long as this is there.
pub(in crate::server) struct ProvidedFilter {
    pub(in crate::server) slot: Arc<ExtensionSlot>,
    context: Rc<ExtensionContext>,
    next_id: Rc<Cell<u64>>,
    name: String,
    discovery: Arc<ExtensionDiscovery>,
    origin: Origin,
    /// The plugin that it is runs here, too.
    running: RefCell<Running>,
    /// How many configurations it was given: what had to wait is forgotten when another came meanwhile.
    given: Cell<u64>,
    /// Code has to be fetched for the last one.
    fetching: Cell<bool>,
    fetched: Notify,
    provider: Rc<Provider>,
}

/// A configuration that was found good, so far.
pub(super) struct Draft {
    kind: DiscoveredKind,
    loader: PluginLoader,
}

// === impl ProvidedFilter ===

impl ProvidedFilter {
    pub(super) fn new(
        (context, next_id): (&Rc<ExtensionContext>, &Rc<Cell<u64>>),
        name: &str,
        (discovery, origin): (&Arc<ExtensionDiscovery>, &Origin),
        provider: Rc<Provider>,
    ) -> Rc<Self> {
        Rc::new(Self {
            slot: ExtensionSlot::new(next_id.replace(next_id.get() + 1)),
            context: Rc::clone(context),
            next_id: Rc::clone(next_id),
            name: name.to_owned(),
            discovery: Arc::clone(discovery),
            origin: origin.clone(),
            running: RefCell::default(),
            given: Cell::new(0),
            fetching: Cell::new(false),
            fetched: Notify::new(),
            provider,
        })
    }

    /// Waits until something has come, or it has taken too long; not where the default holds at once.
    pub(in crate::server) async fn settled(&self) {
        if self.discovery.apply_default_without_warming {
            return;
        }
        self.provider.taker.answered().await;
        loop {
            let fetched = self.fetched.notified();
            if !self.fetching.get() {
                return;
            }
            fetched.await;
        }
    }

    /// Whether it takes configurations of that type.
    pub(super) fn takes_type(&self, type_url: &str) -> Result<(), String> {
        check_type(&self.discovery, type_url)
    }

    /// Whether it can be such a filter where it stands.
    pub(super) fn takes(&self, kind: &DiscoveredKind) -> Result<(), String> {
        check_place(&self.name, &self.discovery, kind)
    }

    /// The draft of its default, if it has one.
    pub(super) fn default(&self) -> Result<Option<Draft>, StartError> {
        let Some(kind) = self.discovery.default.as_deref() else { return Ok(None) };
        self.takes(kind).map_err(|what| self.refused(what))?;
        self.draft(kind).map(Some)
    }

    /// Reads, compiles and tries what such a filter needs, but for code that has to be fetched.
    pub(super) fn draft(&self, kind: &DiscoveredKind) -> Result<Draft, StartError> {
        let ExtensionContext { shared, environment, local, .. } = &*self.context;
        if let DiscoveredKind::Http(HttpFilterKind::Router(router)) = kind
            && !router.upstream_http_filters.is_empty()
        {
            let what = "upstream_http_filters of a router that is discovered are not implemented";
            return Err(self.refused(what.to_owned()));
        }
        let loaded = PluginLoader::load_discovered(kind.wasm(), &shared.host, environment, &local.host);
        let mut loader =
            loaded.inspect_err(|error| remote_code::fetch_for_the_next(error, (&shared.host, environment), local))?;
        loader.load_known(kind.wasm(), (&shared.host, environment), &local.host)?;
        Ok(Draft { kind: kind.clone(), loader })
    }

    pub(super) fn refused(&self, what: String) -> StartError {
        StartError::Extension { origin: Box::new(self.origin.clone()), what }
    }

    /// Goes by this from now on, or from when its code has come; until then, by what was there before.
    pub(super) fn apply(self: &Rc<Self>, draft: Option<Draft>, applied: Option<&Arc<Applied>>) {
        let given = self.given.get() + 1;
        self.given.set(given);
        self.note_fetching(false);
        let applied = applied.cloned();
        let Some(Draft { kind, mut loader }) = draft else { return self.set(None, Running::default(), applied) };
        if !loader.waits_for_code() {
            let (plugins, running) = loader.finish();
            return self.set(Some((kind, plugins)), running, applied);
        }
        self.note_fetching(true);
        let weak = Rc::downgrade(self);
        let context = Rc::clone(&self.context);
        let fetch = async move {
            let ExtensionContext { shared, environment, local, .. } = &*context;
            loader.fetch_now(&shared.host, environment, local).await;
            if let Some(this) = weak.upgrade().filter(|this| this.given.get() == given) {
                let (plugins, running) = loader.finish();
                this.set(Some((kind, plugins)), running, applied);
                this.note_fetching(false);
            }
        };
        tokio::task::spawn_local(guarded("code of a discovered filter", fetch));
    }

    fn note_fetching(&self, fetching: bool) {
        self.fetching.set(fetching);
        self.fetched.notify_waiters();
    }

    fn set(&self, config: Option<(DiscoveredKind, Plugins)>, running: Running, applied: Option<Arc<Applied>>) {
        let config = config.map(|(kind, plugins)| {
            let id = self.next_id.replace(self.next_id.get() + 1);
            Arc::new(ProvidedConfig { id, kind, plugins })
        });
        self.slot.set(config.clone());
        let slot = &self.slot;
        self.context.workers.each(|| WorkerCommand::Extension(Arc::clone(slot), config.clone(), applied.clone()));
        let before = self.running.replace(running);
        // The plugin that it was ends here, unless somebody else has it.
        drop(before);
    }
}
