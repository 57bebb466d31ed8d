//! Whom to ask for names: `typed_dns_resolver_config`.

use std::time::Duration;

use sandgate_config::model::{Discovery, DnsResolver, NameServers};

use crate::support::{Slot, accepted, config, table};

const CARES: &str = "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig";
const GETADDRINFO: &str =
    "type.googleapis.com/envoy.extensions.network.dns_resolver.getaddrinfo.v3.GetAddrInfoDnsResolverConfig";

fn resolver(kind: &str, fields: &str) -> String {
    format!("typed_dns_resolver_config: {{name: dns, typed_config: {{\"@type\": {kind}{fields}}}}}")
}

#[test]
fn name_servers_are_read() {
    assert_eq!(accepted(&config(Slot::Top, "")).dns_resolver, None);
    assert_eq!(accepted(&config(Slot::Top, &resolver(GETADDRINFO, ""))).dns_resolver, Some(DnsResolver::System));
    let text = resolver(
        CARES,
        ", resolvers: [{socket_address: {address: 10.0.0.1, port_value: 53}}, {socket_address: {address: \"::1\", port_value: 54}}], \
         dns_resolver_options: {use_tcp_for_dns_lookups: true, no_default_search_domain: true}, query_timeout_seconds: 3, query_tries: 2",
    );
    let wanted = NameServers {
        servers: vec!["10.0.0.1:53".parse().unwrap(), "[::1]:54".parse().unwrap()],
        as_fallback: false,
        use_tcp: true,
        no_search: true,
        query_timeout: Some(Duration::from_secs(3)),
        query_tries: Some(2),
    };
    assert_eq!(accepted(&config(Slot::Top, &text)).dns_resolver, Some(DnsResolver::Servers(wanted)));
}

#[test]
fn clusters_ask_whom_they_name_or_whom_the_process_asks() {
    let of = |top: &str, cluster: &str| {
        let text = format!(
            "{top}\nstatic_resources:\n  clusters:\n  - name: c\n    type: STRICT_DNS\n    connect_timeout: 1s\n    {cluster}\n    \
             load_assignment: {{cluster_name: c}}\n"
        );
        match accepted(&text).clusters[0].discovery.clone() {
            Discovery::StrictDns(options) => options.resolver,
            other => panic!("{other:?}"),
        }
    };
    let servers = |fallback| DnsResolver::Servers(NameServers { as_fallback: fallback, ..NameServers::default() });
    let fallback = resolver(CARES, ", use_resolvers_as_fallback: true");
    assert_eq!(of("admin: {}", "dns_jitter: 0s"), DnsResolver::System);
    assert_eq!(of(&fallback, "dns_jitter: 0s"), servers(true));
    assert_eq!(of(&fallback, &resolver(CARES, "")), servers(false));
    assert_eq!(of(&fallback, &resolver(GETADDRINFO, "")), DnsResolver::System);
}

#[test]
fn other_resolvers_are_refused() {
    for (text, wanted) in [
        (resolver(CARES, ", rotate_nameservers: true"), Some("rotate_nameservers")),
        (resolver(CARES, ", resolvers: [{socket_address: {address: dns.test, port_value: 53}}]"), Some("dns.test")),
        (resolver(CARES, ", udp_max_queries: 5"), None),
        ("typed_dns_resolver_config: {name: dns}".to_owned(), Some("DNS resolver \"dns\"")),
    ] {
        table(Slot::Top, &[(text.as_str(), wanted)]);
    }
}
