//! Commands about TLS.

use std::sync::Arc;
use std::time::Duration;

use sandgate_filter::{CertificateInfo, TlsInfo};

use crate::support::Sample;

fn certificate(name: &str) -> Arc<CertificateInfo> {
    let sans = |kind: &str| vec![format!("{kind}1.{name}"), format!("{kind}2.{name}")];
    Arc::new(CertificateInfo {
        subject: format!("CN={name}"),
        issuer: format!("CN=issuer of {name}"),
        serial: format!("5{name}"),
        uri_sans: sans("uri"),
        dns_sans: sans("dns"),
        ip_sans: sans("ip"),
        email_sans: sans("email"),
        othername_sans: Vec::new(),
        sha256: format!("256{name}"),
        sha1: format!("1{name}"),
        not_before: 1_700_000_000,
        not_after: 1_800_000_000,
        der: bytes::Bytes::from_static(b"x"),
    })
}

fn tls(peers: &[&str], local: &str) -> Option<Arc<TlsInfo>> {
    Some(Arc::new(TlsInfo {
        version: "TLSv1.3",
        cipher: "TLS_AES_128_GCM_SHA256",
        group: "X25519",
        sni: "asked.example".into(),
        peer_chain: peers.iter().map(|name| certificate(name)).collect(),
        local: Some(certificate(local)),
        ..TlsInfo::default()
    }))
}

#[test]
fn both_sides_tell_of_their_tls() {
    let mut sample = Sample::new();
    sample.connection.tls = tls(&["client", "ca"], "us");
    sample.info.upstream.tls = tls(&["host"], "we");
    for (format, value) in [
        (
            "%DOWNSTREAM_TLS_VERSION% %DOWNSTREAM_TLS_CIPHER% %DOWNSTREAM_TLS_GROUP%",
            "TLSv1.3 TLS_AES_128_GCM_SHA256 X25519",
        ),
        (
            "%DOWNSTREAM_PEER_SUBJECT% %DOWNSTREAM_PEER_ISSUER% %DOWNSTREAM_PEER_SERIAL%",
            "CN=client CN=issuer of client 5client",
        ),
        ("%DOWNSTREAM_PEER_URI_SAN% %DOWNSTREAM_LOCAL_EMAIL_SAN%", "uri1.client,uri2.client email1.us,email2.us"),
        ("%DOWNSTREAM_PEER_FINGERPRINT_256% %DOWNSTREAM_PEER_FINGERPRINT_1%", "256client 1client"),
        (
            "%DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256% %DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1%",
            "256client,256ca 1client,1ca",
        ),
        ("%DOWNSTREAM_PEER_CHAIN_SERIALS% %DOWNSTREAM_PEER_ISSUER_SERIAL%", "5client,5ca 5ca"),
        ("%DOWNSTREAM_PEER_CERT_V_START% %DOWNSTREAM_PEER_CERT_V_END(%F)%", "2023-11-14T22:13:20.000Z 2027-01-15"),
        ("%DOWNSTREAM_LOCAL_SUBJECT% %UPSTREAM_LOCAL_DNS_SAN%", "CN=us dns1.we,dns2.we"),
        ("%UPSTREAM_PEER_SUBJECT% %UPSTREAM_SERVER_NAME% %UPSTREAM_PEER_CERT_V_END(%Y)%", "CN=host asked.example 2027"),
        ("%UPSTREAM_PEER_CERT%", "-----BEGIN%20CERTIFICATE-----%0AeA%3D%3D%0A-----END%20CERTIFICATE-----%0A"),
        // What is empty is absent.
        ("%DOWNSTREAM_TLS_SESSION_ID% %DOWNSTREAM_PEER_OTHERNAME_SAN%", "- -"),
    ] {
        assert_eq!(sample.render(format), value, "{format}");
    }
}

#[test]
fn plain_text_has_none_of_it() {
    let sample = Sample::new();
    let format =
        "%DOWNSTREAM_TLS_VERSION% %UPSTREAM_PEER_SUBJECT% %DOWNSTREAM_PEER_CERT_V_END% %DOWNSTREAM_HANDSHAKE_DURATION%";
    assert_eq!(sample.render(format), "- - - -");
}

#[test]
fn server_names_may_give_way_to_hosts() {
    let mut sample = Sample::new();
    let format = "%REQUESTED_SERVER_NAME% %REQUESTED_SERVER_NAME(SNI_FIRST)% %REQUESTED_SERVER_NAME(HOST_FIRST)%";
    assert_eq!(sample.render(format), "- example.org example.org");
    sample.connection.requested_server_name = "sni.example".into();
    assert_eq!(sample.render(format), "sni.example sni.example example.org");
}

#[test]
fn the_handshake_was_over_before_the_request() {
    let mut sample = Sample::new();
    let begin = sample.info.start - Duration::from_millis(7);
    sample.connection.opened = Some(begin);
    sample.connection.handshake_start = Some(begin + Duration::from_millis(1));
    sample.connection.handshake_complete = Some(begin + Duration::from_millis(3));
    assert_eq!(sample.render("%DOWNSTREAM_HANDSHAKE_DURATION%"), "-4");
    assert_eq!(sample.render("%COMMON_DURATION(DS_CX_BEG:DS_HS_END:us)%"), "3000");
    assert_eq!(sample.render("%COMMON_DURATION(DS_HS_BEG:DS_HS_END)%"), "2");
}

#[test]
fn failures_of_the_transport_have_no_spaces() {
    let mut sample = Sample::new();
    assert_eq!(sample.render("%DOWNSTREAM_TRANSPORT_FAILURE_REASON%"), "-");
    sample.connection.transport_failure_reason = "TLS_error: it broke".into();
    assert_eq!(sample.render("%DOWNSTREAM_TRANSPORT_FAILURE_REASON%"), "TLS_error:_it_broke");
}
