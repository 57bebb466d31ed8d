//! What the start waits for while the main loop runs already: layers of the runtime, clusters, then listeners.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use sandgate_config::model::Bootstrap;

use crate::lifecycle::{Lifecycle, ServerState};
use crate::listener::BoundListener;
use crate::server::StartError;
use crate::server::clusters::Clusters;
use crate::server::listeners::{Lds, ListenerManager};
use crate::server::plugins::Plugins;
use crate::server::runtime_layers::RuntimeLayers;
use crate::xds::{Names, ResourceType, Subscription, XdsClient};

/// What of the configuration comes from elsewhere.
pub(super) struct Dynamic {
    pub(super) client: Rc<XdsClient>,
    pub(super) clusters: Rc<Clusters>,
    pub(super) listeners: Rc<ListenerManager>,
    lifecycle: Arc<Lifecycle>,
    /// Who is asked for layers of the runtime.
    runtime: RefCell<Option<Rc<RuntimeLayers>>>,
    /// Who is asked for listeners.
    lds: RefCell<Option<Subscription>>,
}

/// The listeners of the bootstrap, before anything was made of them.
pub(super) struct StaticListeners {
    pub(super) bound: Vec<BoundListener>,
    pub(super) plugins: Arc<Plugins>,
}

// === impl Dynamic ===

impl Dynamic {
    pub(super) fn new(
        client: Rc<XdsClient>,
        clusters: Rc<Clusters>,
        listeners: Rc<ListenerManager>,
        lifecycle: &Arc<Lifecycle>,
    ) -> Rc<Self> {
        let lifecycle = Arc::clone(lifecycle);
        Rc::new(Self { client, clusters, listeners, lifecycle, runtime: RefCell::default(), lds: RefCell::default() })
    }

    /// Waits for layers of the runtime, then for clusters and then for listeners until each is there, or has taken too long.
    pub(super) async fn initialize(
        self: Rc<Self>,
        bootstrap: Arc<super::Shared>,
        listeners: StaticListeners,
    ) -> Result<(), StartError> {
        let StaticListeners { bound, plugins } = listeners;
        let runtime = Rc::new(RuntimeLayers::subscribe(&bootstrap.bootstrap, &self.client, &bootstrap.runtime));
        self.runtime.replace(Some(Rc::clone(&runtime)));
        runtime.answered().await;
        Rc::clone(&self.clusters).discover().await;
        self.lifecycle.set(ServerState::Initializing);
        for (index, bound) in bound.into_iter().enumerate() {
            self.listeners.add_static(index, bound, &plugins)?;
        }
        if let Some(lds) = self.subscribe(&bootstrap.bootstrap) {
            lds.answered().await;
        }
        Rc::clone(&self.listeners).settled().await
    }

    /// Asks for listeners, if somebody is there to be asked.
    fn subscribe(&self, bootstrap: &Bootstrap) -> Option<Rc<Lds>> {
        let source = bootstrap.dynamic_resources.lds.as_ref()?;
        let lds = Lds::new(&self.listeners, bootstrap.resource_loader());
        let callbacks = Rc::<Lds>::clone(&lds);
        let prefix = "listener_manager.lds.";
        let subscription = self.client.subscribe(source, ResourceType::Listener, Names::Wildcard, prefix, callbacks);
        self.lds.replace(Some(subscription));
        Some(lds)
    }
}
