//! The chain of HTTP filters.

use super::{
    Context,
    health_check_filter::health_check_filter,
    rbac::{HTTP_RBAC, http_rbac},
    state_filters::{set_filter_state, set_metadata},
    type_name,
    upstream_filters::upstream_filters,
    wasm::{WASM_FILTER, wasm_filter},
};
use crate::{
    model::{HttpFilter, HttpFilterKind, Router},
    proto::envoy::extensions::filters::{
        http::{health_check::v3::HealthCheck as HealthCheckMessage, router::v3::Router as RouterMessage},
        network::http_connection_manager::v3::{HttpFilter as Message, http_filter::ConfigType},
    },
};

const ROUTER: &str = "envoy.extensions.filters.http.router.v3.Router";
const SET_METADATA: &str = "envoy.extensions.filters.http.set_metadata.v3.Config";
const SET_FILTER_STATE: &str = "envoy.extensions.filters.http.set_filter_state.v3.Config";
const HEALTH_CHECK: &str = "envoy.extensions.filters.http.health_check.v3.HealthCheck";

/// Converts the filters in `field` and checks that the router is the last one, and only the last.
pub(super) fn http_filters(context: &mut Context<'_>, field: &str, messages: Vec<Message>) -> Vec<HttpFilter> {
    let count = messages.len();
    let mut index = 0;
    let filters = context.list(field, messages, |context, message| {
        index += 1;
        http_filter(context, message, index == count)
    });
    if count == 0 && !context.report.is_broken(&context.path) {
        context.error_at(field, "without a router as the last HTTP filter nothing would answer");
    }
    filters
}

fn http_filter(context: &mut Context<'_>, message: Message, last: bool) -> Option<HttpFilter> {
    let config = message.config_type.as_ref().map(|ConfigType::TypedConfig(config)| config);
    let kind = match config.map(|config| (type_name(config), config)) {
        Some((ROUTER, _)) if !last => {
            let name = &message.name;
            context.error(format!("terminal filter named {name} must be the last filter in a http filter chain"));
            return None;
        }
        Some((ROUTER, _)) if message.disabled => {
            context.error_at("disabled", "the last (terminal) filter in the chain cannot be disabled by default");
            return None;
        }
        Some((ROUTER, config)) => {
            let router: RouterMessage = context.field("typed_config", |context| context.unpack(config))?;
            HttpFilterKind::Router(Router {
                suppress_envoy_headers: router.suppress_envoy_headers,
                strict_check_headers: router.strict_check_headers,
                respect_expected_rq_timeout: router.respect_expected_rq_timeout,
                suppress_grpc_request_failure_code_stats: router.suppress_grpc_request_failure_code_stats,
                upstream_http_filters: context.field("typed_config", |context| {
                    upstream_filters(context, "upstream_http_filters", router.upstream_http_filters)
                }),
            })
        }
        Some((WASM_FILTER, config)) => {
            let plugin = wasm_filter(context, config);
            not_last(context, &message.name, last);
            HttpFilterKind::Wasm(Box::new(plugin?))
        }
        Some((HEALTH_CHECK, config)) => {
            let filter = context.field("typed_config", |context| {
                let filter: HealthCheckMessage = context.unpack(config)?;
                Some(health_check_filter(context, filter))
            });
            not_last(context, &message.name, last);
            HttpFilterKind::HealthCheck(filter?)
        }
        Some((HTTP_RBAC, config)) => {
            let rbac = context.field("typed_config", |context| http_rbac(context, config));
            not_last(context, &message.name, last);
            HttpFilterKind::Rbac(rbac?)
        }
        Some((SET_METADATA, config)) => {
            let filter = context.field("typed_config", |context| {
                let filter = context.unpack(config)?;
                Some(set_metadata(context, filter))
            });
            not_last(context, &message.name, last);
            HttpFilterKind::SetMetadata(filter?)
        }
        Some((SET_FILTER_STATE, config)) => {
            let filter = context.field("typed_config", |context| {
                let filter = context.unpack(config)?;
                Some(set_filter_state(context, filter))
            });
            not_last(context, &message.name, last);
            HttpFilterKind::SetFilterState(filter?)
        }
        // The author says that the filter may be left out where it does not exist; but Envoy has it, so the user must agree.
        Some((name, _)) if message.is_optional => {
            let text = format!("optional HTTP filter \"{}\" ({name}) is not implemented", message.name);
            context.lost_at("typed_config", &text, "it is left out");
            return None;
        }
        _ => {
            context.unknown_extension("HTTP filter", &message.name, config);
            return None;
        }
    };
    Some(HttpFilter { name: message.name, disabled: message.disabled, kind, origin: context.origin() })
}

/// Says so if a filter that answers nothing ends the chain.
fn not_last(context: &mut Context<'_>, name: &str, last: bool) {
    if last {
        context.error(format!("non-terminal filter named {name} is the last filter in a http filter chain"));
    }
}
