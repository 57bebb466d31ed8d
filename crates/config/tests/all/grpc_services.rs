//! gRPC services that plugins name, serialized.

use std::time::Duration;

use sandgate_config::model::{BackOff, EnvoyGrpc, GrpcService, GrpcTarget, RetryOn, RetryPolicy};
use sandgate_config::parse_grpc_service;

/// A field that has a length of less than 128.
fn field(number: u8, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

fn service(envoy_grpc: &[Vec<u8>], rest: &[Vec<u8>]) -> GrpcService {
    parse_grpc_service(&[field(1, envoy_grpc.concat()), rest.concat()].concat()).unwrap()
}

#[test]
fn targets() {
    let plain = service(&[field(1, "c")], &[]);
    assert_eq!(plain, GrpcService::of_cluster("c"));
    let full = service(&[field(1, "c"), field(2, "a:1"), field(4, b"\x08\x64"), vec![0x28, 1]], &[]);
    let expected = EnvoyGrpc {
        cluster_name: "c".into(),
        authority: "a:1".into(),
        max_receive_message_length: 100,
        skip_envoy_headers: true,
    };
    assert_eq!(full.target, GrpcTarget::Envoy(expected));
    assert_eq!(parse_grpc_service(&field(2, field(1, "host"))).unwrap().target, GrpcTarget::Google);
    assert_eq!(parse_grpc_service(b"").unwrap().target, GrpcTarget::Missing);
    // The name of a cluster is usually no message.
    for none in [&b"cluster"[..], b"\xff\xff", b"\x0a\x06\x0a", &field(1, field(1, b"\xff"))] {
        assert_eq!(parse_grpc_service(none), None, "{}", none.escape_ascii());
    }
}

#[test]
fn metadata_in_order() {
    let header = |name: &str, value: &str| field(5, [field(1, name), field(2, value)].concat());
    let service = service(&[field(1, "c")], &[header("a", "1"), header("B", "2"), header("a", "")]);
    let expected = [("a", "1"), ("B", "2"), ("a", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(service.initial_metadata, expected);
}

/// An attempt may take as long as the longest interval, as in Envoy; the policy inside of `envoy_grpc` means nothing.
#[test]
fn retry_policies() {
    let retries = |policy: &[Vec<u8>]| service(&[field(1, "c")], &[field(6, policy.concat())]).retry_policy.unwrap();
    let expected = |base: u64, max: u64, policy: RetryPolicy| RetryPolicy {
        per_try_timeout: Some(Duration::from_millis(max)),
        back_off: BackOff {
            base_interval: Some(Duration::from_millis(base)),
            max_interval: Some(Duration::from_millis(max)),
        },
        ..policy
    };
    assert_eq!(retries(&[]), expected(1000, 10_000, RetryPolicy::on(RetryOn::default())));
    let seconds = |seconds: u8| vec![8, seconds];
    let back_off = |base, max| field(1, [field(1, seconds(base)), field(2, seconds(max))].concat());
    let policy = retries(&[back_off(2, 3), field(2, seconds(5)), field(3, "5xx")]);
    let five = RetryPolicy { num_retries: 5, ..RetryPolicy::on(RetryOn::SERVER_ERROR) };
    assert_eq!(policy, expected(2000, 3000, five));
    // Envoy does not mind.
    assert_eq!(retries(&[back_off(2, 1)]).back_off.max_interval, Some(Duration::from_secs(2)));
    assert_eq!(service(&[field(1, "c"), field(3, field(3, "5xx"))], &[]).retry_policy, None);
}
