//! The chain of HTTP filters.

use std::sync::Arc;

use prost_types::Any;

use super::{
    Context,
    config_source::resource_name,
    discovery::extension_discovery,
    health_check_filter::health_check_filter,
    rbac::{HTTP_RBAC, http_rbac},
    state_filters::{set_filter_state, set_metadata},
    type_name,
    upstream_filters::upstream_filters,
    wasm::{WASM_FILTER, wasm_filter},
};
use crate::{
    model::{FilterCategory, HttpFilter, HttpFilterKind, Router},
    proto::envoy::extensions::filters::{
        http::{health_check::v3::HealthCheck as HealthCheckMessage, router::v3::Router as RouterMessage},
        network::http_connection_manager::v3::{HttpFilter as Message, http_filter::ConfigType},
    },
};

const ROUTER: &str = "envoy.extensions.filters.http.router.v3.Router";
const SET_METADATA: &str = "envoy.extensions.filters.http.set_metadata.v3.Config";
const SET_FILTER_STATE: &str = "envoy.extensions.filters.http.set_filter_state.v3.Config";
const HEALTH_CHECK: &str = "envoy.extensions.filters.http.health_check.v3.HealthCheck";
/// Types of filters that there are.
pub(super) const IMPLEMENTED: [&str; 6] =
    [ROUTER, WASM_FILTER, HEALTH_CHECK, HTTP_RBAC, SET_METADATA, SET_FILTER_STATE];

/// Where a filter stands.
#[derive(Clone, Copy)]
struct Place {
    is_last: bool,
    /// Not in the chain of all requests.
    in_upgrade: bool,
}

/// Converts the filters in `field` and checks that the router is the last one, and only the last.
pub(super) fn http_filters(context: &mut Context<'_>, field: &str, messages: Vec<Message>) -> Vec<HttpFilter> {
    let count = messages.len();
    let mut index = 0;
    let filters = context.list(field, messages, |context, message| {
        index += 1;
        let place = Place { is_last: index == count, in_upgrade: field != "http_filters" };
        http_filter(context, message, place)
    });
    if count == 0 && !context.report.is_broken(&context.path) {
        context.error_at(field, "without a router as the last HTTP filter nothing would answer");
    }
    filters
}

fn http_filter(context: &mut Context<'_>, message: Message, place: Place) -> Option<HttpFilter> {
    let name = &message.name;
    let kind = match &message.config_type {
        Some(ConfigType::TypedConfig(config)) => match type_name(config) {
            ROUTER if !place.is_last => {
                context.error(format!("terminal filter named {name} must be the last filter in a http filter chain"));
                return None;
            }
            ROUTER if message.disabled => {
                context.error_at("disabled", "the last (terminal) filter in the chain cannot be disabled by default");
                return None;
            }
            type_name if IMPLEMENTED.contains(&type_name) => {
                let kind = context.field("typed_config", |context| http_filter_kind(context, config));
                if place.is_last && type_name != ROUTER {
                    context
                        .error(format!("non-terminal filter named {name} is the last filter in a http filter chain"));
                }
                kind?
            }
            // The author says that the filter may be left out where it does not exist; but Envoy has it, so the user must agree.
            type_name if message.is_optional => {
                let text = format!("optional HTTP filter \"{name}\" ({type_name}) is not implemented");
                context.lost_at("typed_config", &text, "it is left out");
                return None;
            }
            _ => {
                context.unknown_extension("HTTP filter", name, Some(config));
                return None;
            }
        },
        Some(ConfigType::ConfigDiscovery(_)) if place.in_upgrade => {
            let text = "config_discovery is not implemented: filters of an upgrade stand in the configuration";
            context.error_at("config_discovery", text);
            return None;
        }
        Some(ConfigType::ConfigDiscovery(discovery)) => {
            resource_name(context, "name", name);
            let discovery = discovery.clone();
            HttpFilterKind::Discovered(Arc::new(context.field("config_discovery", |context| {
                extension_discovery(context, discovery, name, (FilterCategory::Http, place.is_last))
            })?))
        }
        None => {
            context.unknown_extension("HTTP filter", name, None);
            return None;
        }
    };
    Some(HttpFilter { name: message.name, disabled: message.disabled, kind, origin: context.origin() })
}

/// Converts the configuration of a filter of one of the types that are implemented; else there is none, and nothing is said.
pub(super) fn http_filter_kind(context: &mut Context<'_>, config: &Any) -> Option<HttpFilterKind> {
    Some(match type_name(config) {
        ROUTER => {
            let router: RouterMessage = context.unpack(config)?;
            HttpFilterKind::Router(Router {
                suppress_envoy_headers: router.suppress_envoy_headers,
                strict_check_headers: router.strict_check_headers,
                respect_expected_rq_timeout: router.respect_expected_rq_timeout,
                suppress_grpc_request_failure_code_stats: router.suppress_grpc_request_failure_code_stats,
                upstream_http_filters: upstream_filters(context, "upstream_http_filters", router.upstream_http_filters),
            })
        }
        WASM_FILTER => HttpFilterKind::Wasm(Box::new(wasm_filter(context, config)?)),
        HEALTH_CHECK => {
            let filter: HealthCheckMessage = context.unpack(config)?;
            HttpFilterKind::HealthCheck(health_check_filter(context, filter))
        }
        HTTP_RBAC => HttpFilterKind::Rbac(http_rbac(context, config)?),
        SET_METADATA => {
            let filter = context.unpack(config)?;
            HttpFilterKind::SetMetadata(set_metadata(context, filter))
        }
        SET_FILTER_STATE => {
            let filter = context.unpack(config)?;
            HttpFilterKind::SetFilterState(set_filter_state(context, filter))
        }
        _ => return None,
    })
}
