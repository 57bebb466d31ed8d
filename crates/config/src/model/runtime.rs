//! Runtime values, and settings that they can change.

use super::{ConfigSource, Origin};

/// Envoy's `envoy.config.bootstrap.v3.LayeredRuntime`: values of a later layer hide those of an earlier one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayeredRuntime {
    /// In order. A message without layers has one, the admin's, without a name; where there is no message there is no layer (observed in
    /// Envoy 1.40).
    pub layers: Vec<RuntimeLayer>,
}

/// Envoy's `envoy.config.bootstrap.v3.RuntimeLayer`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuntimeLayer {
    /// Unique.
    pub name: String,
    /// What is in it.
    pub kind: RuntimeLayerKind,
    /// Where it stands.
    pub origin: Origin,
}

/// Where the values of a layer come from.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum RuntimeLayerKind {
    /// `static_layer`: keys with their structure written with dots, in the order of the keys.
    Static(Vec<(String, RuntimeValue)>),
    /// `admin_layer`: what `/runtime_modify` sets. At most one layer is.
    #[default]
    Admin,
    /// `rtds_layer`: what a control plane or a file tells; empty until then.
    Rtds {
        /// The resource's name.
        name: String,
        /// Who tells it.
        source: ConfigSource,
    },
}

/// One value, as the schema-less message that it is in Envoy.
#[derive(Clone, Debug, PartialEq)]
pub enum RuntimeValue {
    /// `number_value`.
    Number(f64),
    /// `bool_value`.
    Bool(bool),
    /// `string_value`.
    Text(String),
    /// `struct_value` with a `numerator` or a `denominator`, or with nothing in it.
    Struct {
        /// What it means, if it is a fraction with nothing else in it.
        fraction: Option<FractionalPercent>,
        /// How Envoy shows it, after the marker that Envoy puts in front.
        debug: String,
    },
}

/// Envoy's `envoy.type.v3.FractionalPercent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FractionalPercent {
    /// May be more than `denominator`: then it is always.
    pub numerator: u32,
    /// 100, 10 000 or 1 000 000.
    pub denominator: u32,
}

/// Envoy's `envoy.config.core.v3.RuntimeFractionalPercent`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeFractionalPercent {
    /// Unless the runtime has a value.
    pub default: FractionalPercent,
    /// May be empty: then there is only the default.
    pub key: String,
}

/// Envoy's `envoy.config.core.v3.RuntimeUInt32`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeUInt32 {
    /// Unless the runtime has a value.
    pub default: u32,
    /// May be empty.
    pub key: String,
}

/// Envoy's `envoy.config.core.v3.RuntimeDouble`, and `RuntimePercent`, where it is a percentage.
#[derive(Clone, Debug, PartialEq)]
pub struct RuntimeDouble {
    /// Unless the runtime has a value.
    pub default: f64,
    /// May be empty.
    pub key: String,
}

/// Envoy's `envoy.config.core.v3.RuntimeFeatureFlag`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeFeatureFlag {
    /// Unless the runtime has a value.
    pub default: bool,
    /// May be empty.
    pub key: String,
}

// === impl FractionalPercent ===

impl FractionalPercent {
    /// Always.
    pub const ALWAYS: Self = Self { numerator: 100, denominator: 100 };

    /// Whether a random number falls into it.
    #[must_use]
    pub fn contains(self, random: u64) -> bool {
        random.checked_rem(self.denominator.into()).is_some_and(|rest| rest < self.numerator.into())
    }
}
