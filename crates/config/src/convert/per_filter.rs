//! Settings of HTTP filters at a route or above.

use std::collections::BTreeMap;

use prost_types::Any;

use super::{
    Context,
    rbac::{RBAC_PER_ROUTE, rbac_per_route},
    type_name,
};
use crate::{
    model::{PerFilterConfig, PerFilterKind},
    proto::envoy::config::route::v3::FilterConfig,
    report::key_path,
};

const FILTER_CONFIG: &str = "envoy.config.route.v3.FilterConfig";

/// Converts a `typed_per_filter_config`.
pub(super) fn per_filter(context: &mut Context<'_>, configs: BTreeMap<String, Any>) -> Vec<PerFilterConfig> {
    let mut results = Vec::new();
    for (filter, config) in configs {
        let field = key_path("typed_per_filter_config", &filter);
        results.extend(context.field(&field, |context| filter_config(context, filter, &config)));
    }
    results
}

fn filter_config(context: &mut Context<'_>, filter: String, any: &Any) -> Option<PerFilterConfig> {
    if type_name(any) != FILTER_CONFIG {
        let config = Some(kind(context, &filter, any)?);
        return Some(PerFilterConfig { filter, disabled: false, config });
    }
    let message: FilterConfig = context.unpack(any)?;
    let config = match message.config {
        _ if message.disabled => None,
        None => {
            context.error(format!("Empty route/virtual host per filter configuration for {filter} filter"));
            return None;
        }
        // Nothing but that the filter is on.
        Some(config) if type_name(&config).is_empty() => None,
        Some(config) if type_name(&config) == RBAC_PER_ROUTE => {
            Some(context.field("config", |context| kind(context, &filter, &config))?)
        }
        Some(config) if message.is_optional => {
            let text = format!("optional per-route configuration of the filter {filter} ({})", type_name(&config));
            context.lost_at("config", &format!("{text} is not implemented"), "it is left out");
            return None;
        }
        Some(config) => Some(context.field("config", |context| kind(context, &filter, &config))?),
    };
    Some(PerFilterConfig { filter, disabled: message.disabled, config })
}

/// Of the filters that exist. Envoy, too, goes by the type, not by the filter's name.
fn kind(context: &mut Context<'_>, filter: &str, config: &Any) -> Option<PerFilterKind> {
    if type_name(config) == RBAC_PER_ROUTE {
        return Some(PerFilterKind::Rbac(rbac_per_route(context, config)?));
    }
    // Envoy's words for the other filters that we have; what else there is, is refused where it stands in the chain.
    context.error(format!("The filter {filter} doesn't support virtual host or route specific configurations"));
    None
}
