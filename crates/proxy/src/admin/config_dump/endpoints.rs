//! The endpoints of clusters, as they are now.

use std::sync::Arc;

use sandgate_load_balancing::{Host, Locality};
use serde_json::{Value, json};

use super::super::AdminContext;
use super::super::clusters::{address, locality, name};
use super::packed;
use super::sections::{List, Section};
use crate::cluster::ClusterEntry;

pub(super) fn section(context: &AdminContext) -> Section {
    let entries = context.clusters.as_ref().map(|table| table.all_active()).unwrap_or_default();
    let item = |entry: &Arc<ClusterEntry>| {
        let config = packed("envoy.config.endpoint.v3.ClusterLoadAssignment", &assignment(entry));
        json!({ "endpoint_config": config })
    };
    // As in Envoy: those of clusters that control planes bring are dynamic, too, wherever their endpoints come from.
    let is_dynamic = |entry: &&Arc<ClusterEntry>| entry.origin.is_api() || entry.service_name().is_some();
    let (dynamic, fixed): (Vec<_>, Vec<_>) = entries.iter().partition(is_dynamic);
    let list = |field, element| List::new(field, element, "endpoint_config", "cluster_name");
    Section::new(
        "EndpointsConfigDump",
        vec![
            list("static_endpoint_configs", "StaticEndpointConfig").of(fixed.into_iter().map(item).collect()),
            list("dynamic_endpoint_configs", "DynamicEndpointConfig").of(dynamic.into_iter().map(item).collect()),
        ],
    )
}

/// By priority, then by locality.
fn assignment(entry: &ClusterEntry) -> Value {
    let set = entry.hosts();
    let mut groups: Vec<((u32, &Locality), Vec<&Host>)> = Vec::new();
    for host in &set.hosts {
        let key = (host.priority, &*host.locality);
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, hosts)) => hosts.push(host),
            None => groups.push((key, vec![host])),
        }
    }
    groups.sort_by_key(|(key, _)| *key);
    let endpoints: Vec<_> = groups.into_iter().map(|((priority, _), hosts)| group(priority, &hosts)).collect();
    let name = entry.service_name().unwrap_or(&entry.config.name);
    json!({ "cluster_name": name, "endpoints": endpoints, "policy": { "overprovisioning_factor": 140 } })
}

fn group(priority: u32, hosts: &[&Host]) -> Value {
    let place = hosts.first().map_or(Value::Null, |host| locality(host));
    let endpoints: Vec<_> = hosts.iter().map(|host| endpoint(host)).collect();
    let mut group = json!({ "locality": place, "lb_endpoints": endpoints, "load_balancing_weight": 0 });
    if let (Value::Object(fields), true) = (&mut group, priority != 0) {
        fields.insert("priority".to_owned(), json!(priority));
    }
    group
}

fn endpoint(host: &Host) -> Value {
    let mut endpoint = json!({ "address": address(host), "health_check_config": {} });
    if let (Value::Object(fields), false) = (&mut endpoint, host.hostname.is_empty()) {
        fields.insert("hostname".to_owned(), json!(&*host.hostname));
    }
    let mut outer = json!({ "endpoint": endpoint, "health_status": name(host.health_status()) });
    if let Value::Object(fields) = &mut outer {
        let metadata = sandgate_config::message_to_json("envoy.config.core.v3.Metadata", &host.metadata);
        if let (Ok(metadata), false) = (metadata, host.metadata.is_empty()) {
            fields.insert("metadata".to_owned(), metadata);
        }
        fields.insert("load_balancing_weight".to_owned(), json!(host.weight));
    }
    outer
}
