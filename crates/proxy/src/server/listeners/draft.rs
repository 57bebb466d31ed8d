//! The filter chains of a listener that is being made.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use sandgate_config::model;

use super::ListenerContext;
use super::entry::{Entry, ListenerSource, MainChain};
use super::parts::Parts;
use crate::listener_tls::ListenerTls;
use crate::secrets::SecretUser;
use crate::server::StartError;
use crate::server::extensions::{DiscoveredEntry, ProvidedFilter, discovered_filters};
use crate::server::hcm::listener_stat_name;
use crate::server::plugins::{PluginLoader, Plugins, Running};
use crate::server::remote_code;
use crate::server::routes::ProvidedRoute;
use crate::server::secrets::SecretUse;
use crate::server::unit::{ChainPlace, ChainUnit, FilterPlace};

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
    /// Those of its TLS that come from elsewhere.
    secrets: Option<Rc<SecretUse>>,
    plugins: ChainPlugins,
    /// Where its routes come from if they are not part of the configuration.
    routes: Option<Rc<ProvidedRoute>>,
    /// The same of filters.
    extensions: Vec<(FilterPlace, Rc<ProvidedFilter>)>,
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
    (listener, serialized): (&model::Listener, &Bytes),
    before: Option<&Entry>,
) -> Result<Vec<ChainDraft>, StartError> {
    let parts = Parts::of(serialized).unwrap_or_default();
    // Connections on chains that both have need not notice if nothing else differs.
    let before = before.and_then(|before| match &before.source {
        ListenerSource::Provided(view) => Some((Parts::of(&view.serialized)?, &before.chains)),
        ListenerSource::Static => None,
    });
    let before = before.filter(|(before, _)| before.rest == parts.rest);
    let known = |index: usize| {
        let (chain, (before, chains)) = (parts.chains.get(index)?, before.as_ref()?);
        let known = before.chains.iter().position(|known| known == chain)?;
        chains.get(known).map(|known| ChainDraft::Known(Rc::clone(known)))
    };
    let id = usize::try_from(id).unwrap_or(usize::MAX);
    let chains = listener.filter_chains.iter().enumerate();
    let draft = |(index, chain)| match known(index) {
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
        let secrets = secrets(context, chain, tls.as_ref())?;
        let plugins = ChainPlugins::OfBootstrap(Arc::clone(plugins));
        let routes = routes(context, chain);
        let extensions = extensions(context, chain)?;
        Ok(ChainDraft::New(Box::new(NewChain {
            place: (index, chain_index),
            tls,
            secrets,
            plugins,
            routes,
            extensions,
        })))
    };
    chains.map(draft).collect()
}

/// Asks for the routes of a chain.
fn routes(context: &ListenerContext, chain: &model::FilterChain) -> Option<Rc<ProvidedRoute>> {
    let manager = chain.http_connection_manager()?;
    Some(context.routes.get(manager.rds.as_ref()?, &manager.stat_prefix))
}

/// Asks for the configurations of its filters that stand elsewhere.
fn extensions(
    context: &ListenerContext,
    chain: &model::FilterChain,
) -> Result<Vec<(FilterPlace, Rc<ProvidedFilter>)>, StartError> {
    let get = |(place, filter): (_, DiscoveredEntry<'_>)| {
        let DiscoveredEntry { name, discovery, origin } = filter;
        Ok((place, context.extensions.get(name, discovery, origin)?))
    };
    discovered_filters(chain).map(get).collect()
}

/// Asks for the secrets of a chain's TLS.
fn secrets(
    context: &ListenerContext,
    chain: &model::FilterChain,
    tls: Option<&Arc<ListenerTls>>,
) -> Result<Option<Rc<SecretUse>>, StartError> {
    let Some(tls) = tls else { return Ok(None) };
    let user = Arc::<ListenerTls>::clone(tls) as Arc<dyn SecretUser>;
    let secrets = context.secrets.get(&user).map_err(|source| {
        let origin = chain.tls.as_ref().map(|tls| tls.origin.clone()).unwrap_or_default();
        StartError::Tls { origin: Box::new(origin), source }
    })?;
    if let Some(secrets) = &secrets {
        secrets.start();
    }
    Ok(secrets)
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
        let plugins = PluginLoader::load_chain(place, chain, &shared.host, environment, &local.host)
            .inspect_err(|error| remote_code::fetch_for_the_next(error, (&shared.host, environment), local))?;
        let secrets = secrets(context, chain, tls.as_ref())?;
        let routes = routes(context, chain);
        let extensions = extensions(context, chain)?;
        Ok(Self { place, tls, secrets, plugins: ChainPlugins::Own(plugins), routes, extensions })
    }

    async fn finish(self, context: &ListenerContext) -> MainChain {
        let Self { place, tls, secrets, plugins, routes, extensions } = self;
        let ListenerContext { shared, environment, local, .. } = context;
        let (plugins, running) = match plugins {
            ChainPlugins::OfBootstrap(plugins) => (plugins, Running::default()),
            ChainPlugins::Own(mut plugins) => {
                plugins.fetch_now(&shared.host, environment, local).await;
                let (plugins, running) = plugins.finish();
                (Arc::new(plugins), running)
            }
        };
        if let Some(secrets) = &secrets {
            secrets.answered().await;
        }
        if let Some(routes) = &routes {
            routes.answered().await;
        }
        for (_, filter) in &extensions {
            filter.settled().await;
        }
        let provider = routes.as_ref().map(|routes| Arc::clone(&routes.provider));
        let slots = extensions.iter().map(|(at, filter)| (*at, Arc::clone(&filter.slot))).collect();
        let unit = Arc::new(ChainUnit { place, tls, plugins, routes: provider, extensions: slots });
        let extensions = extensions.into_iter().map(|(_, filter)| filter).collect();
        MainChain { unit, _running: running, _routes: routes, _extensions: extensions, _secrets: secrets }
    }
}
