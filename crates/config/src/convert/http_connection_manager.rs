//! The HTTP connection manager.

use std::{collections::HashSet, time::Duration};

use super::{
    Context, access_log,
    config_source::{config_source, resource_name},
    http_filters::http_filters,
    http2, local_reply, protocol, request_options,
    route::route_configuration,
    type_name, upgrade,
};
use crate::{
    model::{AccessLogOptions, CodecType, HttpConnectionManager, Rds, RouteConfiguration, ServerHeaderTransformation},
    proto::envoy::config::core::v3::scheme_header_transformation::Transformation as Transformed,
    proto::envoy::extensions::filters::network::http_connection_manager::v3::{
        self as proto,
        http_connection_manager::{CodecType as Codec, RouteSpecifier, ServerHeaderTransformation as Transformation},
    },
};

/// Converts a connection manager.
pub(super) fn http_connection_manager(
    context: &mut Context<'_>,
    mut message: proto::HttpConnectionManager,
    clusters: &HashSet<String>,
) -> Option<HttpConnectionManager> {
    let codec_type = codec_type(context, message.codec_type);
    let common = message.common_http_protocol_options.unwrap_or_default();
    if common.max_response_headers_kb.is_some() {
        context.field("common_http_protocol_options", |context| {
            context.error_at(
                "max_response_headers_kb",
                "max_response_headers_kb cannot be set on http_connection_manager",
            );
        });
    }
    let common = context.field("common_http_protocol_options", |context| protocol::common(context, &common));
    let access_logs = access_log::access_logs(context, "access_log", std::mem::take(&mut message.access_log));
    let access_log_options = access_log_options(context, &message);
    let local_reply = message.local_reply_config.take().map(|config| {
        Box::new(context.field("local_reply_config", |context| local_reply::local_reply(context, config)))
    });
    if let Some(extension) = &message.request_id_extension {
        request_id_extension(context, extension);
    }
    let path = request_options::path(&message);
    let strip_port = request_options::strip_port(context, &message);
    let forward_client_cert = request_options::forward_client_cert(&message);
    let client_cert_details = request_options::client_cert_details(&message);
    let internal_addresses = message.internal_address_config.take().map_or_else(Vec::new, |config| {
        context.field("internal_address_config", |context| {
            context.list("cidr_ranges", config.cidr_ranges, request_options::cidr_range)
        })
    });
    let detection = std::mem::take(&mut message.original_ip_detection_extensions);
    if !detection.is_empty() && (message.use_remote_address == Some(true) || message.xff_num_trusted_hops > 0) {
        context.error(
            "Original IP detection extensions and use_remote_address may not be mixed: nor may xff_num_trusted_hops",
        );
    }
    let original_ip_detection =
        context.list("original_ip_detection_extensions", detection, request_options::original_ip_detection);
    let early = std::mem::take(&mut message.early_header_mutation_extensions);
    let early = context.list("early_header_mutation_extensions", early, request_options::early_header_mutation);
    let http2 = message.http2_protocol_options.take().unwrap_or_default();
    let http2 = context.field("http2_protocol_options", |context| http2::http2(context, http2));
    let http_filters = http_filters(context, "http_filters", message.http_filters);
    let upgrades = upgrade::of_connection_manager(context, message.upgrade_configs, &http_filters);
    let (route_config, rds) = match context.required("route_config", message.route_specifier)? {
        RouteSpecifier::RouteConfig(message) => {
            let routes = context.field("route_config", |context| route_configuration(context, message, clusters, true));
            (routes, None)
        }
        RouteSpecifier::Rds(message) => {
            let rds = context.field("rds", |context| rds(context, message))?;
            (RouteConfiguration::default(), Some(rds))
        }
    };
    let transformation = message.server_header_transformation;
    Some(HttpConnectionManager {
        codec_type: codec_type?,
        rds,
        upgrades,
        server_name: if message.server_name.is_empty() { "envoy".to_owned() } else { message.server_name },
        server_header_transformation: match Transformation::try_from(transformation) {
            Ok(Transformation::AppendIfAbsent) => ServerHeaderTransformation::AppendIfAbsent,
            Ok(Transformation::PassThrough) => ServerHeaderTransformation::PassThrough,
            Ok(Transformation::Overwrite) | Err(_) => ServerHeaderTransformation::Overwrite,
        },
        via: message.via,
        stream_idle_timeout: context.limit(
            "stream_idle_timeout",
            message.stream_idle_timeout,
            Some(Duration::from_secs(300)),
        ),
        request_timeout: context.limit("request_timeout", message.request_timeout, None),
        request_headers_timeout: context.limit("request_headers_timeout", message.request_headers_timeout, None),
        delayed_close_timeout: context.limit(
            "delayed_close_timeout",
            message.delayed_close_timeout,
            Some(Duration::from_secs(1)),
        ),
        drain_timeout: context.duration("drain_timeout", message.drain_timeout).unwrap_or(Duration::from_secs(5)),
        idle_timeout: common.idle_timeout,
        max_connection_duration: common.max_connection_duration,
        max_stream_duration: common.max_stream_duration,
        max_requests_per_connection: common.max_requests_per_connection,
        headers_with_underscores_action: common.headers_with_underscores_action,
        max_request_headers_kb: message.max_request_headers_kb.unwrap_or(60),
        max_headers_count: common.max_headers_count,
        generate_request_id: message.generate_request_id.unwrap_or(true),
        preserve_external_request_id: message.preserve_external_request_id,
        always_set_request_id_in_response: message.always_set_request_id_in_response,
        use_remote_address: message.use_remote_address.unwrap_or(false),
        xff_num_trusted_hops: message.xff_num_trusted_hops,
        skip_xff_append: message.skip_xff_append,
        proxy_100_continue: message.proxy_100_continue,
        path,
        strip_port,
        strip_trailing_host_dot: message.strip_trailing_host_dot,
        internal_addresses,
        append_x_forwarded_port: message.append_x_forwarded_port,
        add_user_agent: message.add_user_agent.unwrap_or_default(),
        scheme_to_overwrite: message.scheme_header_transformation.and_then(|transformation| {
            let Some(Transformed::SchemeToOverwrite(scheme)) = transformation.transformation else { return None };
            Some(scheme)
        }),
        forward_client_cert,
        client_cert_details,
        original_ip_detection,
        early_header_mutations: early.into_iter().flatten().collect(),
        http1: protocol::http1(message.http_protocol_options.unwrap_or_default()),
        http2,
        access_logs,
        access_log_options,
        local_reply,
        origin: context.origin(),
        ..HttpConnectionManager::new(message.stat_prefix, route_config, http_filters)
    })
}

fn rds(context: &mut Context<'_>, message: proto::Rds) -> Option<Rds> {
    resource_name(context, "route_config_name", &message.route_config_name);
    let source = context.required("config_source", message.config_source)?;
    let source = context
        .field("config_source", |context| config_source(context, source, "envoy.config.route.v3.RouteConfiguration"))?;
    Some(Rds { route_config_name: message.route_config_name, source })
}

/// Request ids are random UUIDs, whatever that extension says of traces.
fn request_id_extension(context: &mut Context<'_>, extension: &proto::RequestIdExtension) {
    let config = extension.typed_config.as_ref();
    if config.map(type_name) != Some("envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig") {
        context.field("request_id_extension", |context| context.unknown_extension("request id extension", "", config));
    }
}

fn codec_type(context: &mut Context<'_>, codec: i32) -> Option<CodecType> {
    match Codec::try_from(codec) {
        Ok(Codec::Auto) => Some(CodecType::Auto),
        Ok(Codec::Http1) => Some(CodecType::Http1),
        Ok(Codec::Http2) => Some(CodecType::Http2),
        Ok(Codec::Http3) => {
            context.error_at("codec_type", "HTTP/3 codec configured on non-QUIC listener");
            None
        }
        Err(_) => None,
    }
}

/// When entries are written; the fields of old, or those that came in their place.
fn access_log_options(context: &mut Context<'_>, message: &proto::HttpConnectionManager) -> AccessLogOptions {
    let Some(options) = &message.access_log_options else {
        return AccessLogOptions {
            on_new_request: message.flush_access_log_on_new_request,
            on_tunnel: false,
            interval: context.duration("access_log_flush_interval", message.access_log_flush_interval),
        };
    };
    let set = [
        ("flush_access_log_on_new_request", message.flush_access_log_on_new_request),
        ("access_log_flush_interval", message.access_log_flush_interval.is_some()),
    ];
    for (field, _) in set.into_iter().filter(|(_, set)| *set) {
        context.error(format!("Only one of {field} or access_log_options can be specified."));
    }
    AccessLogOptions {
        on_new_request: options.flush_access_log_on_new_request,
        on_tunnel: options.flush_log_on_tunnel_successfully_established,
        interval: context.field("access_log_options", |context| {
            context.duration("access_log_flush_interval", options.access_log_flush_interval)
        }),
    }
}
