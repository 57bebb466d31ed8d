#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use sandgate_config::model::RouteConfiguration;
use sandgate_http::HeaderMapKind;

use super::*;

fn config(change: impl FnOnce(&mut HttpConnectionManager)) -> HttpConnectionManager {
    let mut config = HttpConnectionManager::new("in", RouteConfiguration::default(), Vec::new());
    change(&mut config);
    config
}

/// The headers that go on, request ids made here shown as `<id>`.
fn mutated(config: &HttpConnectionManager, lines: &[(&str, &str)]) -> (Vec<String>, Option<SocketAddr>) {
    let mut headers = HeaderMap::with_kind(HeaderMapKind::Request);
    for (name, value) in lines {
        headers.append(name.as_bytes(), value.as_bytes());
    }
    let context = RequestContext {
        config,
        peer: Some(([127, 0, 0, 1], 5000).into()),
        local_ip: [192, 0, 2, 2].into(),
        local_port: Some(8080),
        user_agent: None,
        upgrade: false,
    };
    let client = mutate(&mut headers, &context).unwrap();
    let line = |(name, value): (&[u8], &[u8])| {
        let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        let made = uuid::Uuid::try_parse(&value).is_ok_and(|id| id.get_version_num() == 4);
        let known = lines.iter().any(|(n, v)| *n == name && *v == value);
        format!("{name}: {}", if made && !known { "<id>" } else { &value })
    };
    (headers.iter().map(line).collect(), client)
}

const ID: &str = "30a7e310-5306-477b-bf01-4fe9144b82f6";

#[test]
fn plain_request() {
    let (headers, client) = mutated(&config(|_| ()), &[(":path", "/"), ("user-agent", "x")]);
    assert_eq!(
        headers,
        [":path: /", ":scheme: http", "user-agent: x", "x-forwarded-proto: http", "x-request-id: <id>"]
    );
    assert_eq!(client.unwrap().to_string(), "127.0.0.1:5000");
}

#[test]
fn via_is_appended_if_configured() {
    let config = config(|config| config.via = "gate".to_owned());
    let new = [":path: /", ":scheme: http", "x-forwarded-proto: http", "via: gate", "x-request-id: <id>"];
    assert_eq!(mutated(&config, &[(":path", "/")]).0, new);
    let (headers, _) = mutated(&config, &[(":path", "/"), ("via", "1.0 before"), ("x-forwarded-proto", "http")]);
    let appended =
        [":path: /", ":scheme: http", "via: 1.0 before, gate", "x-forwarded-proto: http", "x-request-id: <id>"];
    assert_eq!(headers, appended);
}

#[test]
fn inner_hop_trusts_what_is_forwarded() {
    let lines = [
        ("x-forwarded-for", "1.2.3.4, 5.6.7.8"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "abc"),
        ("x-envoy-internal", "true"),
        ("x-envoy-external-address", "9.9.9.9"),
        ("x-envoy-retry-on", "5xx"),
        ("x-envoy-foo", "1"),
        ("x-envoy-decorator-operation", "xx"),
        ("x-envoy-original-path", "a"),
        ("x-forwarded-client-cert", "By=http://me"),
    ];
    let (headers, client) = mutated(&config(|_| ()), &lines);
    assert_eq!(
        headers,
        [
            ":scheme: https",
            "x-forwarded-for: 1.2.3.4, 5.6.7.8",
            "x-forwarded-proto: https",
            "x-request-id: abc",
            "x-envoy-external-address: 9.9.9.9",
            "x-envoy-foo: 1",
            "x-envoy-decorator-operation: xx",
            "x-envoy-original-path: a",
        ]
    );
    assert_eq!(client.unwrap().to_string(), "5.6.7.8:0");
}

#[test]
fn edge_trusts_nobody() {
    let edge = config(|config| config.use_remote_address = true);
    let (headers, _) = mutated(&edge, &[(":path", "/")]);
    assert_eq!(
        headers,
        [
            ":path: /",
            ":scheme: http",
            "x-forwarded-for: 192.0.2.2",
            "x-forwarded-proto: http",
            "x-envoy-external-address: 127.0.0.1",
            "x-request-id: <id>",
        ]
    );
    let lines = [
        ("x-forwarded-for", "1.2.3.4, 5.6.7.8"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", ID),
        ("x-envoy-external-address", "9.9.9.9"),
        ("x-envoy-original-path", "a"),
    ];
    let (headers, _) = mutated(&edge, &lines);
    assert_eq!(
        headers,
        [
            ":scheme: http",
            "x-forwarded-for: 1.2.3.4, 5.6.7.8,192.0.2.2",
            "x-forwarded-proto: http",
            "x-request-id: <id>",
            "x-envoy-external-address: 127.0.0.1",
        ]
    );
}

#[test]
fn trusted_hops_are_skipped() {
    let hops = config(|config| {
        config.use_remote_address = true;
        config.xff_num_trusted_hops = 1;
    });
    let (headers, client) = mutated(&hops, &[("x-forwarded-for", "1.2.3.4, 5.6.7.8"), ("x-forwarded-proto", "https")]);
    assert!(headers.contains(&"x-forwarded-proto: https".to_owned()));
    assert!(headers.contains(&"x-envoy-external-address: 5.6.7.8".to_owned()));
    assert_eq!(client.unwrap().to_string(), "5.6.7.8:0");

    let inner = config(|config| config.xff_num_trusted_hops = 1);
    assert_eq!(mutated(&inner, &[("x-forwarded-for", "1.2.3.4, 5.6.7.8")]).1.unwrap().to_string(), "1.2.3.4:0");
    assert_eq!(mutated(&inner, &[("x-forwarded-for", "1.2.3.4")]).1.unwrap().to_string(), "127.0.0.1:5000");
}

#[test]
fn request_ids_are_kept_made_or_left_out() {
    let preserve = config(|config| {
        config.use_remote_address = true;
        config.preserve_external_request_id = true;
    });
    assert!(mutated(&preserve, &[("x-request-id", ID)]).0.contains(&format!("x-request-id: {ID}")));
    let none = config(|config| config.generate_request_id = false);
    assert!(!mutated(&none, &[]).0.iter().any(|line| line.starts_with("x-request-id")));
}

#[test]
fn hop_by_hop_headers_end_here() {
    let lines = [
        ("connection", "keep-alive"),
        ("keep-alive", "5"),
        ("proxy-connection", "x"),
        ("te", "gzip, trailers"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("trailer", "x"),
        ("proxy-authorization", "z"),
        ("referer", "http://u@h/"),
    ];
    let (headers, _) = mutated(&config(|config| config.generate_request_id = false), &lines);
    let mut rest: Vec<_> = headers.iter().map(String::as_str).collect();
    rest.sort_unstable();
    assert_eq!(
        rest,
        [":scheme: http", "proxy-authorization: z", "te: trailers", "trailer: x", "x-forwarded-proto: http"]
    );
    assert!(!mutated(&config(|_| ()), &[("te", "gzip")]).0.iter().any(|line| line.starts_with("te:")));
}
