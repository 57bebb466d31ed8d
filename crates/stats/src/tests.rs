#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

use std::sync::Arc;

use super::*;

fn query(store: &StatsStore, parameters: &[(&str, &str)]) -> String {
    let parameters = parameters.iter().map(|(name, value)| (*name, (*value).to_owned()));
    StatsQuery::parse(parameters).unwrap().render(store)
}

#[test]
fn blocks_of_one_scope_are_added_up() {
    let store = StatsStore::new();
    let workers: Vec<_> = (0..3)
        .map(|n| {
            let store = Arc::clone(&store);
            std::thread::spawn(move || {
                let stats = HttpStats::new(&store, "in");
                for _ in 0..=n {
                    stats.downstream_rq_total().inc();
                    stats.downstream_rq_active().inc();
                }
                stats.downstream_rq_active().dec();
            })
        })
        .collect();
    workers.into_iter().for_each(|worker| worker.join().unwrap());

    let all = store.snapshot();
    assert_eq!(all["http.in.downstream_rq_total"].value, 6);
    assert_eq!(all["http.in.downstream_rq_active"].value, 3);
    assert_eq!(all["http.in.downstream_rq_active"].kind, StatKind::Gauge);
}

#[test]
fn a_gauge_may_go_down_on_another_worker() {
    let store = StatsStore::new();
    let (one, other) = (ClusterStats::new(&store, "c"), ClusterStats::new(&store, "c"));
    one.upstream_rq_active().inc();
    one.upstream_rq_active().inc();
    other.upstream_rq_active().dec();
    assert_eq!(store.snapshot()["cluster.c.upstream_rq_active"].value, 1);
}

#[test]
fn scopes_come_and_go() {
    let store = StatsStore::new();
    let fits = |prefix: &str| prefix == "cluster.c.";
    for total in 1..4 {
        let (stats, codes) = (ClusterStats::new(&store, "c"), ClusterCodeStats::new(&store, "c"));
        stats.upstream_cx_total().inc();
        stats.upstream_cx_length_ms().record(7);
        stats.membership_total().set(5);
        codes.count(200, false, false);
        codes.time(3, false, false);
        store.settle();
        store.merge_histograms();
        let (all, histograms) = (store.snapshot(), store.histograms());
        let values = ["upstream_cx_total", "upstream_rq_200", "external.upstream_rq_2xx", "membership_total"];
        let values = values.map(|name| all[&format!("cluster.c.{name}")].value);
        assert_eq!(values, [total, total, total, 5], "what is gone shows no gauges");
        let counts = ["upstream_cx_length_ms", "upstream_rq_time"];
        let counts = counts.map(|name| histograms[&format!("cluster.c.{name}")].cumulative.count());
        assert_eq!(counts, [total, total]);
    }
    let other = ClusterStats::new(&store, "c.d");
    other.upstream_cx_total().add(3);
    store.reset_counters();
    store.remove_scopes(&fits);
    other.upstream_cx_total().inc();
    let all = store.snapshot();
    assert_eq!(all["cluster.c.d.upstream_cx_total"].value, 1);
    assert!(all.keys().all(|name| !name.starts_with("cluster.c.") || name.starts_with("cluster.c.d.")));
    ClusterStats::new(&store, "c").upstream_cx_total().inc();
    assert_eq!(store.snapshot()["cluster.c.upstream_cx_total"].value, 1, "it begins at nothing");
}

#[test]
fn names_go_with_the_last_of_their_writers() {
    let store = StatsStore::new();
    let shown = |name: &str| store.snapshot().get(name).map(|sample| sample.value);
    let (one, other) = (HttpStats::new(&store, "in"), HttpStats::new(&store, "in"));
    let (names, codes) = (SslNames::new(&store, "listener.l."), CodeStats::new(&store, "vhost.v.".into()));
    let owner = Arc::new(7);
    store.add_source_of(&owner, |value, add| {
        add("source", Sample { kind: StatKind::Gauge, value: *value, used: true });
    });
    one.downstream_rq_total().inc();
    one.downstream_cx_active().inc();
    names.count("versions", "TLSv1.3");
    codes.count(200);
    store.settle();
    assert_eq!([shown("http.in.downstream_rq_total"), shown("http.in.downstream_cx_active")], [Some(1), Some(1)]);
    assert_eq!([shown("listener.l.ssl.versions.TLSv1.3"), shown("vhost.v.upstream_rq_200")], [Some(1), Some(1)]);
    assert_eq!(shown("source"), Some(7));

    drop((one, names, codes, owner));
    store.settle();
    assert_eq!([shown("http.in.downstream_rq_total"), shown("http.in.downstream_cx_active")], [Some(1), Some(0)]);
    assert_eq!([shown("listener.l.ssl.versions.TLSv1.3"), shown("vhost.v.upstream_rq_200")], [None, None]);
    assert_eq!(shown("source"), None);

    store.reset_counters();
    drop(other);
    store.settle();
    assert!(store.snapshot().is_empty());
    HttpStats::new(&store, "in").downstream_rq_total().inc();
    assert_eq!(shown("http.in.downstream_rq_total"), Some(1), "it begins at nothing");
}

#[test]
fn writers_without_end_take_no_room() {
    let store = StatsStore::new();
    let last = HttpStats::new(&store, "in");
    for _ in 0..100 {
        HttpStats::new(&store, "in").downstream_rq_total().inc();
        store.settle();
    }
    last.downstream_rq_total().inc();
    assert_eq!(store.snapshot()["http.in.downstream_rq_total"].value, 101);
    assert_eq!(store.blocks.len(), 2);
}

#[test]
fn each_name_has_its_own_value() {
    let store = StatsStore::new();
    let stats = ClusterStats::new(&store, "c");
    stats.upstream_rq_total().add(2);
    stats.membership_healthy().set(7);
    let used: Vec<_> =
        store.snapshot().into_iter().filter(|(_, sample)| sample.used).map(|(name, s)| (name, s.value)).collect();
    assert_eq!(used, [("cluster.c.membership_healthy".into(), 7), ("cluster.c.upstream_rq_total".into(), 2)]);
}

#[test]
fn codes_are_listed_once_counted() {
    let store = StatsStore::new();
    let codes = CodeStats::new(&store, "c.".into());
    assert_eq!(query(&store, &[]), "");
    for code in [503, 200, 599, 503, 99, 600, 0, u32::MAX] {
        codes.count(code);
    }
    codes.time(7);
    store.merge_histograms();
    let wanted = [
        "c.upstream_rq_200: 1",
        "c.upstream_rq_2xx: 1",
        "c.upstream_rq_503: 2",
        "c.upstream_rq_599: 1",
        "c.upstream_rq_5xx: 3",
        "c.upstream_rq_completed: 8",
    ];
    let shown = query(&store, &[]);
    assert_eq!(shown.lines().take(6).collect::<Vec<_>>(), wanted);
    assert!(shown.lines().nth(6).unwrap().starts_with("c.upstream_rq_time: P0(7.05,7.05)"), "{shown}");
}

#[test]
fn clusters_tell_who_asked_and_who_answered() {
    let store = StatsStore::new();
    let codes = ClusterCodeStats::new(&store, "c");
    codes.count_basic(503);
    codes.count(200, false, false);
    codes.count(204, true, true);
    let wanted = [
        "cluster.c.canary.upstream_rq_204: 1",
        "cluster.c.canary.upstream_rq_2xx: 1",
        "cluster.c.canary.upstream_rq_completed: 1",
        "cluster.c.external.upstream_rq_200: 1",
        "cluster.c.external.upstream_rq_2xx: 1",
        "cluster.c.external.upstream_rq_completed: 1",
        "cluster.c.internal.upstream_rq_204: 1",
        "cluster.c.internal.upstream_rq_2xx: 1",
        "cluster.c.internal.upstream_rq_completed: 1",
        "cluster.c.upstream_rq_200: 1",
        "cluster.c.upstream_rq_204: 1",
        "cluster.c.upstream_rq_2xx: 2",
        "cluster.c.upstream_rq_503: 1",
        "cluster.c.upstream_rq_5xx: 1",
    ];
    assert_eq!(query(&store, &[]).lines().collect::<Vec<_>>(), wanted);
}

#[test]
fn query_filters_and_formats() {
    let store = StatsStore::new();
    store.add_source(Box::new(|add| {
        add("wasm.created", Sample { kind: StatKind::Counter, value: 4, used: true });
        add("wasm.idle", Sample { kind: StatKind::Counter, value: 0, used: false });
    }));
    assert_eq!(query(&store, &[("filter", "^wasm")]), "wasm.created: 4\nwasm.idle: 0\n");
    assert_eq!(query(&store, &[("filter", "i"), ("usedonly", "")]), "");
    assert_eq!(
        query(&store, &[("usedonly", ""), ("format", "json")]),
        r#"{"stats":[{"name":"wasm.created","value":4}]}"#
    );
    let parse = |name, value: &str| StatsQuery::parse([(name, value.to_owned())].into_iter());
    assert_eq!(parse("format", "xml").unwrap_err(), StatsQueryError::Format);
    for (pattern, wanted) in [
        ("[", "missing ]: ["),
        ("(a", "missing ): (a"),
        ("a)", "unexpected ): a)"),
        ("*a", "no argument for repetition operator: *"),
        ("(?=a)", "invalid perl operator: (?="),
        ("[z-a]", "invalid character class range: z-a"),
    ] {
        assert_eq!(parse("filter", pattern).unwrap_err().to_string(), format!("Invalid re2 regex: {wanted}"));
    }
    assert_eq!(parse("type", "counters").unwrap_err(), StatsQueryError::Kind);
    assert_eq!(parse("hidden", "x").unwrap_err(), StatsQueryError::Hidden);
    assert_eq!(parse("histogram_buckets", "x").unwrap_err(), StatsQueryError::Buckets);
    assert_eq!(
        parse("histogram_buckets", "detailed").unwrap().prometheus().unwrap_err(),
        StatsQueryError::PrometheusBuckets
    );
}

#[test]
fn histograms_show_what_was_merged() {
    let store = StatsStore::new();
    let (one, other) = (ListenerStats::new(&store, "l"), ListenerStats::new(&store, "l"));
    let show = || query(&store, &[("filter", "length_ms")]);
    one.downstream_cx_length_ms().record(0);
    assert_eq!(show(), "listener.l.downstream_cx_length_ms: No recorded values\n");
    for value in [41, 43, 43] {
        one.downstream_cx_length_ms().record(value);
        other.downstream_cx_length_ms().record(43);
    }
    store.merge_histograms();
    let cumulative = [
        ("0", "0"),
        ("25", "41.5"),
        ("50", "43.333333333333336"),
        ("75", "43.666666666666664"),
        ("90", "43.833333333333336"),
    ];
    assert!(show().starts_with("listener.l.downstream_cx_length_ms: P0(0,0) P25(41.5,41.5) "), "{}", show());
    store.merge_histograms();
    for (quantile, value) in cumulative {
        assert!(show().contains(&format!("P{quantile}(nan,{value})")), "{}", show());
    }
}

#[test]
fn counters_are_sent_as_differences_and_reset_by_name_only() {
    let store = StatsStore::new();
    let stats = ListenerStats::new(&store, "l");
    let (sender, messages) = std::sync::mpsc::sync_channel(1);
    store.send_to(sender);
    let flushed = || -> Vec<_> {
        store.send(store.latch());
        assert_eq!(store.lost_flushes(), 0);
        let SinkMessage::Flush(stats) = messages.recv().unwrap() else { panic!() };
        stats
            .into_iter()
            .map(|stat| (stat.name.rsplit('.').next().unwrap().to_owned(), stat.value, stat.added))
            .collect()
    };
    stats.downstream_cx_total().add(3);
    stats.downstream_cx_active().inc();
    assert_eq!(flushed(), [("downstream_cx_active".into(), 1, 0), ("downstream_cx_total".into(), 3, 3)]);
    store.reset_counters();
    stats.downstream_cx_total().add(2);
    stats.downstream_cx_active().dec();
    assert_eq!(
        query(&store, &[("usedonly", "")]),
        "listener.l.downstream_cx_active: 0\nlistener.l.downstream_cx_total: 2\n"
    );
    assert_eq!(flushed(), [("downstream_cx_active".into(), 0, 0), ("downstream_cx_total".into(), 2, 2)]);
    assert_eq!(flushed(), [("downstream_cx_active".into(), 0, 0), ("downstream_cx_total".into(), 2, 0)]);
    store.send(store.latch());
    store.send(store.latch());
    assert_eq!(store.lost_flushes(), 1);
}

#[test]
fn values_are_sent_one_by_one() {
    let store = StatsStore::new();
    let (sender, values) = std::sync::mpsc::sync_channel(2);
    store.send_to(sender);
    let stats = ListenerStats::new(&store, "l");
    // The third finds no room and is lost to the receiver, not to the histogram.
    for value in [1234, 7, 8] {
        stats.downstream_cx_length_ms().record(value);
    }
    let value = |message| match message {
        SinkMessage::Value { name, value, unit: Unit::Milliseconds } => Some((name.to_string(), value)),
        _ => None,
    };
    let sent: Vec<_> = values.try_iter().filter_map(value).collect();
    let name = "listener.l.downstream_cx_length_ms".to_owned();
    assert_eq!(sent, [(name.clone(), 1234), (name.clone(), 7)]);
    store.merge_histograms();
    assert_eq!(store.histograms()[&name].cumulative.count(), 3);
}

#[test]
fn rejected_stats_are_not_there() {
    let store = StatsStore::new();
    store.configure(StatsSettings {
        rejects: Some(Box::new(|name| name.ends_with("_ms") || name.contains("overflow"))),
        ..StatsSettings::default()
    });
    let stats = ListenerStats::new(&store, "l");
    stats.downstream_cx_overflow().inc();
    stats.downstream_cx_length_ms().record(1);
    store.merge_histograms();
    assert_eq!(query(&store, &[("filter", "_ms|overflow")]), "");
    assert_eq!(query(&store, &[("filter", "no_filter")]), "listener.l.no_filter_chain_match: 0\n");
}

#[test]
fn a_parser_reads_the_prometheus_text() {
    let store = StatsStore::new();
    store.configure(StatsSettings {
        tags: TagProducer::new(true, false, &[TagSpecifier::Fixed("odd-name".into(), "a\"b\\\nc".into())]).unwrap(),
        ..StatsSettings::default()
    });
    let cluster = ClusterStats::new(&store, "one.two:3");
    cluster.upstream_rq_total().add(5);
    cluster.upstream_cx_connect_ms().record(7);
    ClusterCodeStats::new(&store, "one").count(200, false, false);
    store.merge_histograms();
    let text = query(&store, &[("format", "prometheus")]);
    let scrape = prometheus_parse::Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap();
    let value = |name: &str| scrape.samples.iter().find(|sample| sample.metric == name);

    let total = value("envoy_cluster_two_3_upstream_rq_total").unwrap();
    assert_eq!(total.value, prometheus_parse::Value::Counter(5.0));
    assert_eq!(total.labels.get("envoy_cluster_name"), Some("one"));
    assert!(total.labels.get("odd_name").is_some());
    let code = value("envoy_cluster_external_upstream_rq").unwrap();
    assert_eq!(code.labels.get("envoy_response_code"), Some("200"));
    let prometheus_parse::Value::Histogram(buckets) =
        &value("envoy_cluster_two_3_upstream_cx_connect_ms").unwrap().value
    else {
        panic!("{text}")
    };
    assert_eq!(buckets.len(), 20);
    assert_eq!(
        buckets.iter().filter(|bucket| bucket.count == 0.0).map(|bucket| bucket.less_than).collect::<Vec<_>>(),
        [0.5, 1.0, 5.0]
    );
    // Nothing is lost on the way: every line that is no comment is a sample, or part of a histogram.
    let plain =
        text.lines().filter(|line| !line.starts_with('#') && !line.contains("_ms") && !line.contains("_per_cx"));
    let read = scrape.samples.iter().filter(|sample| !matches!(sample.value, prometheus_parse::Value::Histogram(_)));
    let read = read.filter(|sample| !sample.metric.contains("_ms") && !sample.metric.contains("_per_cx"));
    assert_eq!(plain.count(), read.count());
}
