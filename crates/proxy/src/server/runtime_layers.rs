//! Layers of the runtime from control planes and files (RTDS).

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use sandgate_config::ResourceLoader;
use sandgate_config::model::{Bootstrap, ConfigSource, RuntimeLayerKind};

use super::answered::Answered;
use crate::runtime::Runtime;
use crate::xds::{Names, ResourceType, Subscription, SubscriptionCallbacks, Update, XdsClient};

/// The layers of the bootstrap that come from elsewhere, on the main thread. Dropped, they stay as they are.
pub(super) struct RuntimeLayers(Vec<(Rc<Layer>, Subscription)>);

/// One of them.
struct Layer {
    /// Its place among all layers.
    index: usize,
    /// Of the resource, which may be another than the layer's.
    name: String,
    runtime: Arc<Runtime>,
    loader: ResourceLoader,
    answered: Answered,
}

// === impl RuntimeLayers ===

impl RuntimeLayers {
    /// Asks for all of them.
    pub(super) fn subscribe(bootstrap: &Bootstrap, client: &Rc<XdsClient>, runtime: &Arc<Runtime>) -> Self {
        let loader = bootstrap.resource_loader();
        let subscribe = |(index, (name, source)): (usize, (&String, &ConfigSource))| {
            let (runtime, loader) = (Arc::clone(runtime), loader.clone());
            let layer = Rc::new(Layer { index, name: name.clone(), runtime, loader, answered: Answered::default() });
            let names = Names::Set(BTreeSet::from([name.clone()]));
            let callbacks = Rc::<Layer>::clone(&layer);
            let subscription = client.subscribe(source, ResourceType::Runtime, names, "runtime.", callbacks);
            (layer, subscription)
        };
        let layers = bootstrap.layered_runtime.layers.iter().enumerate();
        let told = layers.filter_map(|(index, layer)| match &layer.kind {
            RuntimeLayerKind::Rtds { name, source } => Some((index, (name, source))),
            RuntimeLayerKind::Static(_) | RuntimeLayerKind::Admin => None,
        });
        Self(told.map(subscribe).collect())
    }

    /// Waits until each has come, or has taken too long.
    pub(super) async fn answered(&self) {
        for (layer, _) in &self.0 {
            layer.answered.wait().await;
        }
    }
}

// === impl Layer ===

impl Layer {
    fn take(&self, update: &Update) -> Result<(), String> {
        let name = &self.name;
        match (&*update.resources, &*update.removed) {
            ([resource], []) => {
                let Some(body) = &resource.body else { return Err(format!("{name}: the resource is empty")) };
                let loaded = self.loader.runtime(body).map_err(|refused| refused.detail())?;
                loaded.warnings.items().iter().for_each(|warning| log::warn!(target: "config", "{warning}"));
                if loaded.resource.name != *name {
                    return Err(format!("Unexpected RTDS runtime (expecting {name}): {}", loaded.resource.name));
                }
                self.runtime.set_layer(self.index, &loaded.resource.values);
            }
            ([], [removed]) if removed == name => self.runtime.set_layer(self.index, &[]),
            ([], [removed]) => {
                return Err(format!("Unexpected removal of unknown RTDS runtime layer {removed}, expected {name}"));
            }
            (resources, removed) => {
                let (added, removed) = (resources.len(), removed.len());
                return Err(format!(
                    "Unexpected RTDS resource length, number of added resources {added}, number of removed resources {removed}"
                ));
            }
        }
        Ok(())
    }
}

impl SubscriptionCallbacks for Layer {
    fn on_update(&self, update: &Update) -> Result<(), String> {
        let result = self.take(update);
        self.answered.set();
        result
    }

    fn on_fetch_timeout(&self) {
        self.answered.set();
    }
}
