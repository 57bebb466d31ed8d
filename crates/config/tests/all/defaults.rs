//! What Envoy does where a configuration says nothing.

use std::time::Duration;

use sandgate_config::{
    Format, LoadOptions, load_str,
    model::{
        CodecType, Http1Options, HttpConnectionManager, RouteAction, RouteKind, TrafficDirection, UpstreamHttpOptions,
    },
};

use crate::support::{Slot, accepted, config};

#[test]
fn of_everything() {
    let bootstrap = accepted(&config(Slot::Top, ""));
    assert!(bootstrap.admin.is_none());
    assert_eq!(bootstrap.stats_flush_interval, Duration::from_secs(5));
    let listener = &bootstrap.listeners[0];
    assert_eq!((listener.per_connection_buffer_limit_bytes, listener.tcp_backlog_size), (1_048_576, None));
    assert!(listener.enable_reuse_port && listener.metadata.is_none() && !listener.ipv4_compat);
    assert_eq!(listener.traffic_direction, TrafficDirection::Unspecified);
    let manager = listener.filter_chains[0].http_connection_manager().unwrap().clone();
    assert_eq!(manager.codec_type, CodecType::Auto);
    assert_eq!(manager.server_name, "envoy");
    assert_eq!((manager.stream_idle_timeout, manager.request_timeout), (Some(Duration::from_secs(300)), None));
    assert_eq!(
        (manager.idle_timeout, manager.delayed_close_timeout),
        (Some(Duration::from_secs(3600)), Some(Duration::from_secs(1)))
    );
    assert_eq!((manager.max_request_headers_kb, manager.max_headers_count), (60, 100));
    assert!(manager.generate_request_id && !manager.use_remote_address);
    // And the constructor says the same.
    let wanted = HttpConnectionManager {
        origin: manager.origin.clone(),
        ..HttpConnectionManager::new("p", manager.route_config.clone(), manager.http_filters.clone())
    };
    assert_eq!(manager, wanted);
    assert_eq!(manager.http1, Http1Options::default());
    let route = &manager.route_config.virtual_hosts[0].routes[0];
    assert_eq!(route.kind, RouteKind::Route(Box::new(RouteAction::new("c"))));
    assert!(route.matcher.case_sensitive);
    let cluster = &bootstrap.clusters[0];
    assert_eq!(
        (cluster.connect_timeout, cluster.per_connection_buffer_limit_bytes),
        (Duration::from_secs(5), 1_048_576)
    );
    assert_eq!(cluster.http, UpstreamHttpOptions::default());
}

#[test]
fn zero_means_none() {
    let text = "stream_idle_timeout: 0s\ndelayed_close_timeout: 0s\nrequest_timeout: 0s\ndrain_timeout: 0s\ncommon_http_protocol_options: {idle_timeout: 0s, max_stream_duration: 0s, max_requests_per_connection: 0}";
    let bootstrap = accepted(&config(Slot::Manager, text));
    let manager = bootstrap.listeners[0].filter_chains[0].http_connection_manager().unwrap();
    assert_eq!(
        (manager.stream_idle_timeout, manager.delayed_close_timeout, manager.request_timeout),
        (None, None, None)
    );
    assert_eq!(
        (manager.idle_timeout, manager.max_stream_duration, manager.max_requests_per_connection),
        (None, None, None)
    );
    assert_eq!(manager.drain_timeout, Duration::ZERO);
}

#[test]
fn of_the_node_come_from_the_command_line() {
    let options =
        LoadOptions { service_node: "cli".to_owned(), service_cluster: "group".to_owned(), ..LoadOptions::default() };
    let node = |text: &str| load_str("test.yaml", text, Format::Yaml, &options).unwrap().bootstrap.node;
    let ours = node("node: {id: file, metadata: {a: b}, user_agent_name: me, user_agent_version: v}");
    assert_eq!((ours.id.as_str(), ours.cluster.as_str()), ("file", "group"));
    assert_eq!(
        &ours.serialized[..],
        b"\x0a\x04file\x12\x05group\x1a\x0a\x0a\x08\x0a\x01a\x12\x03\x1a\x01b\x32\x02me\x3a\x01v"
    );
    assert_eq!(node("admin: {}").id, "cli");
    // Who we are is said where the configuration does not say it.
    let silent = node("node: {id: file}").serialized;
    assert!(silent.starts_with(b"\x0a\x04file\x12\x05group\x32\x08sandgate\x42"), "{}", silent.escape_ascii());
}
