#![allow(clippy::unwrap_used, reason = "a failed test may panic")]
use super::*;

fn check(producer: &TagProducer, name: &str, wanted: &str, tags: &[(&str, &str)]) {
    let (extracted, found) = producer.extract(name);
    assert_eq!(extracted, wanted, "{name}");
    assert_eq!(found.iter().map(|(tag, value)| (*tag, value.as_str())).collect::<Vec<_>>(), tags, "{name}");
}

/// As Envoy 1.40 shows them.
#[test]
fn default_tags() {
    let producer = TagProducer::default();
    let address = ("envoy.listener_address", "127.0.0.1_18930");
    let cluster = ("envoy.cluster_name", "up");
    let manager = |name| ("envoy.http_conn_manager_prefix", name);
    for (name, wanted, tags) in [
        ("cluster.up.upstream_rq_200", "cluster.upstream_rq", vec![("envoy.response_code", "200"), cluster]),
        (
            "cluster.up.external.upstream_rq_2xx",
            "cluster.external.upstream_rq_xx",
            vec![("envoy.response_code_class", "2"), cluster],
        ),
        ("cluster.up.c_d.warming_state", "cluster.c_d.warming_state", vec![cluster]),
        ("cluster_manager.cluster_added", "cluster_manager.cluster_added", vec![]),
        ("http.in.downstream_rq_total", "http.downstream_rq_total", vec![manager("in")]),
        ("listener.admin.downstream_cx_total", "listener.admin.downstream_cx_total", vec![]),
        (
            "listener.admin.http.admin.downstream_rq_2xx",
            "listener.admin.http.downstream_rq_xx",
            vec![("envoy.response_code_class", "2"), manager("admin")],
        ),
        (
            "listener.127.0.0.1_18930.http.in.downstream_rq_2xx",
            "listener.http.downstream_rq_xx",
            vec![("envoy.response_code_class", "2"), manager("in"), address],
        ),
        (
            "listener.127.0.0.1_18930.worker_1.downstream_cx_total",
            "listener.worker_downstream_cx_total",
            vec![("envoy.worker_id", "1"), address],
        ),
        ("server.worker_0.watchdog_miss", "server.worker_watchdog_miss", vec![("envoy.worker_id", "0")]),
        (
            "vhost.vh.vcluster.other.upstream_rq_503",
            "vhost.vcluster.upstream_rq",
            vec![("envoy.response_code", "503"), ("envoy.virtual_cluster", "other"), ("envoy.virtual_host", "vh")],
        ),
        (
            "vhost.vh.route.rt.upstream_rq_time",
            "vhost.route.upstream_rq_time",
            vec![("envoy.virtual_host", "vh"), ("envoy.route", "rt")],
        ),
    ] {
        check(&producer, name, wanted, &tags);
    }
}

#[test]
fn tags_of_the_configuration() {
    let specifiers = [
        TagSpecifier::Regex("my.tag".into(), r"^cluster\.((.*?)\.)circuit".into()),
        TagSpecifier::Fixed("fixed".into(), "x".into()),
        TagSpecifier::Regex("foo".into(), "_(rq_(to))tal".into()),
    ];
    let producer = TagProducer::new(true, false, &specifiers).unwrap();
    let fixed = ("fixed", "x");
    check(
        &producer,
        "cluster.up.circuit_breakers.default.cx_open",
        "cluster.circuit_breakers.default.cx_open",
        &[fixed, ("envoy.cluster_name", "up"), ("my.tag", "up")],
    );
    check(&producer, "http.in.rq_total", "http.rq_total", &[fixed, ("envoy.http_conn_manager_prefix", "in")]);
    check(
        &producer,
        "http.in.downstream_rq_total",
        "http.downstream_tal",
        &[fixed, ("foo", "to"), ("envoy.http_conn_manager_prefix", "in")],
    );

    let producer = TagProducer::new(false, false, &[TagSpecifier::Default("envoy.cluster_name".into())]).unwrap();
    check(&producer, "cluster.up.upstream_rq_200", "cluster.upstream_rq_200", &[("envoy.cluster_name", "up")]);

    let own = [TagSpecifier::Regex("envoy.cluster_name".into(), r"^cluster\.[^.]+\.(([^.]+)\.)".into())];
    let name = "cluster.foo.bar.x";
    check(&TagProducer::new(true, true, &own).unwrap(), name, "cluster.foo.x", &[("envoy.cluster_name", "bar")]);
    check(&TagProducer::new(true, false, &own).unwrap(), name, "cluster.bar.x", &[("envoy.cluster_name", "foo")]);
}

#[test]
fn what_is_no_rule_is_refused() {
    let of = |specifier| TagProducer::new(true, false, &[specifier]).unwrap_err();
    assert_eq!(
        of(TagSpecifier::Default("x".into())).to_string(),
        "No regex specified for tag specifier and no default regex for name: 'x'"
    );
    assert_eq!(of(TagSpecifier::Regex(String::new(), "x".into())), TagError::NoName);
    assert!(matches!(of(TagSpecifier::Regex("x".into(), "(".into())), TagError::Regex { .. }));
}
