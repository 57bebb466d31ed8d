//! The chain of HTTP filters in front of upstream hosts.

use super::{
    Context, type_name,
    wasm::{WASM_FILTER, wasm_filter},
};
use crate::{
    model::{HttpFilter, HttpFilterKind},
    proto::envoy::extensions::filters::network::http_connection_manager::v3::{
        HttpFilter as Message, http_filter::ConfigType,
    },
};

const CODEC: &str = "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec";

/// Converts the filters in `field`, and checks that the codec is the last one, and only the last; it is not among the results.
pub(super) fn upstream_filters(context: &mut Context<'_>, field: &str, messages: Vec<Message>) -> Vec<HttpFilter> {
    let count = messages.len();
    let mut index = 0;
    let filters = context.list(field, messages, |context, message| {
        index += 1;
        Some(upstream_filter(context, message, index == count))
    });
    filters.into_iter().flatten().collect()
}

fn upstream_filter(context: &mut Context<'_>, message: Message, last: bool) -> Option<HttpFilter> {
    let config = match &message.config_type {
        Some(ConfigType::TypedConfig(config)) => Some(config),
        Some(ConfigType::ConfigDiscovery(_)) => {
            let text = "config_discovery is not implemented: it is for HTTP filters of a connection manager and for network filters";
            context.error_at("config_discovery", text);
            return None;
        }
        None => None,
    };
    let kind = match config.map(|config| (type_name(config), config)) {
        Some((CODEC, _)) => {
            if !last {
                let name = &message.name;
                context
                    .error(format!("terminal filter named {name} must be the last filter in an upstream filter chain"));
            }
            if message.disabled {
                context.error_at("disabled", "the last (terminal) filter in the chain cannot be disabled by default");
            }
            return None;
        }
        _ if last => {
            context.error(format!("the codec filter is the only valid terminal upstream HTTP filter, use '{CODEC}'"));
            return None;
        }
        Some((WASM_FILTER, config)) => {
            let plugin = context.field("typed_config", |context| wasm_filter(context, config));
            HttpFilterKind::Wasm(Box::new(plugin?))
        }
        Some((name, _)) if message.is_optional => {
            let text = format!("optional upstream HTTP filter \"{}\" ({name}) is not implemented", message.name);
            context.lost_at("typed_config", &text, "it is left out");
            return None;
        }
        _ => {
            context.unknown_extension("upstream HTTP filter", &message.name, config);
            return None;
        }
    };
    Some(HttpFilter { name: message.name, disabled: message.disabled, kind, origin: context.origin() })
}
