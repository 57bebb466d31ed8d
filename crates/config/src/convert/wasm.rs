//! Plugins.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use prost::Message as _;
use prost_types::Any;
use sandgate_abi::Capabilities;

use super::{
    Context,
    source::{self, Data},
    type_name,
};
use crate::{
    model::{CodeSource, FailurePolicy, RemoteCode, VmConfig, WasmPlugin, WasmService},
    proto::envoy::{
        config::core::v3::{
            AsyncDataSource, RemoteDataSource, async_data_source::Specifier, http_uri::HttpUpstreamType,
        },
        extensions::access_loggers::wasm::v3::WasmAccessLog,
        extensions::filters::http::wasm::v3::Wasm,
        extensions::filters::network::wasm::v3::Wasm as NetworkWasm,
        extensions::stat_sinks::wasm::v3::Wasm as WasmStatsSink,
        extensions::wasm::v3::{
            self as proto, CapabilityRestrictionConfig, EnvironmentVariables, FailurePolicy as Policy, ReloadConfig,
            plugin_config::Vm,
        },
    },
    report::key_path,
    suggest::{shown, suggest},
};

/// Envoy's first wait between two tries to fetch code.
const REMOTE_BASE: Duration = Duration::from_secs(1);
/// The type of a plugin as an HTTP filter.
pub(super) const WASM_FILTER: &str = "envoy.extensions.filters.http.wasm.v3.Wasm";
/// The type of a plugin as a network filter.
pub(super) const WASM_NETWORK_FILTER: &str = "envoy.extensions.filters.network.wasm.v3.Wasm";
/// The type of a plugin that stands beside the listeners.
pub(super) const WASM_SERVICE: &str = "envoy.extensions.wasm.v3.WasmService";
/// The type of a plugin that hears of the entries of an access log.
pub(super) const WASM_ACCESS_LOG: &str = "envoy.extensions.access_loggers.wasm.v3.WasmAccessLog";
/// The type of a plugin that is shown stats.
pub(super) const WASM_STATS_SINK: &str = "envoy.extensions.stat_sinks.wasm.v3.Wasm";
const NULL_RUNTIME: &str = "envoy.wasm.runtime.null";

/// Converts the configuration of an HTTP filter of that type, which stands before the router or in front of hosts.
pub(super) fn wasm_filter(context: &mut Context<'_>, config: &Any) -> Option<WasmPlugin> {
    let wasm: Wasm = context.unpack(config)?;
    context.field("config", |context| wasm_plugin(context, wasm.config.unwrap_or_default()))
}

/// Converts what is in the `typed_config` of an access logger of that type.
pub(super) fn wasm_access_log(context: &mut Context<'_>, config: &Any) -> Option<WasmPlugin> {
    context.field("typed_config", |context| {
        let log: WasmAccessLog = context.unpack(config)?;
        context.field("config", |context| wasm_plugin(context, log.config.unwrap_or_default()))
    })
}

/// Converts what is in the `typed_config` of a stats sink of that type.
pub(super) fn wasm_stats_sink(context: &mut Context<'_>, config: &Any) -> Option<WasmPlugin> {
    context.field("typed_config", |context| {
        let sink: WasmStatsSink = context.unpack(config)?;
        context.field("config", |context| wasm_plugin(context, sink.config.unwrap_or_default()))
    })
}

/// The same of a network filter.
pub(super) fn wasm_network_filter(context: &mut Context<'_>, config: &Any) -> Option<WasmPlugin> {
    let wasm: NetworkWasm = context.unpack(config)?;
    context.field("config", |context| wasm_plugin(context, wasm.config.unwrap_or_default()))
}

/// Converts what is in the `typed_config` of a bootstrap extension of that type.
pub(super) fn wasm_service(context: &mut Context<'_>, config: &Any) -> Option<WasmService> {
    context.field("typed_config", |context| {
        let proto::WasmService { config, singleton } = context.unpack(config)?;
        let plugin = context.field("config", |context| wasm_plugin(context, config.unwrap_or_default()))?;
        Some(WasmService { plugin, singleton })
    })
}

/// Converts a plugin.
pub(super) fn wasm_plugin(context: &mut Context<'_>, message: proto::PluginConfig) -> Option<WasmPlugin> {
    let (identity, vm_identity) = identities(&message);
    let configuration = any_bytes(context, "configuration", message.configuration.as_ref());
    let failure_policy = failure_policy(context, message.failure_policy, message.fail_open);
    let reload_backoff = message.reload_config.and_then(|reload| {
        let ReloadConfig { backoff } = reload;
        context.field("reload_config", |context| {
            context.field("backoff", |context| context.duration("base_interval", backoff?.base_interval))
        })
    });
    let origin = context.origin();
    let mut vm = match message.vm {
        Some(Vm::VmConfig(vm)) => vm,
        None => proto::VmConfig::default(),
    };
    let old = message.capability_restriction_config.map(|restriction| capabilities(context, restriction));
    let own = vm.capability_restriction_config.take();
    let vm = context.field("vm_config", |context| {
        let own = own.map(|restriction| capabilities(context, restriction));
        vm_config(context, vm, &message.name, own.or(old).unwrap_or_default())
    });
    let vm = VmConfig { identity: vm_identity, ..vm? };
    context.plugins.push([message.name.clone(), message.root_id.clone(), vm.vm_id.clone()]);
    Some(WasmPlugin {
        identity,
        name: message.name,
        root_id: message.root_id,
        vm,
        configuration: configuration?,
        failure_policy: failure_policy?,
        fail_open: message.fail_open,
        reload_backoff: reload_backoff.unwrap_or(Duration::from_secs(1)),
        allow_on_headers_stop_iteration: message.allow_on_headers_stop_iteration.unwrap_or(false),
        origin,
    })
}

/// What tells a plugin from others, and its VM from other VMs, beside what is looked at field by field.
fn identities(message: &proto::PluginConfig) -> (Bytes, Bytes) {
    let plugin = proto::PluginConfig { vm: None, ..message.clone() }.encode_to_vec();
    let environment = match &message.vm {
        Some(Vm::VmConfig(vm)) => vm.environment_variables.clone(),
        None => None,
    };
    // An empty message is as none.
    (plugin.into(), environment.unwrap_or_default().encode_to_vec().into())
}

/// Envoy does not check the names: one that means nothing allows nothing.
fn capabilities(context: &mut Context<'_>, message: CapabilityRestrictionConfig) -> Capabilities {
    let CapabilityRestrictionConfig { allowed_capabilities } = message;
    context.field("capability_restriction_config", |context| {
        for name in allowed_capabilities.keys().filter(|name| Capabilities::names().all(|known| known != *name)) {
            let meant = Capabilities::names().find(|known| known.strip_prefix("proxy_") == Some(name));
            let meant = meant.map(str::to_owned).or_else(|| suggest(name, Capabilities::names().map(str::to_owned)));
            let meant = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
            let field = key_path("allowed_capabilities", name);
            context.warning_at(&field, format!("there is no capability {}{meant}", shown(name)));
        }
    });
    Capabilities::only(allowed_capabilities.into_keys())
}

fn failure_policy(context: &mut Context<'_>, policy: i32, fail_open: bool) -> Option<FailurePolicy> {
    let policy = match Policy::try_from(policy) {
        Ok(Policy::Unspecified) if fail_open => return Some(FailurePolicy::FailOpen),
        Ok(Policy::Unspecified) => return Some(FailurePolicy::FailClosed),
        Ok(Policy::FailReload) => FailurePolicy::FailReload,
        Ok(Policy::FailClosed) => FailurePolicy::FailClosed,
        Ok(Policy::FailOpen) => FailurePolicy::FailOpen,
        Err(_) => {
            context.error_at("failure_policy", "unknown failure policy");
            return None;
        }
    };
    if fail_open {
        context.error_at("fail_open", "only one of fail_open or failure_policy can be set");
        return None;
    }
    Some(policy)
}

fn vm_config(
    context: &mut Context<'_>,
    message: proto::VmConfig,
    plugin: &str,
    capabilities: Capabilities,
) -> Option<VmConfig> {
    let configuration = any_bytes(context, "configuration", message.configuration.as_ref());
    let environment = environment(context, message.environment_variables.unwrap_or_default(), &message.runtime, plugin);
    let (code, code_origin) = context
        .field("code", |context| (code(context, message.code, message.nack_on_code_cache_miss), context.origin()));
    Some(VmConfig {
        vm_id: message.vm_id,
        runtime: message.runtime,
        code: code?,
        code_origin,
        configuration: configuration?,
        environment: environment?,
        identity: Bytes::new(),
        capabilities,
    })
}

fn code(context: &mut Context<'_>, code: Option<AsyncDataSource>, nack: bool) -> Option<CodeSource> {
    let source = match code.and_then(|code| code.specifier) {
        Some(Specifier::Local(source)) => source,
        Some(Specifier::Remote(remote)) => {
            context.warning_at("remote", "whether this code can be had and run is known only once it has been fetched");
            return context.field("remote", |context| remote_code(context, remote, nack));
        }
        None if context.report.has_errors() => return None,
        None => {
            context.error("the plugin has no code");
            return None;
        }
    };
    context.field("local", |context| match source::data(context, source)? {
        Data::File(path) => Some(CodeSource::File(path)),
        Data::Inline(bytes) if bytes.is_empty() => {
            context.error("the plugin's code is empty");
            None
        }
        Data::Inline(bytes) => Some(CodeSource::Inline(bytes)),
    })
}

fn remote_code(context: &mut Context<'_>, message: RemoteDataSource, nack: bool) -> Option<CodeSource> {
    let uri = context.required("http_uri", message.http_uri)?;
    let Some(HttpUpstreamType::Cluster(cluster)) = uri.http_upstream_type else { return None };
    let timeout = context.field("http_uri", |context| context.duration("timeout", uri.timeout));
    let policy = message.retry_policy.unwrap_or_default();
    let (base_interval, max_interval) = context.field("retry_policy", |context| {
        let Some(back_off) = policy.retry_back_off else { return Some((REMOTE_BASE, REMOTE_BASE * 10)) };
        context.field("retry_back_off", |context| {
            let base = context.duration("base_interval", back_off.base_interval)?;
            let longest = base.saturating_mul(10);
            let max = if back_off.max_interval.is_some() {
                context.duration("max_interval", back_off.max_interval)?
            } else {
                longest
            };
            if max < base {
                context.error("max_interval must be greater than or equal to the base_interval");
            }
            Some((base, max))
        })
    })?;
    Some(CodeSource::Remote(Box::new(RemoteCode {
        uri: uri.uri,
        cluster,
        timeout: timeout?,
        sha256: message.sha256,
        num_retries: policy.num_retries.unwrap_or(1),
        base_interval,
        max_interval,
        nack_on_cache_miss: nack,
    })))
}

/// The content of a string or bytes value; of anything else the message, serialized.
fn any_bytes(context: &mut Context<'_>, field: &str, any: Option<&Any>) -> Option<Bytes> {
    let Some(any) = any else { return Some(Bytes::new()) };
    let name = type_name(any);
    context.field(field, |context| match name {
        "google.protobuf.StringValue" => context.unpack::<String>(any).map(Bytes::from),
        "google.protobuf.BytesValue" => context.unpack::<Vec<u8>>(any).map(Bytes::from),
        // The schema that is built in has all that can be serialized; of the others there is only the name.
        name if any.value.is_empty() && crate::schema::Schema::get().is_ok_and(|schema| schema.is_other(name)) => {
            context.error(format!("a configuration of type {name} is not implemented"));
            None
        }
        _ => Some(any.value.clone().into()),
    })
}

/// All variables that the guest sees. A key of the host that is not set there is left out, but still may not be named twice.
fn environment(
    context: &mut Context<'_>,
    message: EnvironmentVariables,
    runtime: &str,
    plugin: &str,
) -> Option<Vec<(String, String)>> {
    let EnvironmentVariables { host_env_keys, key_values } = message;
    context.field("environment_variables", |context| {
        if runtime == NULL_RUNTIME && !key_values.is_empty() {
            context.error_at("key_values", "key_values must not be set for NullVm");
            return None;
        }
        let mut keys: Vec<_> = host_env_keys.iter().chain(key_values.keys()).collect();
        keys.sort();
        if let Some(key) =
            keys.windows(2).find_map(|pair| (pair.first() == pair.get(1)).then(|| pair.first()).flatten())
        {
            let message = "is duplicated in envoy.extensions.wasm.v3.VmConfig.environment_variables for";
            context.error(format!("Key {key} {message} {plugin}. All the keys must be unique."));
            return None;
        }
        let host = host_env_keys.into_iter().filter_map(|key| {
            let value = source::variable(&key)?;
            Some((key, String::from_utf8_lossy(&value).into_owned()))
        });
        let all: BTreeMap<_, _> = host.chain(key_values).collect();
        Some(all.into_iter().collect())
    })
}
