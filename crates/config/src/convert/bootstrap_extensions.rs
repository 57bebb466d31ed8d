//! `bootstrap_extensions`: plugins that run beside the listeners, and the limits of all plugins.

use super::{
    Context, type_name,
    wasm::{WASM_SERVICE, wasm_service},
    wasm_limits::{WASM_LIMITS, WASM_PLUGINS, wasm_limits, wasm_plugins},
};
use crate::{
    model::{WasmLimits, WasmPluginSettings, WasmService},
    proto::envoy::config::core::v3::TypedExtensionConfig,
};

/// What the extensions of a bootstrap come to.
#[derive(Default)]
pub(super) struct BootstrapExtensions {
    pub(super) limits: WasmLimits,
    pub(super) plugins: Vec<WasmPluginSettings>,
    /// In order.
    pub(super) services: Vec<WasmService>,
}

/// There may be one extension with limits, one with settings of plugins, and any number of services, of equal names, too (as in Envoy).
pub(super) fn bootstrap_extensions(
    context: &mut Context<'_>,
    extensions: Vec<TypedExtensionConfig>,
) -> BootstrapExtensions {
    let mut all = BootstrapExtensions::default();
    let mut limits_set = false;
    let mut plugins_set = false;
    context.list("bootstrap_extensions", extensions, |context, extension| {
        let config = extension.typed_config.as_ref();
        match config.map(|config| (type_name(config), config)) {
            Some((WASM_LIMITS, config)) => {
                if std::mem::replace(&mut limits_set, true) {
                    context.error("the limits of plugins are set twice");
                }
                all.limits = context.field("typed_config", |context| {
                    let message = context.unpack(config)?;
                    Some(wasm_limits(context, message))
                })?;
            }
            Some((WASM_PLUGINS, config)) => {
                if std::mem::replace(&mut plugins_set, true) {
                    context.error("the settings of plugins are set twice");
                }
                all.plugins = context.field("typed_config", |context| {
                    let message = context.unpack(config)?;
                    Some(wasm_plugins(context, message))
                })?;
            }
            Some((WASM_SERVICE, config)) => all.services.push(wasm_service(context, config)?),
            _ => context.unknown_extension("bootstrap extension", &extension.name, config),
        }
        None::<()>
    });
    all
}
