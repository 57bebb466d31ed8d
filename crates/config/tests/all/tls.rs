//! TLS contexts.

use sandgate_config::model::{CertificateValidationContext, DownstreamTlsContext, SanType, SecretSource, TlsVersion};

use crate::support::{accepted, changed, refused};

const DOWNSTREAM: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
const CERTIFICATE: &str =
    "tls_certificates: [{certificate_chain: {inline_string: a}, private_key: {inline_string: b}}]";

/// The template with this `DownstreamTlsContext`.
fn downstream(context: &str) -> String {
    let socket = format!("{{name: tls, typed_config: {{\"@type\": {DOWNSTREAM}, {context}}}}}");
    changed("    - filters:", &format!("    - transport_socket: {socket}\n      filters:"))
}

/// … with a certificate, and this beside it in the common context.
fn common(more: &str) -> String {
    downstream(&format!("common_tls_context: {{{CERTIFICATE}, {more}}}"))
}

fn context(text: &str) -> DownstreamTlsContext {
    let bootstrap = accepted(text);
    DownstreamTlsContext::clone(bootstrap.listeners[0].filter_chains[0].tls.as_ref().unwrap())
}

fn validation(more: &str) -> CertificateValidationContext {
    let text = common(&format!("validation_context: {{trusted_ca: {{inline_string: c}}, {more}}}"));
    let source = context(&text).common.validation.unwrap();
    assert_eq!(source.defaults, None);
    let SecretSource::Inline { name, secret } = source.source else { panic!("{source:?}") };
    assert_eq!(name, "");
    secret
}

#[test]
fn defaults_are_envoys() {
    let context = context(&common(""));
    let params = &context.common.params;
    assert_eq!((params.min_version, params.max_version), (TlsVersion::Tls12, TlsVersion::Tls13));
    let suites = [vec![0xc02b, 0xcca9], vec![0xc02f, 0xcca8], vec![0xc02c], vec![0xc030]];
    assert_eq!(params.cipher_suites, suites);
    assert!(!context.require_client_certificate && !context.require_sni && !context.prefer_client_ciphers);
    assert_eq!(context.session_timeout, None);
    assert_eq!(context.common.validation, None);
}

#[test]
fn parameters_are_numbers() {
    let text = "tls_params: {tls_minimum_protocol_version: TLSv1_3, cipher_suites: [\"[ECDHE-RSA-CHACHA20-POLY1305|ECDHE-RSA-AES128-GCM-SHA256]\", ECDHE-RSA-AES256-GCM-SHA384], ecdh_curves: [\"P-256:X25519\"], signature_algorithms: [ed25519, RSA+SHA256]}";
    let params = context(&common(text)).common.params;
    assert_eq!(params.min_version, TlsVersion::Tls13);
    assert_eq!(params.cipher_suites, [vec![0xcca8, 0xc02f], vec![0xc030]]);
    assert_eq!(params.ecdh_curves, [0x17, 0x1d]);
    assert_eq!(params.signature_algorithms, [0x0807, 0x0401]);
    for (text, wanted) in [
        ("cipher_suites: [AES128-SHA]", "AES128-SHA is not implemented"),
        ("cipher_suites: [NONE]", "Failed to initialize cipher suites"),
        ("ecdh_curves: [P-521]", "ECDH curve P-521 is not implemented"),
        ("ecdh_curves: [NONE]", "Failed to initialize ECDH curves NONE"),
        ("signature_algorithms: [rsa_pkcs1_sha1]", "it uses SHA-1"),
        ("signature_algorithms: [none]", "Failed to initialize TLS signature algorithms none"),
        ("tls_minimum_protocol_version: TLSv1_0", "TLS 1.0 and 1.1 are not implemented"),
        ("tls_maximum_protocol_version: TLSv1_1", "TLS 1.0 and 1.1 are not implemented"),
        ("tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_2", "below the lowest one"),
        ("compliance_policies: [FIPS_202205]", "compliance_policies is not implemented"),
    ] {
        refused(&common(&format!("tls_params: {{{text}}}")), wanted);
    }
}

#[test]
fn rules_reach_the_model() {
    let hash = "ab".repeat(32);
    let colons = vec!["AB"; 32].join(":");
    let rules = validation(&format!(
        "verify_certificate_hash: [{hash}, \"{colons}\"], max_verify_depth: 3, trust_chain_verification: ACCEPT_UNTRUSTED, match_typed_subject_alt_names: [{{san_type: OTHER_NAME, oid: 1.2.3, matcher: {{exact: a}}}}, {{san_type: URI, matcher: {{prefix: b}}}}]"
    ));
    assert_eq!(rules.verify_certificate_hash, [[0xab; 32], [0xab; 32]]);
    assert_eq!((rules.max_verify_depth, rules.accept_untrusted), (Some(3), true));
    let kinds: Vec<_> = rules.match_typed_subject_alt_names.iter().map(|matcher| matcher.san_type.clone()).collect();
    assert_eq!(kinds, [SanType::OtherName("1.2.3".into()), SanType::Uri]);
    // What old configurations say is about names of any kind.
    let rules = validation("match_subject_alt_names: [{exact: a}]");
    assert_eq!(rules.match_typed_subject_alt_names.len(), 4);
}

#[test]
fn rules_are_checked_as_envoy_does() {
    let without = |more: &str| common(&format!("validation_context: {{{more}}}"));
    for (text, wanted) in [
        (without("crl: {inline_string: a}"), "Failed to load CRL without trusted CA"),
        (
            without("match_typed_subject_alt_names: [{san_type: DNS, matcher: {exact: a}}]"),
            "SAN-based verification of peer certificates without trusted CA is insecure and not allowed",
        ),
        (without("allow_expired_certificate: true"), "always ignored without trusted CA"),
        (without(&format!("verify_certificate_hash: [\"{}\"]", "z".repeat(64))), "Invalid hex-encoded SHA-256"),
        (
            without("verify_certificate_spki: [\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"]"),
            "Invalid base64-encoded SHA-256",
        ),
        (without("require_signed_certificate_timestamp: true"), "is not implemented"),
        (common("key_log: {path: /x}"), "key_log is not implemented"),
        (common("alpn_protocols: [\"\"]"), "Invalid ALPN protocol string"),
        (downstream("common_tls_context: {}"), "No TLS certificates found for server context"),
        (
            downstream("common_tls_context: {tls_certificates: [{private_key: {inline_string: b}}]}"),
            "certificate chain not set",
        ),
        (
            downstream(&format!("common_tls_context: {{{CERTIFICATE}}}, ocsp_staple_policy: MUST_STAPLE")),
            "ocsp_staple_policy is not implemented",
        ),
        (
            downstream(&format!(
                "common_tls_context: {{{CERTIFICATE}}}, session_ticket_keys: {{keys: [{{inline_string: short}}]}}"
            )),
            "Length 5, expected length 80",
        ),
    ] {
        refused(&text, wanted);
    }
}

#[test]
fn secrets_are_static_or_in_files() {
    let named = downstream("common_tls_context: {tls_certificate_sds_secret_configs: [{name: s}]}");
    refused(&named, "Unknown static secret: s");
    let secrets = "static_resources:\n  secrets: [{name: s, tls_certificate: {certificate_chain: {inline_string: a}, private_key: {inline_string: b}}}]\n";
    let found = context(&named.replacen("static_resources:\n", secrets, 1));
    assert!(matches!(&found.common.certificates[..], [SecretSource::Inline { name, .. }] if name == "s"));
    let of = |source: &str| {
        downstream(&format!(
            "common_tls_context: {{tls_certificate_sds_secret_configs: [{{name: s, sds_config: {source}}}]}}"
        ))
    };
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let found = context(&of(&format!("{{path_config_source: {{path: {here}}}}}")));
    assert!(
        matches!(&found.common.certificates[..], [SecretSource::Sds(source)] if source.path.to_str() == Some(here))
    );
    refused(&of("{path_config_source: {path: /nowhere}}"), "'/nowhere' does not exist");
    refused(&of("{ads: {}}"), "ADS must be configured to support an ADS config source");
    refused(&of("{self: {}}"), "self is not implemented: it means the stream");
}
