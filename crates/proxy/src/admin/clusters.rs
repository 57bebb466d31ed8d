//! `/clusters`.

use std::fmt::Write as _;
use std::sync::Arc;

use regex::Regex;
use sandgate_config::model::{Discovery, HealthStatus, Thresholds};
use sandgate_load_balancing::{HealthFlag, Host};
use serde_json::{Map, Value, json};

use super::pages::{Parameters, value};
use super::{AdminContext, AdminResponse, TEXT};
use crate::cluster::{ClusterEntry, ClusterTable};

pub(super) fn clusters(context: &AdminContext, parameters: &Parameters) -> AdminResponse {
    let filter = match value(parameters, "filter").map(Regex::new).transpose() {
        Ok(filter) => filter,
        Err(error) => {
            log::error!(target: "admin", "admin: Invalid regex: {error}");
            return AdminResponse::new(400, TEXT, "Invalid re2 regex");
        }
    };
    let table = context.clusters.as_deref();
    let entries = table.map(ClusterTable::all_active).unwrap_or_default();
    let entries =
        entries.iter().filter(|entry| filter.as_ref().is_none_or(|filter| filter.is_match(&entry.config.name)));
    if value(parameters, "format") == Some("json") {
        let statuses: Vec<_> = entries.map(|entry| status(entry)).collect();
        let all = if statuses.is_empty() { json!({}) } else { json!({ "cluster_statuses": statuses }) };
        return AdminResponse::json(&all);
    }
    AdminResponse::text(entries.fold(String::new(), |mut out, entry| {
        text(entry, &mut out);
        out
    }))
}

fn text(entry: &ClusterEntry, out: &mut String) {
    let name = &entry.config.name;
    let _ = writeln!(out, "{name}::observability_name::{}", entry.config.stat_name());
    if entry.config.outlier_detection.is_some() {
        for (prefix, external) in [("", true), ("local_origin_", false)] {
            let rates = entry.outlier_rates.get(external);
            let _ = writeln!(out, "{name}::outlier::{prefix}success_rate_average::{}", rates.average);
            let _ = writeln!(out, "{name}::outlier::{prefix}success_rate_ejection_threshold::{}", rates.ejection);
        }
    }
    let breakers = &entry.config.circuit_breakers;
    for (priority, thresholds) in [("default", &breakers.default), ("high", &breakers.high)] {
        for (what, limit) in limits(thresholds) {
            let _ = writeln!(out, "{name}::{priority}_priority::{what}::{limit}");
        }
    }
    let _ = writeln!(out, "{name}::added_via_api::{}", entry.origin.is_api());
    if let Some(service) = eds_service_name(entry) {
        let _ = writeln!(out, "{name}::eds_service_name::{service}");
    }
    for host in hosts(entry) {
        host_text(name, &host, out);
    }
}

/// What the configuration says of it; empty if it leaves it to the cluster's name.
fn eds_service_name(entry: &ClusterEntry) -> Option<&str> {
    match &entry.config.discovery {
        Discovery::Eds(eds) if !eds.service_name.is_empty() => Some(&eds.service_name),
        _ => None,
    }
}

/// By priority, and in the order of the configuration.
fn hosts(entry: &ClusterEntry) -> Vec<Arc<Host>> {
    let mut hosts = entry.hosts().hosts.clone();
    hosts.sort_by_key(|host| host.priority);
    hosts
}

/// With a budget, what may be retried however little there is to do.
fn limits(thresholds: &Thresholds) -> [(&'static str, u32); 4] {
    [
        ("max_connections", thresholds.max_connections),
        ("max_pending_requests", thresholds.max_pending_requests),
        ("max_requests", thresholds.max_requests),
        ("max_retries", thresholds.retry_budget.map_or(thresholds.max_retries, |budget| budget.min_retry_concurrency)),
    ]
}

fn host_text(cluster: &str, host: &Host, out: &mut String) {
    let address = host.address();
    let mut line = |name: &str, value: &dyn std::fmt::Display| {
        let _ = writeln!(out, "{cluster}::{address}::{name}::{value}");
    };
    let mut stats: Vec<_> = host.stats.counters().into_iter().chain(gauges(host)).collect();
    stats.sort_unstable();
    for (name, value) in stats {
        line(name, &value);
    }
    let flags = host.flags.names().fold(String::new(), |all, flag| all + "/" + flag);
    line("hostname", &host.hostname);
    line("health_flags", if flags.is_empty() { &"healthy" } else { &flags });
    line("weight", &host.weight);
    line("region", &host.locality.region);
    line("zone", &host.locality.zone);
    line("sub_zone", &host.locality.sub_zone);
    line("canary", &host.canary);
    line("priority", &host.priority);
    line("success_rate", &host.outlier().success_rate(true));
    line("local_origin_success_rate", &host.outlier().success_rate(false));
}

/// Envoy counts requests that wait for a connection by host only where a pool belongs to one; ours wait in the cluster.
fn gauges(host: &Host) -> impl Iterator<Item = (&'static str, u64)> {
    host.stats.gauges().into_iter().chain([("rq_pending_active", 0)])
}

fn status(entry: &ClusterEntry) -> Value {
    let mut status = Map::new();
    status.insert("name".to_owned(), json!(entry.config.name));
    if entry.origin.is_api() {
        status.insert("added_via_api".to_owned(), json!(true));
    }
    for (prefix, external) in [("", true), ("local_origin_", false)] {
        let threshold = entry.outlier_rates.get(external).ejection;
        if threshold >= 0.0 {
            let name = format!("{prefix}success_rate_ejection_threshold");
            status.insert(name, json!({ "value": threshold }));
        }
    }
    let hosts: Vec<_> = hosts(entry).iter().map(|host| host_status(host)).collect();
    if !hosts.is_empty() {
        status.insert("host_statuses".to_owned(), json!(hosts));
    }
    let breakers = &entry.config.circuit_breakers;
    let thresholds = [(None, &breakers.default), (Some("HIGH"), &breakers.high)].map(|(priority, thresholds)| {
        let priority = priority.map(|priority| ("priority".to_owned(), json!(priority)));
        let limits = limits(thresholds).into_iter().map(|(name, limit)| (name.to_owned(), json!(limit)));
        Value::Object(priority.into_iter().chain(limits).collect())
    });
    status.insert("circuit_breakers".to_owned(), json!({ "thresholds": thresholds }));
    status.insert("observability_name".to_owned(), json!(entry.config.stat_name()));
    if let Some(service) = eds_service_name(entry) {
        status.insert("eds_service_name".to_owned(), json!(service));
    }
    Value::Object(status)
}

/// What is zero, false or empty is left out, as everywhere in protobuf's JSON.
fn host_status(host: &Host) -> Value {
    let mut status = Map::new();
    let mut add = |name: &str, value: Value, present: bool| {
        if present {
            status.insert(name.to_owned(), value);
        }
    };
    add("address", address(host), true);
    let counters = host.stats.counters().into_iter().map(|(name, value)| stat(None, name, value));
    let gauges = gauges(host).map(|(name, value)| stat(Some("GAUGE"), name, value));
    add("stats", json!(counters.chain(gauges).collect::<Vec<_>>()), true);
    add("health_status", health(host), true);
    add("weight", json!(host.weight), true);
    add("hostname", json!(&*host.hostname), !host.hostname.is_empty());
    add("priority", json!(host.priority), host.priority != 0);
    for (name, external) in [("success_rate", true), ("local_origin_success_rate", false)] {
        let rate = host.outlier().success_rate(external);
        add(name, json!({ "value": rate }), rate >= 0.0);
    }
    add("locality", locality(host), true);
    Value::Object(status)
}

pub(super) fn address(host: &Host) -> Value {
    let address = host.address();
    json!({ "socket_address": { "address": address.ip().to_string(), "port_value": address.port() } })
}

pub(super) fn locality(host: &Host) -> Value {
    let parts =
        [("region", &host.locality.region), ("zone", &host.locality.zone), ("sub_zone", &host.locality.sub_zone)];
    let parts = parts.into_iter().filter(|(_, value)| !value.is_empty());
    Value::Object(parts.map(|(name, value)| (name.to_owned(), json!(value))).collect())
}

fn stat(kind: Option<&str>, name: &str, value: u64) -> Value {
    let kind = kind.map(|kind| ("type".to_owned(), json!(kind)));
    let value = (value != 0).then(|| ("value".to_owned(), json!(value.to_string())));
    Value::Object(kind.into_iter().chain(value).chain([("name".to_owned(), json!(name))]).collect())
}

fn health(host: &Host) -> Value {
    let flags = [
        (HealthFlag::FailedActiveHc, "failed_active_health_check"),
        (HealthFlag::FailedOutlierCheck, "failed_outlier_check"),
        (HealthFlag::DegradedActiveHc, "failed_active_degraded_check"),
        (HealthFlag::PendingDynamicRemoval, "pending_dynamic_removal"),
        (HealthFlag::PendingActiveHc, "pending_active_hc"),
        (HealthFlag::ExcludedViaImmediateHcFail, "excluded_via_immediate_hc_fail"),
        (HealthFlag::ActiveHcTimeout, "active_hc_timeout"),
    ];
    let set =
        flags.into_iter().filter(|(flag, _)| host.flags.has(*flag)).map(|(_, name)| (name.to_owned(), json!(true)));
    let status = match () {
        () if host.flags.has(HealthFlag::FailedEdsHealth) => "UNHEALTHY",
        () if host.flags.has(HealthFlag::DegradedEdsHealth) => "DEGRADED",
        () if host.flags.has(HealthFlag::EdsStatusDraining) => "DRAINING",
        () => "HEALTHY",
    };
    Value::Object(set.chain([("eds_health_status".to_owned(), json!(status))]).collect())
}

/// Envoy's name of a status that is known by now.
pub(super) fn name(status: HealthStatus) -> &'static str {
    match status {
        HealthStatus::Unknown | HealthStatus::Healthy => "HEALTHY",
        HealthStatus::Unhealthy => "UNHEALTHY",
        HealthStatus::Draining => "DRAINING",
        HealthStatus::Timeout => "TIMEOUT",
        HealthStatus::Degraded => "DEGRADED",
    }
}
