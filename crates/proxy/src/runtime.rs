//! Runtime values: settings that can be changed while the process runs.
//!
//! Values stand in layers, of which a later one hides the earlier ones. All threads read one immutable snapshot; `/runtime_modify`
//! and what control planes tell of a layer put another in its place.

mod entry;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use sandgate_config::model::{
    LayeredRuntime, RuntimeDouble, RuntimeFeatureFlag, RuntimeFractionalPercent, RuntimeLayerKind, RuntimeUInt32,
    RuntimeValue,
};
use sandgate_config::parse_runtime_value;

use entry::Entry;

/// The runtime values of a process. Reading one costs nothing as long as there are none.
#[derive(Debug)]
pub struct Runtime {
    /// Nothing has a value.
    empty: AtomicBool,
    values: ArcSwap<HashMap<String, Entry>>,
    layers: Mutex<Vec<Layer>>,
    loads: AtomicU64,
}

#[derive(Debug)]
struct Layer {
    name: String,
    is_admin: bool,
    values: BTreeMap<String, Entry>,
}

/// Why values cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    /// The configuration has layers, and none of them is the admin's.
    #[error("No admin layer specified")]
    NoAdminLayer,
    /// What is set is no YAML.
    #[error("{0}")]
    Value(String),
}

/// What `/runtime` and the stats show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RuntimeView {
    /// Names, in order.
    pub(crate) layers: Vec<String>,
    /// By key: what each layer says, empty if nothing.
    pub(crate) entries: BTreeMap<String, Vec<String>>,
    /// The admin layer has values.
    pub(crate) admin_overrides: bool,
    /// Snapshots made.
    pub(crate) loads: u64,
}

// === impl Runtime ===

impl Runtime {
    /// The values of a configuration.
    #[must_use]
    pub fn new(config: &LayeredRuntime) -> Self {
        let layers = config.layers.iter().map(|layer| Layer {
            name: layer.name.clone(),
            is_admin: layer.kind == RuntimeLayerKind::Admin,
            values: match &layer.kind {
                RuntimeLayerKind::Static(values) => entries(values),
                RuntimeLayerKind::Admin | RuntimeLayerKind::Rtds { .. } => BTreeMap::new(),
            },
        });
        let layers: Vec<_> = layers.collect();
        // Envoy makes a snapshot at first and another when all layers of control planes have come, of which there need be none.
        let loads = AtomicU64::new(2);
        let values = merge(&layers);
        Self {
            empty: AtomicBool::new(values.is_empty()),
            values: ArcSwap::from_pointee(values),
            layers: Mutex::new(layers),
            loads,
        }
    }

    /// Whether a feature is on for a random number. A whole number as value is a percentage, and on if it is more than 100.
    #[must_use]
    pub fn feature_enabled(&self, percent: &RuntimeFractionalPercent, random: u64) -> bool {
        self.with(&percent.key, |entry| entry.fraction()).unwrap_or(percent.default).contains(random)
    }

    /// A whole number.
    #[must_use]
    pub fn integer(&self, key: &str, default: u64) -> u64 {
        self.with(key, |entry| entry.integer).unwrap_or(default)
    }

    /// A number with 32 bits; of a greater value only the lower bits count, as in Envoy.
    #[must_use]
    pub fn uint32(&self, value: &RuntimeUInt32) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "as Envoy does")]
        self.with(&value.key, |entry| entry.integer).map_or(value.default, |value| value as u32)
    }

    /// A number.
    #[must_use]
    pub fn double(&self, value: &RuntimeDouble) -> f64 {
        self.number(&value.key, value.default)
    }

    /// A number of that name.
    #[must_use]
    pub fn number(&self, key: &str, default: f64) -> f64 {
        self.with(key, |entry| entry.number).unwrap_or(default)
    }

    /// Whether a feature of that name is on this time: the value is how often in a hundred it is. Draws no random number for
    /// what is always or never on.
    #[must_use]
    pub fn feature(&self, key: &str, default_percent: u64) -> bool {
        match self.integer(key, default_percent) {
            0 => false,
            100.. => true,
            percent => fastrand::u64(..100) < percent,
        }
    }

    /// A switch.
    #[must_use]
    pub fn flag(&self, flag: &RuntimeFeatureFlag) -> bool {
        self.boolean(&flag.key, flag.default)
    }

    /// A switch of that name.
    #[must_use]
    pub fn boolean(&self, key: &str, default: bool) -> bool {
        self.with(key, |entry| entry.boolean).unwrap_or(default)
    }

    /// Sets values of the admin layer; an empty one takes a value away. The values are pieces of YAML.
    ///
    /// # Errors
    /// There is no admin layer, or a value cannot be read: then nothing changes.
    pub fn merge(&self, values: &[(String, String)]) -> Result<(), RuntimeError> {
        let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        let admin = layers.iter_mut().find(|layer| layer.is_admin).ok_or(RuntimeError::NoAdminLayer)?;
        let mut merged = admin.values.clone();
        // Of two values with one name Envoy takes the first.
        for (index, (key, text)) in values.iter().enumerate() {
            if values.iter().take(index).any(|(earlier, _)| earlier == key) {
                continue;
            }
            merged.remove(key);
            if !text.is_empty() {
                let value = parse_runtime_value(text).map_err(RuntimeError::Value)?;
                merged.insert(key.clone(), Entry::new(&value, Some(text)));
            }
        }
        admin.values = merged;
        self.publish(&layers);
        Ok(())
    }

    /// Replaces all values of the layer at that place; nothing if there is none.
    pub(crate) fn set_layer(&self, index: usize, values: &[(String, RuntimeValue)]) {
        let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(layer) = layers.get_mut(index) {
            layer.values = entries(values);
        }
        self.publish(&layers);
    }

    fn publish(&self, layers: &[Layer]) {
        let values = merge(layers);
        self.empty.store(values.is_empty(), Relaxed);
        self.values.store(Arc::new(values));
        self.loads.fetch_add(1, Relaxed);
    }

    pub(crate) fn view(&self) -> RuntimeView {
        let layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (index, layer) in layers.iter().enumerate() {
            for (key, entry) in &layer.values {
                let row = entries.entry(key.clone()).or_insert_with(|| vec![String::new(); layers.len()]);
                if let Some(cell) = row.get_mut(index) {
                    cell.clone_from(&entry.raw);
                }
            }
        }
        RuntimeView {
            layers: layers.iter().map(|layer| layer.name.clone()).collect(),
            entries,
            admin_overrides: layers.iter().any(|layer| layer.is_admin && !layer.values.is_empty()),
            loads: self.loads.load(Relaxed),
        }
    }

    fn with<T>(&self, key: &str, read: impl FnOnce(&Entry) -> Option<T>) -> Option<T> {
        if self.empty.load(Relaxed) || key.is_empty() {
            return None;
        }
        self.values.load().get(key).and_then(read)
    }
}

impl Default for Runtime {
    fn default() -> Self {
        Self::new(&LayeredRuntime::default())
    }
}

fn entries(values: &[(String, RuntimeValue)]) -> BTreeMap<String, Entry> {
    values.iter().map(|(key, value)| (key.clone(), Entry::new(value, None))).collect()
}

fn merge(layers: &[Layer]) -> HashMap<String, Entry> {
    layers.iter().flat_map(|layer| &layer.values).map(|(key, entry)| (key.clone(), entry.clone())).collect()
}

#[cfg(test)]
mod tests;
