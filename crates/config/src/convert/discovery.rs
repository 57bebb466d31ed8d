//! Filters whose configurations somebody else tells.

use super::{
    Context,
    config_source::config_source,
    http_filters::{self, http_filter_kind},
    network_filters::{self, network_filter_kind},
    type_name,
};
use crate::{
    model::{DiscoveredKind, ExtensionDiscovery, FilterCategory},
    proto::envoy::config::core::v3::ExtensionConfigSource,
};
use prost_types::Any;

const EXTENSION: &str = "envoy.config.core.v3.TypedExtensionConfig";

/// Converts who tells a filter's configuration. Whether a filter comes that can stand where this one does shows when it comes (as in
/// Envoy).
pub(super) fn extension_discovery(
    context: &mut Context<'_>,
    message: ExtensionConfigSource,
    name: &str,
    (category, is_last): (FilterCategory, bool),
) -> Option<ExtensionDiscovery> {
    let (implemented, what) = match category {
        FilterCategory::Http => (&http_filters::IMPLEMENTED[..], "HTTP filter"),
        FilterCategory::Network => (&network_filters::DISCOVERABLE[..], "network filter"),
    };
    let type_urls: Vec<String> = context.list("type_urls", message.type_urls, |context, url| {
        let type_name = url.rsplit('/').next().unwrap_or_default();
        if !implemented.contains(&type_name) {
            let text = format!("no factory found for a required type URL {url}: {}", lacking(type_name, what));
            context.error(text);
        }
        Some(type_name.to_owned())
    });
    let default = message.default_config.and_then(|config| {
        context.field("default_config", |context| {
            let given = type_name(&config);
            if !implemented.contains(&given) {
                let (url, lacking) = (&config.type_url, lacking(given, what));
                context.error(format!(
                    "cannot find filter factory {name} for default filter configuration with type URL {url}: {lacking}",
                ));
                return None;
            }
            if !type_urls.iter().any(|type_url| type_url == given) {
                let wanted = type_urls.join(", ");
                context.error(format!("filter config has type URL {given} but expect {wanted}."));
            }
            discovered_kind(context, &config)
        })
    });
    if message.apply_default_config_without_warming && default.is_none() && !context.report.is_broken(&context.path) {
        context.error(format!("filter config {name} applied without warming but has no default config."));
    }
    let source = context.required("config_source", message.config_source)?;
    let source = context.field("config_source", |context| config_source(context, source, EXTENSION))?;
    Some(ExtensionDiscovery {
        source,
        category,
        default: default.map(Box::new),
        apply_default_without_warming: message.apply_default_config_without_warming,
        type_urls,
        is_last,
    })
}

fn lacking(type_name: &str, what: &str) -> String {
    if network_filters::WITH_CODE_OF_THEIR_OWN.contains(&type_name) {
        "config_discovery is not implemented for filters that end a chain with a protocol of their own".to_owned()
    } else {
        format!("there is no such {what} here")
    }
}

/// Converts the configuration of a filter of one of the types that are implemented; else there is none, and nothing is said.
pub(super) fn discovered_kind(context: &mut Context<'_>, config: &Any) -> Option<DiscoveredKind> {
    let type_name = type_name(config);
    if http_filters::IMPLEMENTED.contains(&type_name) {
        return http_filter_kind(context, config).map(DiscoveredKind::Http);
    }
    let is_network = network_filters::DISCOVERABLE.contains(&type_name);
    is_network.then(|| network_filter_kind(context, config))?.map(DiscoveredKind::Network)
}
