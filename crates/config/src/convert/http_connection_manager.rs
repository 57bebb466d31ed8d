//! The HTTP connection manager.

use std::{collections::HashSet, time::Duration};

use super::{Context, http_filters::http_filters, protocol, route::route_configuration};
use crate::{
    model::{CodecType, HttpConnectionManager, ServerHeaderTransformation},
    proto::envoy::extensions::filters::network::http_connection_manager::v3::{
        self as proto,
        http_connection_manager::{CodecType as Codec, RouteSpecifier, ServerHeaderTransformation as Transformation},
    },
};

/// Converts a connection manager.
pub(super) fn http_connection_manager(
    context: &mut Context<'_>,
    message: proto::HttpConnectionManager,
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
    let http_filters = http_filters(context, message.http_filters);
    let route_config = context.required("route_config", message.route_specifier)?;
    let RouteSpecifier::RouteConfig(route_config) = route_config;
    let route_config = context.field("route_config", |context| route_configuration(context, route_config, clusters));
    let transformation = message.server_header_transformation;
    Some(HttpConnectionManager {
        codec_type: codec_type?,
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
        http1: protocol::http1(message.http_protocol_options.unwrap_or_default()),
        origin: context.origin(),
        ..HttpConnectionManager::new(message.stat_prefix, route_config, http_filters)
    })
}

fn codec_type(context: &mut Context<'_>, codec: i32) -> Option<CodecType> {
    match Codec::try_from(codec) {
        Ok(Codec::Auto) => Some(CodecType::Auto),
        Ok(Codec::Http1) => Some(CodecType::Http1),
        Ok(Codec::Http2) => {
            context.error_at("codec_type", "HTTP2 is not implemented");
            None
        }
        Ok(Codec::Http3) => {
            context.error_at("codec_type", "HTTP/3 codec configured on non-QUIC listener");
            None
        }
        Err(_) => None,
    }
}
