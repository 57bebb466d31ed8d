//! Clusters.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;

use super::{
    Context,
    address::endpoint_address,
    circuit_breakers::circuit_breakers,
    config_source::{config_source, resource_name},
    dns_resolver::dns_resolver,
    health_check,
    http2::http2,
    load_balancing::load_balancing,
    metadata::lb_metadata,
    outlier_detection::outlier_detection,
    protocol, tls, type_name,
    upstream_filters::upstream_filters,
    upstream_socket::upstream_socket,
};
use crate::{
    model::{
        Cluster, Discovery, DnsLookupFamily, DnsOptions, EdsConfig, Endpoint, EndpointAddress, HealthStatus,
        Http1Options, Http2Options, HttpFilter, LocalityEndpoints, UpstreamHttpOptions, UpstreamHttpProtocol,
        UpstreamTlsNames,
    },
    proto::envoy::{
        config::{
            cluster::v3::{
                self as proto,
                cluster::{ClusterDiscoveryType, ClusterProtocolSelection, DiscoveryType, DnsLookupFamily as Family},
            },
            core::v3::{
                HealthStatus as Health, Http1ProtocolOptions, Http2ProtocolOptions, UpstreamHttpProtocolOptions,
            },
            endpoint::v3::{self as endpoint, lb_endpoint::HostIdentifier},
        },
        extensions::upstreams::http::v3::{
            HttpProtocolOptions,
            http_protocol_options::{UpstreamProtocolOptions, explicit_http_config::ProtocolConfig},
        },
    },
};

const ENDPOINTS: &str = "envoy.config.endpoint.v3.ClusterLoadAssignment";
const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// Converts a cluster.
pub(super) fn cluster(context: &mut Context<'_>, mut message: proto::Cluster) -> Option<Cluster> {
    let tls = tls::upstream_socket(context, message.transport_socket.as_ref());
    let http = http_options(context, &mut message, tls.is_some());
    let discovery = discovery(context, &message);
    let load_balancing = load_balancing(context, &message, discovery.as_ref());
    if matches!(discovery, Some(Discovery::Eds(_))) && message.load_assignment.take().is_some() {
        context.warning_at("load_assignment", "has no effect: the endpoints come from eds_config");
    }
    let policy = message.load_assignment.as_ref().and_then(|assignment| assignment.policy.as_ref());
    if policy.is_some_and(|policy| policy.endpoint_stale_after.is_some()) {
        context.field("load_assignment", |context| {
            context.field("policy", |context| {
                context.warning_at("endpoint_stale_after", "has no effect: only endpoints of EDS become stale");
            });
        });
    }
    let names = !matches!(discovery, Some(Discovery::Static));
    let localities = context.field("load_assignment", |context| {
        let endpoints = message.load_assignment.unwrap_or_default().endpoints;
        context.list("endpoints", endpoints, |context, message| Some(locality(context, message, names)))
    });
    if matches!(discovery, Some(Discovery::LogicalDns(_))) && !context.report.is_broken(&context.path) {
        let [LocalityEndpoints { endpoints, .. }] = localities.as_slice() else {
            context.error("LOGICAL_DNS clusters must have a single locality_lb_endpoint and a single lb_endpoint");
            return None;
        };
        if endpoints.len() != 1 {
            context.error("LOGICAL_DNS clusters must have a single locality_lb_endpoint and a single lb_endpoint");
        }
    }
    let health_check = health_check::health_check(
        context,
        std::mem::take(&mut message.health_checks),
        http.as_ref().map(|http| http.protocol).unwrap_or_default(),
    );
    let outlier_detection = message
        .outlier_detection
        .take()
        .and_then(|message| context.field("outlier_detection", |context| outlier_detection(context, &message)));
    let common_lb = message.common_lb_config.unwrap_or_default();
    let update_merge_window = context.field("common_lb_config", |context| {
        context.duration("update_merge_window", common_lb.update_merge_window).unwrap_or(Duration::from_secs(1))
    });
    Some(Cluster {
        name: message.name,
        alt_stat_name: message.alt_stat_name,
        discovery: discovery?,
        connect_timeout: context.duration("connect_timeout", message.connect_timeout).unwrap_or(Duration::from_secs(5)),
        load_balancing: Arc::new(load_balancing?),
        localities,
        circuit_breakers: context.field("circuit_breakers", |context| {
            circuit_breakers(context, message.circuit_breakers.unwrap_or_default())
        }),
        socket: upstream_socket(context, message.upstream_connection_options, message.upstream_bind_config),
        per_connection_buffer_limit_bytes: message.per_connection_buffer_limit_bytes.unwrap_or(1 << 20),
        health_check,
        update_merge_window,
        ignore_new_hosts_until_first_hc: common_lb.ignore_new_hosts_until_first_hc,
        ignore_health_on_host_removal: message.ignore_health_on_host_removal,
        outlier_detection,
        http: http?,
        tls: tls.map(Arc::new),
        metadata: message.metadata.map(Into::into),
        origin: context.origin(),
    })
}

fn discovery(context: &mut Context<'_>, message: &proto::Cluster) -> Option<Discovery> {
    let discovery_type = match message.cluster_discovery_type {
        Some(ClusterDiscoveryType::Type(discovery_type)) => DiscoveryType::try_from(discovery_type).ok()?,
        None if context.report.is_broken(&context.path) => return None,
        None => DiscoveryType::Static,
    };
    let dns = dns_options(context, message);
    if message.eds_cluster_config.is_some() && discovery_type != DiscoveryType::Eds {
        context.error_at("eds_cluster_config", "eds_cluster_config set in a non-EDS cluster");
    }
    match discovery_type {
        DiscoveryType::Static => Some(Discovery::Static),
        DiscoveryType::StrictDns => Some(Discovery::StrictDns(dns?)),
        DiscoveryType::LogicalDns => Some(Discovery::LogicalDns(dns?)),
        DiscoveryType::Eds => eds(context, message),
        other => {
            context.error_at("type", format!("clusters of type {} are not implemented", other.as_str_name()));
            None
        }
    }
}

fn eds(context: &mut Context<'_>, message: &proto::Cluster) -> Option<Discovery> {
    let Some(config) = message.eds_cluster_config.clone() else {
        if !context.report.is_broken(&context.path) {
            context.error("cannot create an EDS cluster without an EDS config");
        }
        return None;
    };
    context.field("eds_cluster_config", |context| {
        if config.service_name.is_empty() {
            resource_name(context, "service_name", &message.name);
        }
        resource_name(context, "service_name", &config.service_name);
        let source = context.required("eds_config", config.eds_config)?;
        let source = context.field("eds_config", |context| config_source(context, source, ENDPOINTS))?;
        Some(Discovery::Eds(EdsConfig { service_name: config.service_name, source }))
    })
}

fn dns_options(context: &mut Context<'_>, message: &proto::Cluster) -> Option<DnsOptions> {
    let defaults = DnsOptions::default();
    let failure_refresh_rate = message.dns_failure_refresh_rate.as_ref().and_then(|rate| {
        context.field("dns_failure_refresh_rate", |context| {
            let base = context.duration("base_interval", rate.base_interval)?;
            let max = context.duration("max_interval", rate.max_interval);
            // Envoy's backoff is up to ten times its base, and never below it.
            Some((base, max.unwrap_or_else(|| base.saturating_mul(10)).max(base)))
        })
    });
    let resolver = context.field("typed_dns_resolver_config", |context| {
        dns_resolver(context, message.typed_dns_resolver_config.clone()?)
    });
    Some(DnsOptions {
        resolver: resolver.or_else(|| context.dns_resolver.clone()).unwrap_or(defaults.resolver),
        refresh_rate: context.duration("dns_refresh_rate", message.dns_refresh_rate).unwrap_or(defaults.refresh_rate),
        failure_refresh_rate,
        jitter: context.duration("dns_jitter", message.dns_jitter).unwrap_or_default(),
        lookup_family: match Family::try_from(message.dns_lookup_family).ok()? {
            Family::Auto => DnsLookupFamily::Auto,
            Family::V4Only => DnsLookupFamily::V4Only,
            Family::V6Only => DnsLookupFamily::V6Only,
            Family::V4Preferred => DnsLookupFamily::V4Preferred,
            Family::All => DnsLookupFamily::All,
        },
    })
}

/// Converts the endpoints of a locality; `names`: some may have names for addresses.
pub(super) fn locality(
    context: &mut Context<'_>,
    message: endpoint::LocalityLbEndpoints,
    names: bool,
) -> LocalityEndpoints {
    let locality = message.locality.unwrap_or_default();
    let serialized: Bytes = locality.encode_to_vec().into();
    let metadata: Bytes = message.metadata.unwrap_or_default().into();
    let endpoints = context.list("lb_endpoints", message.lb_endpoints, |context, message| {
        let endpoint = lb_endpoint(context, message, names)?;
        Some(Endpoint { locality: serialized.clone(), locality_metadata: metadata.clone(), ..endpoint })
    });
    LocalityEndpoints {
        region: locality.region,
        zone: locality.zone,
        sub_zone: locality.sub_zone,
        priority: message.priority,
        load_balancing_weight: message.load_balancing_weight.unwrap_or(0),
        endpoints,
    }
}

fn lb_endpoint(context: &mut Context<'_>, message: endpoint::LbEndpoint, names: bool) -> Option<Endpoint> {
    let Some(HostIdentifier::Endpoint(endpoint)) = message.host_identifier else {
        if !context.report.is_broken(&context.path) {
            context.error("endpoint must be set");
        }
        return None;
    };
    let mut health_check = None;
    let address = context.field("endpoint", |context| {
        health_check = endpoint
            .health_check_config
            .map(|message| context.field("health_check_config", |context| health_check::endpoint(context, message)));
        let Some(address) = endpoint.address else {
            if !context.report.is_broken(&context.path) {
                context.error("address must be set");
            }
            return None;
        };
        context.field("address", |context| endpoint_address(context, address, names))
    })?;
    let hostname = match (&address, endpoint.hostname) {
        // As in Envoy, the name to resolve serves where no other is given.
        (EndpointAddress::Name { host, .. }, hostname) if hostname.is_empty() => host.clone(),
        (_, hostname) => hostname,
    };
    Some(Endpoint {
        address,
        hostname,
        health_check: health_check.unwrap_or_default(),
        weight: message.load_balancing_weight.unwrap_or(1),
        health_status: match Health::try_from(message.health_status) {
            Ok(Health::Healthy) => HealthStatus::Healthy,
            Ok(Health::Unhealthy) => HealthStatus::Unhealthy,
            Ok(Health::Draining) => HealthStatus::Draining,
            Ok(Health::Timeout) => HealthStatus::Timeout,
            Ok(Health::Degraded) => HealthStatus::Degraded,
            Ok(Health::Unknown) | Err(_) => HealthStatus::Unknown,
        },
        lb_metadata: message.metadata.as_deref().map(lb_metadata).unwrap_or_default(),
        metadata: message.metadata.map(Into::into),
        locality: Bytes::new(),
        locality_metadata: Bytes::new(),
    })
}

/// The typed options if there are any, else the deprecated fields of the cluster.
fn http_options(context: &mut Context<'_>, message: &mut proto::Cluster, tls: bool) -> Option<UpstreamHttpOptions> {
    let legacy_max_requests = message.max_requests_per_connection.filter(|max| *max > 0);
    let mut options = None;
    for (name, any) in std::mem::take(&mut message.typed_extension_protocol_options) {
        let path = crate::report::key_path("typed_extension_protocol_options", &name);
        context.field(&path, |context| {
            if name == HTTP_OPTIONS && type_name(&any) == HTTP_OPTIONS {
                options = context.unpack::<HttpProtocolOptions>(&any).map(|options| (path.clone(), options));
            } else {
                context.unknown_extension("protocol options", &name, Some(&any));
            }
        });
    }
    let mut names = message.upstream_http_protocol_options.take();
    let (path, common, protocols) = match options {
        Some((path, mut options)) => {
            let common = options.common_http_protocol_options.take();
            names = options.upstream_http_protocol_options.take();
            let protocols = context.field(&path, |context| typed_options(context, options, tls));
            (Some(path), common, protocols?)
        }
        None => (None, message.common_http_protocol_options.take(), legacy_options(context, message)),
    };
    let convert = |context: &mut Context<'_>| {
        context.field("common_http_protocol_options", |context| protocol::common(context, &common.unwrap_or_default()))
    };
    let common = match path {
        Some(path) => context.field(&path, convert),
        None => convert(context),
    };
    Some(UpstreamHttpOptions {
        idle_timeout: common.idle_timeout,
        max_connection_duration: common.max_connection_duration,
        max_stream_duration: common.max_stream_duration,
        max_requests_per_connection: common.max_requests_per_connection.or(legacy_max_requests),
        max_headers_count: common.max_headers_count,
        max_response_headers_kb: common.max_response_headers_kb,
        protocol: protocols.protocol,
        http1: protocols.http1,
        http2: protocols.http2,
        tls_names: names.map(tls_names).unwrap_or_default(),
        http_filters: protocols.http_filters,
    })
}

fn tls_names(message: UpstreamHttpProtocolOptions) -> UpstreamTlsNames {
    UpstreamTlsNames {
        auto_sni: message.auto_sni,
        auto_san_validation: message.auto_san_validation,
        override_auto_sni_header: message.override_auto_sni_header.to_ascii_lowercase(),
    }
}

/// What is spoken, and how.
struct Protocols {
    protocol: UpstreamHttpProtocol,
    http1: Http1Options,
    http2: Http2Options,
    http_filters: Vec<HttpFilter>,
}

fn protocols(
    context: &mut Context<'_>,
    protocol: UpstreamHttpProtocol,
    http1: Option<Http1ProtocolOptions>,
    options: Option<Http2ProtocolOptions>,
) -> Protocols {
    Protocols {
        protocol,
        http1: protocol::http1(http1.unwrap_or_default()),
        http2: context.field("http2_protocol_options", |context| http2(context, options.unwrap_or_default())),
        http_filters: Vec::new(),
    }
}

fn legacy_options(context: &mut Context<'_>, message: &mut proto::Cluster) -> Protocols {
    let (http1, http2) = (message.http_protocol_options.take(), message.http2_protocol_options.take());
    let protocol = match ClusterProtocolSelection::try_from(message.protocol_selection) {
        Ok(ClusterProtocolSelection::UseDownstreamProtocol) => UpstreamHttpProtocol::Downstream,
        _ if http2.is_some() => UpstreamHttpProtocol::Http2,
        _ => UpstreamHttpProtocol::Http1,
    };
    protocols(context, protocol, http1, http2)
}

fn typed_options(context: &mut Context<'_>, options: HttpProtocolOptions, tls: bool) -> Option<Protocols> {
    let http_filters = upstream_filters(context, "http_filters", options.http_filters);
    let protocols = match context.required("a protocol", options.upstream_protocol_options)? {
        UpstreamProtocolOptions::ExplicitHttpConfig(config) => context.field("explicit_http_config", |context| {
            Some(match context.required("a protocol", config.protocol_config)? {
                ProtocolConfig::HttpProtocolOptions(http1) => {
                    protocols(context, UpstreamHttpProtocol::Http1, Some(http1), None)
                }
                ProtocolConfig::Http2ProtocolOptions(http2) => {
                    protocols(context, UpstreamHttpProtocol::Http2, None, Some(http2))
                }
            })
        })?,
        UpstreamProtocolOptions::UseDownstreamProtocolConfig(config) => {
            context.field("use_downstream_protocol_config", |context| {
                let (http1, http2) = (config.http_protocol_options, config.http2_protocol_options);
                protocols(context, UpstreamHttpProtocol::Downstream, http1, http2)
            })
        }
        UpstreamProtocolOptions::AutoConfig(config) => context.field("auto_config", |context| {
            if !tls {
                context.error("ALPN configured for a cluster which has a non-ALPN transport socket");
            }
            let (http1, http2) = (config.http_protocol_options, config.http2_protocol_options);
            protocols(context, UpstreamHttpProtocol::Auto, http1, http2)
        }),
    };
    Some(Protocols { http_filters, ..protocols })
}
