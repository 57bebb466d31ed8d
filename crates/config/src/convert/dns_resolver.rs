//! Whom to ask for names.

use std::time::Duration;

use super::{Context, address, type_name};
use crate::{
    model::{DnsResolver, NameServers},
    proto::envoy::{
        config::core::v3::TypedExtensionConfig, extensions::network::dns_resolver::cares::v3::CaresDnsResolverConfig,
    },
};

const CARES: &str = "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig";
const GETADDRINFO: &str = "envoy.extensions.network.dns_resolver.getaddrinfo.v3.GetAddrInfoDnsResolverConfig";

/// Converts what is in `typed_dns_resolver_config`.
pub(super) fn dns_resolver(context: &mut Context<'_>, extension: TypedExtensionConfig) -> Option<DnsResolver> {
    let config = extension.typed_config.as_ref();
    match config.map(|config| (type_name(config), config)) {
        Some((CARES, config)) => context.field("typed_config", |context| {
            let message = context.unpack(config)?;
            Some(DnsResolver::Servers(name_servers(context, message)))
        }),
        Some((GETADDRINFO, _)) => Some(DnsResolver::System),
        _ => {
            context.unknown_extension("DNS resolver", &extension.name, config);
            None
        }
    }
}

fn name_servers(context: &mut Context<'_>, message: CaresDnsResolverConfig) -> NameServers {
    let servers = context
        .list("resolvers", message.resolvers, |context, address| Some(address::bind_address(context, address)?.0));
    let options = message.dns_resolver_options.unwrap_or_default();
    NameServers {
        servers,
        as_fallback: message.use_resolvers_as_fallback,
        use_tcp: options.use_tcp_for_dns_lookups,
        no_search: options.no_default_search_domain,
        query_timeout: message.query_timeout_seconds.map(Duration::from_secs),
        query_tries: message.query_tries,
    }
}
