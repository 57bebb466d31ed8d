//! Runtime values.

use std::{collections::HashSet, fmt::Write as _};

use prost_types::{Struct, Value, value::Kind};

use super::{
    Context,
    config_source::{config_source, resource_name},
};
use crate::{
    model::{
        FractionalPercent, LayeredRuntime, RuntimeDouble, RuntimeFeatureFlag, RuntimeFractionalPercent, RuntimeLayer,
        RuntimeLayerKind, RuntimeUInt32, RuntimeValue,
    },
    proto::envoy::{
        config::{bootstrap::v3 as proto, core::v3 as core},
        r#type::v3 as types,
    },
};

const RUNTIME: &str = "envoy.service.runtime.v3.Runtime";

/// Converts the layers.
pub(super) fn layered_runtime(context: &mut Context<'_>, message: proto::LayeredRuntime) -> LayeredRuntime {
    let (mut names, mut has_admin) = (HashSet::new(), false);
    let layers = context.list("layers", message.layers, |context, message| {
        if !names.insert(message.name.clone()) {
            context.error(format!("Duplicate layer name: {}", message.name));
        }
        use proto::runtime_layer::LayerSpecifier;
        let kind = match context.required("a kind of layer", message.layer_specifier)? {
            LayerSpecifier::StaticLayer(values) => {
                RuntimeLayerKind::Static(context.field("static_layer", |context| static_layer(context, values)))
            }
            LayerSpecifier::AdminLayer(_) => {
                if std::mem::replace(&mut has_admin, true) {
                    let message = "Too many admin layers specified in LayeredRuntime, at most one may be specified";
                    context.error(message);
                }
                RuntimeLayerKind::Admin
            }
            LayerSpecifier::RtdsLayer(message) => context.field("rtds_layer", |context| {
                resource_name(context, "name", &message.name);
                let source = context.required("rtds_config", message.rtds_config)?;
                let source = context.field("rtds_config", |context| config_source(context, source, RUNTIME))?;
                Some(RuntimeLayerKind::Rtds { name: message.name, source })
            })?,
        };
        Some(RuntimeLayer { name: message.name, kind, origin: context.origin() })
    });
    LayeredRuntime { layers: if layers.is_empty() { vec![RuntimeLayer::default()] } else { layers } }
}

pub(super) fn static_layer(context: &mut Context<'_>, message: Struct) -> Vec<(String, RuntimeValue)> {
    let mut values = Vec::new();
    for (key, value) in message.fields {
        walk(context, &mut values, key, value);
    }
    values
}

fn walk(context: &mut Context<'_>, values: &mut Vec<(String, RuntimeValue)>, key: String, value: Value) {
    match runtime_value(value) {
        Ok(value) => values.push((key, value)),
        Err(Some(inner)) => {
            for (name, value) in inner.fields {
                walk(context, values, format!("{key}.{name}"), value);
            }
        }
        Err(None) => context.error(format!("Invalid runtime entry value for {key}")),
    }
}

/// The value, if it is one; else the values that are in it, if it is a structure.
pub(crate) fn runtime_value(value: Value) -> Result<RuntimeValue, Option<Struct>> {
    match value.kind {
        Some(Kind::NumberValue(number)) => Ok(RuntimeValue::Number(number)),
        Some(Kind::BoolValue(value)) => Ok(RuntimeValue::Bool(value)),
        Some(Kind::StringValue(text)) => Ok(RuntimeValue::Text(text)),
        Some(Kind::StructValue(inner)) => {
            let is_value = inner.fields.is_empty()
                || ["numerator", "denominator"].iter().any(|name| inner.fields.contains_key(*name));
            if !is_value {
                return Err(Some(inner));
            }
            let mut debug = String::new();
            debug_struct(&inner, 0, &mut debug);
            Ok(RuntimeValue::Struct { fraction: fraction(&inner), debug })
        }
        Some(Kind::NullValue(_) | Kind::ListValue(_)) | None => Err(None),
    }
}

/// What a structure means as a fraction. Anything else in it, and it is none (observed in Envoy 1.40).
fn fraction(value: &Struct) -> Option<FractionalPercent> {
    let mut fraction = FractionalPercent { numerator: 0, denominator: 100 };
    for (name, value) in &value.fields {
        match (name.as_str(), &value.kind) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "as Envoy does; a value out of range is held at the end of it"
            )]
            ("numerator", Some(Kind::NumberValue(number))) => fraction.numerator = *number as u32,
            ("numerator", _) => {}
            ("denominator", Some(Kind::StringValue(text))) => {
                fraction.denominator = match text.as_str() {
                    "HUNDRED" => 100,
                    "TEN_THOUSAND" => 10_000,
                    "MILLION" => 1_000_000,
                    _ => return None,
                };
            }
            _ => return None,
        }
    }
    Some(fraction)
}

/// Protobuf's text format.
fn debug_struct(value: &Struct, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    for (name, value) in &value.fields {
        let _ = writeln!(out, "{indent}fields {{\n{indent}  key: {name:?}\n{indent}  value {{");
        debug_value(value, depth.saturating_add(2), out);
        let _ = writeln!(out, "{indent}  }}\n{indent}}}");
    }
}

fn debug_value(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    let _ = match &value.kind {
        Some(Kind::NumberValue(number)) => writeln!(out, "{indent}number_value: {number}"),
        Some(Kind::BoolValue(value)) => writeln!(out, "{indent}bool_value: {value}"),
        Some(Kind::StringValue(text)) => writeln!(out, "{indent}string_value: {text:?}"),
        Some(Kind::NullValue(_)) => writeln!(out, "{indent}null_value: NULL_VALUE"),
        Some(Kind::StructValue(inner)) => {
            let _ = writeln!(out, "{indent}struct_value {{");
            debug_struct(inner, depth.saturating_add(1), out);
            writeln!(out, "{indent}}}")
        }
        Some(Kind::ListValue(list)) => {
            let _ = writeln!(out, "{indent}list_value {{");
            for value in &list.values {
                let _ = writeln!(out, "{indent}  values {{");
                debug_value(value, depth.saturating_add(2), out);
                let _ = writeln!(out, "{indent}  }}");
            }
            writeln!(out, "{indent}}}")
        }
        None => Ok(()),
    };
}

// === impl FractionalPercent ===

impl From<types::FractionalPercent> for FractionalPercent {
    fn from(message: types::FractionalPercent) -> Self {
        use types::fractional_percent::DenominatorType;
        let denominator = match DenominatorType::try_from(message.denominator) {
            Ok(DenominatorType::TenThousand) => 10_000,
            Ok(DenominatorType::Million) => 1_000_000,
            Ok(DenominatorType::Hundred) | Err(_) => 100,
        };
        Self { numerator: message.numerator, denominator }
    }
}

// === impl RuntimeFractionalPercent ===

impl From<core::RuntimeFractionalPercent> for RuntimeFractionalPercent {
    /// A rule has seen that there is a default.
    fn from(message: core::RuntimeFractionalPercent) -> Self {
        Self { default: message.default_value.unwrap_or_default().into(), key: message.runtime_key }
    }
}

// === impl RuntimeUInt32 ===

impl From<core::RuntimeUInt32> for RuntimeUInt32 {
    fn from(message: core::RuntimeUInt32) -> Self {
        Self { default: message.default_value, key: message.runtime_key }
    }
}

// === impl RuntimeDouble ===

impl From<core::RuntimeDouble> for RuntimeDouble {
    fn from(message: core::RuntimeDouble) -> Self {
        Self { default: message.default_value, key: message.runtime_key }
    }
}

impl From<core::RuntimePercent> for RuntimeDouble {
    fn from(message: core::RuntimePercent) -> Self {
        Self { default: message.default_value.unwrap_or_default().value, key: message.runtime_key }
    }
}

// === impl RuntimeFeatureFlag ===

impl From<core::RuntimeFeatureFlag> for RuntimeFeatureFlag {
    /// A rule has seen that there is a default.
    fn from(message: core::RuntimeFeatureFlag) -> Self {
        Self { default: message.default_value.unwrap_or_default(), key: message.runtime_key }
    }
}
