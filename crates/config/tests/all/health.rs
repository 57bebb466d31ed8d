//! Health checks and outlier detection. What is accepted and refused was tried with Envoy 1.40.

use std::time::Duration;

use sandgate_config::model::{HealthCheck, HealthCheckKind, HttpHealthCheck, OutlierDetection};

use crate::support::{Slot, accepted, changed, config, refused, table};

const OK: Option<&str> = None;
const BASE: &str = "timeout: 1s, interval: 2s, unhealthy_threshold: 3, healthy_threshold: 4";

fn check(fields: &str) -> String {
    config(Slot::Cluster, &format!("health_checks: [{{{BASE}, {fields}}}]"))
}

fn http(fields: &str) -> String {
    check(&format!("http_health_check: {{path: /, {fields}}}"))
}

fn tcp(fields: &str) -> String {
    check(&format!("tcp_health_check: {{{fields}}}"))
}

fn each(texts: &[(String, Option<&str>)]) {
    for (text, wanted) in texts {
        match wanted {
            None => drop(accepted(text)),
            Some(wanted) => drop(refused(text, wanted)),
        }
    }
}

fn loaded(text: &str) -> HealthCheck {
    accepted(text).clusters.remove(0).health_check.unwrap()
}

fn loaded_http(text: &str) -> HttpHealthCheck {
    match loaded(text).kind {
        HealthCheckKind::Http(http) => *http,
        _ => panic!("not HTTP"),
    }
}

#[test]
fn intervals_follow_each_other() {
    let secs = Duration::from_secs;
    let plain = loaded(&check("http_health_check: {path: /x}"));
    assert_eq!((plain.timeout, plain.interval, plain.no_traffic_interval), (secs(1), secs(2), secs(60)));
    assert_eq!((plain.unhealthy_interval, plain.unhealthy_edge_interval), (secs(2), secs(2)));
    assert_eq!((plain.healthy_edge_interval, plain.no_traffic_healthy_interval), (secs(2), secs(60)));
    assert_eq!((plain.unhealthy_threshold, plain.healthy_threshold, plain.reuse_connection), (3, 4, true));
    let set = loaded(&check(
        "tcp_health_check: {}, unhealthy_interval: 5s, no_traffic_interval: 7s, reuse_connection: false, event_log_path: a, \
         event_logger: [{name: f, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink, event_log_path: b}}]",
    ));
    assert_eq!((set.unhealthy_interval, set.unhealthy_edge_interval), (secs(5), secs(5)));
    assert_eq!((set.healthy_edge_interval, set.no_traffic_healthy_interval), (secs(2), secs(7)));
    assert_eq!((set.reuse_connection, set.event_log_paths), (false, vec!["b".to_owned(), "a".to_owned()]));
}

#[test]
fn http_checks() {
    each(&[
        (http(""), OK),
        (http("method: CONNECT"), Some("method")),
        (http("send: {text: '00'}"), Some("HTTP health check cannot specify a request payload with method 'GET'")),
        (http("send: {text: '00'}, method: POST"), OK),
        (http("receive: [{text: zz}]"), Some("invalid hex string 'zz'")),
        (http("receive: [{text: '123'}]"), Some("invalid hex string '123'")),
        (http("receive: [{text: ''}]"), Some("at least 1 characters")),
        (http("receive: [{binary: ''}]"), OK),
        (http("receive: [{}]"), Some("one of text, binary is required")),
        (
            http("receive: [{text: '00112233'}], response_buffer_size: 3"),
            Some("The expected response length '4' is over than http health response buffer size '3'"),
        ),
        (http("receive: [{text: '00112233'}], response_buffer_size: 0"), OK),
        (
            http("expected_statuses: [{start: 200, end: 200}]"),
            Some("Invalid http expected status range: expecting start < end, but found start=200 and end=200"),
        ),
        (
            http("expected_statuses: [{start: 99, end: 200}]"),
            Some("expected status range: expecting start >= 100, but found start=99"),
        ),
        (
            http("retriable_statuses: [{start: 200, end: 601}]"),
            Some("Invalid http retriable status range: expecting end <= 600, but found end=601"),
        ),
        (http("codec_client_type: HTTP2"), OK),
        (http("codec_client_type: HTTP3"), Some("HTTP/3 health checks are not implemented")),
        (http("use_alpn_protocol: true"), Some("use_alpn_protocol is not implemented")),
        (http("host: \"a\\nb\""), Some("host")),
        (check("http_health_check: {}"), Some("path: value length must be at least 1 characters")),
    ]);
    let plain = loaded_http(&http(""));
    assert_eq!((plain.method, plain.response_buffer_size), ("GET", 1024));
    assert!(plain.is_expected(200) && !plain.is_expected(201) && !plain.is_expected(199) && !plain.is_retriable(503));
    let set = loaded_http(&http(
        "host: h, method: PUT, send: {binary: aGk=}, receive: [{text: 6F6b}, {binary: ''}], \
         expected_statuses: [{start: 100, end: 101}, {start: 300, end: 400}], retriable_statuses: [{start: 500, end: 600}]",
    ));
    assert_eq!((set.host.as_str(), set.method, set.send.as_deref()), ("h", "PUT", Some(&b"hi"[..])));
    assert_eq!(set.receive, ["ok"]);
    assert!(set.is_expected(100) && set.is_expected(399) && !set.is_expected(200) && set.is_retriable(599));
}

#[test]
fn tcp_and_other_checks() {
    each(&[
        (tcp(""), OK),
        (tcp("send: {text: zz}"), Some("invalid hex string 'zz'")),
        (tcp("receive: [{text: '01'}, {binary: AA==}]"), OK),
        (tcp("proxy_protocol_config: {}"), Some("proxy_protocol_config is not implemented")),
        (check("grpc_health_check: {}"), Some("the cluster must support HTTP/2 for gRPC healthchecking")),
        (
            config(
                Slot::Cluster,
                &format!(
                    "http2_protocol_options: {{}}\nhealth_checks: [{{{BASE}, grpc_health_check: {{service_name: a}}}}]"
                ),
            ),
            OK,
        ),
        (check("custom_health_check: {name: x}"), Some("custom_health_check is not implemented")),
        (check("alt_port: 1, tcp_health_check: {}"), OK),
        (check("name: a, tls_options: {}, tcp_health_check: {}"), OK),
        (check("interval_jitter_percent: 400, interval_jitter: 0s, tcp_health_check: {}"), OK),
        (check("transport_socket_match_criteria: {}, tcp_health_check: {}"), Some("is not implemented")),
        (check("always_log_health_check_failures: true"), Some("one of http_health_check")),
        (
            check(
                "event_logger: [{name: x, typed_config: {\"@type\": type.googleapis.com/google.protobuf.Empty}}], tcp_health_check: {}",
            ),
            Some("health check event sink \"x\" (google.protobuf.Empty) is not implemented"),
        ),
        (tcp("").replace("timeout: 1s, ", ""), Some("timeout: value is required")),
        (tcp("").replace("interval: 2s, ", ""), Some("interval: value is required")),
        (tcp("").replace("timeout: 1s", "timeout: 0s"), Some("timeout")),
        (tcp("").replace("unhealthy_threshold: 3, ", ""), Some("unhealthy_threshold: value is required")),
        (tcp("").replace("unhealthy_threshold: 3", "unhealthy_threshold: 0"), OK),
        (
            config(
                Slot::Cluster,
                &format!("health_checks: [{{{BASE}, tcp_health_check: {{}}}}, {{{BASE}, tcp_health_check: {{}}}}]"),
            ),
            Some("more than one health check of a cluster is not implemented"),
        ),
    ]);
}

#[test]
fn endpoints() {
    let with = |fields: &str| changed("endpoint: {", &format!("endpoint: {{health_check_config: {{{fields}}}, "));
    each(&[
        (with("port_value: 70000"), Some("less than or equal to 65535")),
        (with("address: {socket_address: {address: x, port_value: 1}}"), Some("malformed IP address: x")),
        (with("port_value: 2, address: {socket_address: {address: 127.0.0.2, port_value: 1}}"), OK),
    ]);
    let endpoint = |text: &str| accepted(text).clusters[0].localities[0].endpoints[0].health_check.clone();
    let plain = endpoint(&with(""));
    assert_eq!((plain.port, plain.address, plain.disabled), (None, None, false));
    let set = endpoint(&with("port_value: 2, hostname: h, disable_active_health_check: true"));
    assert_eq!((set.port, set.hostname.as_str(), set.disabled), (Some(2), "h", true));
}

#[test]
fn outlier_detection() {
    table(
        Slot::Cluster,
        &[
            ("outlier_detection: {}", OK),
            ("outlier_detection: {interval: 0s}", Some("greater than 0s")),
            ("outlier_detection: {base_ejection_time: 0s}", Some("greater than 0s")),
            ("outlier_detection: {max_ejection_percent: 101}", Some("less than or equal to 100")),
            ("outlier_detection: {enforcing_success_rate: 101}", Some("less than or equal to 100")),
            ("outlier_detection: {max_ejection_time: 1s, base_ejection_time: 2s}", Some("cannot be smaller")),
            ("outlier_detection: {max_ejection_time: 10s}", Some("cannot be smaller than base_ejection_time")),
            ("outlier_detection: {max_ejection_time_jitter: 0s}", OK),
            ("outlier_detection: {monitors: [{name: x}]}", Some("monitors is not implemented")),
        ],
    );
    let load = |text: &str| accepted(&config(Slot::Cluster, text)).clusters.remove(0).outlier_detection.unwrap();
    assert_eq!(load("outlier_detection: {}"), OutlierDetection::default());
    let long = load("outlier_detection: {base_ejection_time: 400s, consecutive_5xx: 0, always_eject_one_host: true}");
    assert_eq!((long.max_ejection_time, long.consecutive_5xx), (Duration::from_secs(400), 0));
    assert!(long.always_eject_one_host && long.successful_active_health_check_uneject_host);
}

#[test]
fn the_filter_that_answers_checks() {
    let filter = |fields: &str| {
        let name = "envoy.extensions.filters.http.health_check.v3.HealthCheck";
        config(
            Slot::Filters,
            &format!("- name: h\n  typed_config: {{\"@type\": type.googleapis.com/{name}, {fields}}}"),
        )
    };
    each(&[
        (filter(""), Some("pass_through_mode: value is required")),
        (filter("pass_through_mode: true, cache_time: 1s"), OK),
        (filter("pass_through_mode: false, cache_time: 1s"), Some("cache_time_ms must not be set")),
        (filter("pass_through_mode: false, cluster_min_healthy_percentages: {zz: {value: 10}}"), OK),
        (filter("pass_through_mode: false, cluster_min_healthy_percentages: {c: {value: 101}}"), Some("100")),
    ]);
}
