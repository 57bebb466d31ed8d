#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use sandgate_config::model::RouteConfiguration;
use sandgate_filter::CertificateInfo;
use sandgate_http::HeaderMapKind;

use super::*;

fn config(change: impl FnOnce(&mut HttpConnectionManager)) -> HttpConnectionManager {
    let mut config = HttpConnectionManager::new("in", RouteConfiguration::default(), Vec::new());
    change(&mut config);
    config
}

/// The headers that go on, request ids made here shown as `<id>`.
fn mutated(config: &HttpConnectionManager, lines: &[(&str, &str)]) -> (Vec<String>, Option<SocketAddr>) {
    mutated_over(None, config, lines)
}

fn mutated_over(
    tls: Option<&TlsInfo>,
    config: &HttpConnectionManager,
    lines: &[(&str, &str)],
) -> (Vec<String>, Option<SocketAddr>) {
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
        tls,
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

fn mutual_tls() -> TlsInfo {
    let certificate = |subject: &str, uris: &[&str], names: &[&str]| {
        std::sync::Arc::new(CertificateInfo {
            subject: subject.to_owned(),
            uri_sans: uris.iter().map(|&uri| uri.to_owned()).collect(),
            dns_sans: names.iter().map(|&name| name.to_owned()).collect(),
            sha256: "ab12".to_owned(),
            der: bytes::Bytes::from_static(b"x"),
            ..CertificateInfo::default()
        })
    };
    TlsInfo {
        peer_chain: vec![certificate("CN=a\\,b", &["spiffe://u"], &["one", "two"]), certificate("CN=ca", &[], &[])],
        local: Some(certificate("CN=us", &["spiffe://1", "spiffe://2"], &[])),
        ..TlsInfo::default()
    }
}

/// What goes on as `x-forwarded-client-cert`.
fn client_cert(tls: Option<&TlsInfo>, config: &HttpConnectionManager, sent: Option<&str>) -> Option<String> {
    let sent = sent.map(|sent| ("x-forwarded-client-cert", sent));
    let lines = [(":path", "/")].into_iter().chain(sent).collect::<Vec<_>>();
    let (headers, _) = mutated_over(tls, config, &lines);
    headers.iter().find_map(|line| line.strip_prefix("x-forwarded-client-cert: ")).map(str::to_owned)
}

#[test]
fn client_certificates_are_told_of_as_configured() {
    use sandgate_config::model::ForwardClientCert as Mode;
    let tls = mutual_tls();
    let without = TlsInfo { peer_chain: Vec::new(), ..mutual_tls() };
    let own = "By=spiffe://1;By=spiffe://2;Hash=ab12";
    let both = format!("By=x,{own}");
    for (mode, mutual, anonymous) in [
        (Mode::Sanitize, None, None),
        (Mode::ForwardOnly, Some("By=x"), None),
        (Mode::AppendForward, Some(&*both), None),
        (Mode::SanitizeSet, Some(own), None),
        (Mode::AlwaysForwardOnly, Some("By=x"), Some("By=x")),
    ] {
        let config = config(|config| config.forward_client_cert = mode);
        assert_eq!(client_cert(Some(&tls), &config, Some("By=x")).as_deref(), mutual, "{mode:?}");
        assert_eq!(client_cert(Some(&without), &config, Some("By=x")).as_deref(), anonymous, "{mode:?}");
        assert_eq!(client_cert(None, &config, Some("By=x")).as_deref(), anonymous, "{mode:?}");
        assert_eq!(client_cert(None, &config, None), None, "{mode:?}");
    }
}

#[test]
fn details_of_client_certificates_stand_in_envoys_order() {
    let config = config(|config| {
        config.forward_client_cert = sandgate_config::model::ForwardClientCert::SanitizeSet;
        let details = &mut config.client_cert_details;
        (details.subject, details.cert, details.chain, details.dns, details.uri) = (true, true, true, true, true);
    });
    let pem = "-----BEGIN%20CERTIFICATE-----%0AeA%3D%3D%0A-----END%20CERTIFICATE-----%0A";
    let told = client_cert(Some(&mutual_tls()), &config, None).unwrap();
    let wanted = format!(
        "By=spiffe://1;By=spiffe://2;Hash=ab12;Cert=\"{pem}\";Chain=\"{pem}{pem}\";Subject=\"CN=a\\,b\";URI=spiffe://u;DNS=one;DNS=two"
    );
    assert_eq!(told, wanted);
    let mut tls = mutual_tls();
    tls.peer_chain.remove(0);
    tls.local = None;
    let told = client_cert(Some(&tls), &config, None).unwrap();
    assert!(told.starts_with("Hash=ab12;Cert=") && told.ends_with(";Subject=\"CN=ca\";URI="), "{told}");
}

#[test]
fn tls_is_https() {
    let tls = TlsInfo::default();
    let proto = |sent: Option<&str>, edge: bool| {
        let config = config(|config| config.use_remote_address = edge);
        let sent = sent.map(|sent| ("x-forwarded-proto", sent));
        let lines = [(":path", "/")].into_iter().chain(sent).collect::<Vec<_>>();
        let (headers, _) = mutated_over(Some(&tls), &config, &lines);
        let value = |name| headers.iter().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
        (value("x-forwarded-proto: "), value(":scheme: "))
    };
    let pair = |proto: &str, scheme: &str| (proto.to_owned(), scheme.to_owned());
    assert_eq!(proto(None, false), pair("https", "https"));
    assert_eq!(proto(Some("http"), false), pair("http", "http"));
    assert_eq!(proto(Some("ftp"), false), pair("ftp", "https"));
    assert_eq!(proto(Some("http"), true), pair("https", "https"));
}
