//! The filter chains of a listener that is being made.

use std::rc::Rc;
use std::sync::Arc;

use sandgate_config::model;

use super::ListenerContext;
use super::entry::{Entry, MainChain};
use crate::listener_tls::ListenerTls;
use crate::server::StartError;
use crate::server::hcm::listener_stat_name;
use crate::server::plugins::{PluginLoader, Plugins, Running};
use crate::server::unit::{ChainPlace, ChainUnit};

/// A filter chain of a listener that is being made.
pub(super) enum ChainDraft {
    /// It is in the version that serves now.
    Known(Rc<MainChain>),
    New(Box<NewChain>),
}

/// One that still has to wait for something, perhaps.
pub(super) struct NewChain {
    place: ChainPlace,
    tls: Option<Arc<ListenerTls>>,
    plugins: ChainPlugins,
}

/// Its plugins.
enum ChainPlugins {
    /// All that could be loaded at once.
    Own(PluginLoader),
    /// They were loaded with all others of the bootstrap, and run as long as the process.
    OfBootstrap(Arc<Plugins>),
}

/// The chains of a listener: each that `before` has as well is taken from there, the others are made as far as that goes at once.
pub(super) fn drafts(
    context: &ListenerContext,
    id: u64,
    listener: &model::Listener,
    before: Option<&Entry>,
) -> Result<Vec<ChainDraft>, StartError> {
    let known = |chain: &model::FilterChain| {
        let before = before?;
        let index = before.unit.config.filter_chains.iter().position(|known| known == chain)?;
        before.chains.get(index).map(|known| ChainDraft::Known(Rc::clone(known)))
    };
    let id = usize::try_from(id).unwrap_or(usize::MAX);
    let chains = listener.filter_chains.iter().enumerate();
    let draft = |(index, chain)| match known(chain) {
        Some(known) => Ok(known),
        None => NewChain::new(context, (id, index), listener, chain).map(|new| ChainDraft::New(Box::new(new))),
    };
    chains.map(draft).collect()
}

/// The chains of a listener of the bootstrap, which is at `index` there.
pub(super) fn static_drafts(
    context: &ListenerContext,
    index: usize,
    listener: &model::Listener,
    plugins: &Arc<Plugins>,
) -> Result<Vec<ChainDraft>, StartError> {
    let stat_name = listener_stat_name(listener);
    let chains = listener.filter_chains.iter().enumerate();
    let draft = |(chain_index, chain)| {
        let tls = crate::server::tls::load_chain(chain, &stat_name, &context.shared.stats)?;
        let plugins = ChainPlugins::OfBootstrap(Arc::clone(plugins));
        Ok(ChainDraft::New(Box::new(NewChain { place: (index, chain_index), tls, plugins })))
    };
    chains.map(draft).collect()
}

// === impl ChainDraft ===

impl ChainDraft {
    /// Waits until nothing is missing.
    pub(super) async fn finish(self, context: &ListenerContext) -> Rc<MainChain> {
        match self {
            Self::Known(known) => known,
            Self::New(new) => Rc::new(new.finish(context).await),
        }
    }
}

// === impl NewChain ===

impl NewChain {
    fn new(
        context: &ListenerContext,
        place: ChainPlace,
        listener: &model::Listener,
        chain: &model::FilterChain,
    ) -> Result<Self, StartError> {
        let ListenerContext { shared, environment, local, .. } = context;
        shared.logs.add(chain.access_logs().iter())?;
        let tls = crate::server::tls::load_chain(chain, &listener_stat_name(listener), &shared.stats)?;
        let plugins = PluginLoader::load_chain(place, chain, &shared.host, environment, &local.host)?;
        Ok(Self { place, tls, plugins: ChainPlugins::Own(plugins) })
    }

    async fn finish(self, context: &ListenerContext) -> MainChain {
        let Self { place, tls, plugins } = self;
        let ListenerContext { shared, environment, local, .. } = context;
        let (plugins, running) = match plugins {
            ChainPlugins::OfBootstrap(plugins) => (plugins, Running::default()),
            ChainPlugins::Own(mut plugins) => {
                plugins.fetch_now(&shared.host, environment, local).await;
                let (plugins, running) = plugins.finish();
                (Arc::new(plugins), running)
            }
        };
        MainChain { unit: Arc::new(ChainUnit { place, tls, plugins, routes: None }), _running: running }
    }
}
