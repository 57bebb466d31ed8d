//! Events of health checks as JSON: `envoy.data.core.v3.HealthCheckEvent`, members in the order of field numbers.

use std::collections::BTreeMap;
use std::time::SystemTime;

use prost::Message as _;
use prost_types::value::Kind;
use prost_types::{Struct, Value};
use sandgate_load_balancing::Host;
use serde::Serialize;

use super::{Event, Failure};
use crate::event_file::{EventFile, timestamp};

/// Where a cluster's events go, and which.
#[derive(Debug, Default)]
pub(crate) struct EventLog {
    pub(crate) files: Vec<EventFile>,
    pub(crate) cluster: String,
    /// `HTTP` or `TCP`.
    pub(crate) checker_type: &'static str,
    pub(crate) always_failures: bool,
    pub(crate) always_success: bool,
}

#[derive(Debug, Default, Serialize)]
struct Line<'a> {
    health_checker_type: &'a str,
    host: Address,
    cluster_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    eject_unhealthy_event: Option<EjectUnhealthy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    add_healthy_event: Option<AddHealthy>,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    health_check_failure_event: Option<CheckFailure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    degraded_healthy_host: Option<Nothing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_longer_degraded_host: Option<Nothing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata>,
    locality: Locality<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    successful_health_check_event: Option<Nothing>,
}

#[derive(Debug, Default, Serialize)]
struct Nothing {}

#[derive(Debug, Serialize)]
struct EjectUnhealthy {
    failure_type: &'static str,
    http_status_code: u16,
}

#[derive(Debug, Serialize)]
struct AddHealthy {
    first_check: bool,
}

#[derive(Debug, Serialize)]
struct CheckFailure {
    failure_type: &'static str,
    first_check: bool,
    http_status_code: u16,
}

#[derive(Debug, Serialize)]
struct Metadata {
    filter_metadata: serde_json::Value,
    typed_filter_metadata: Nothing,
}

#[derive(Debug, Default, Serialize)]
struct Locality<'a> {
    region: &'a str,
    zone: &'a str,
    sub_zone: &'a str,
}

#[derive(Debug, Default, Serialize)]
struct Address {
    socket_address: SocketAddress,
}

#[derive(Debug, Default, Serialize)]
struct SocketAddress {
    protocol: &'static str,
    address: String,
    port_value: u16,
    resolver_name: &'static str,
    ipv4_compat: bool,
    network_namespace_filepath: &'static str,
}

/// `envoy.config.core.v3.Metadata`, as far as it is shown.
#[derive(Clone, PartialEq, prost::Message)]
struct MetadataMessage {
    #[prost(btree_map = "string, message", tag = "1")]
    filter_metadata: BTreeMap<String, Struct>,
}

// === impl EventLog ===

impl EventLog {
    /// Writes an event, if it is one of those that are written.
    pub(super) fn write(&self, host: &Host, event: &Event) {
        let wanted = match event {
            Event::Successful => self.always_success,
            Event::Failed { first, .. } => *first || self.always_failures,
            _ => true,
        };
        if self.files.is_empty() || !wanted {
            return;
        }
        let line = self.line(host, event, SystemTime::now());
        self.files.iter().for_each(|file| file.write(&line));
    }

    fn line<'a>(&'a self, host: &'a Host, event: &Event, now: SystemTime) -> Line<'a> {
        let address = host.address();
        let socket_address = SocketAddress {
            protocol: "TCP",
            address: address.ip().to_string(),
            port_value: address.port(),
            resolver_name: "",
            ipv4_compat: false,
            network_namespace_filepath: "",
        };
        let mut line = Line {
            health_checker_type: self.checker_type,
            host: Address { socket_address },
            cluster_name: &self.cluster,
            timestamp: timestamp(now),
            metadata: metadata(&host.metadata),
            locality: Locality {
                region: &host.locality.region,
                zone: &host.locality.zone,
                sub_zone: &host.locality.sub_zone,
            },
            ..Line::default()
        };
        match *event {
            Event::AddHealthy { first } => line.add_healthy_event = Some(AddHealthy { first_check: first }),
            Event::Successful => line.successful_health_check_event = Some(Nothing {}),
            Event::DegradedHealthy => line.degraded_healthy_host = Some(Nothing {}),
            Event::NoLongerDegraded => line.no_longer_degraded_host = Some(Nothing {}),
            Event::EjectUnhealthy(failure) => {
                line.eject_unhealthy_event =
                    Some(EjectUnhealthy { failure_type: failure_type(failure), http_status_code: status(failure) });
            }
            Event::Failed { failure, first } => {
                line.health_check_failure_event = Some(CheckFailure {
                    failure_type: failure_type(failure),
                    first_check: first,
                    http_status_code: status(failure),
                });
            }
        }
        line
    }
}

fn failure_type(failure: Failure) -> &'static str {
    match failure {
        Failure::Active { .. } => "ACTIVE",
        Failure::Passive => "PASSIVE",
        Failure::Network => "NETWORK",
        Failure::NetworkTimeout => "NETWORK_TIMEOUT",
    }
}

fn status(failure: Failure) -> u16 {
    match failure {
        Failure::Active { status, .. } => status,
        _ => 0,
    }
}

fn metadata(bytes: &[u8]) -> Option<Metadata> {
    let message = MetadataMessage::decode(bytes).ok().filter(|_| !bytes.is_empty())?;
    let members = message.filter_metadata.into_iter().map(|(name, value)| (name, structure(value)));
    Some(Metadata { filter_metadata: members.collect(), typed_filter_metadata: Nothing {} })
}

fn structure(value: Struct) -> serde_json::Value {
    value.fields.into_iter().map(|(name, value)| (name, json_value(value))).collect()
}

fn json_value(value: Value) -> serde_json::Value {
    match value.kind {
        None | Some(Kind::NullValue(_)) => serde_json::Value::Null,
        #[expect(clippy::cast_possible_truncation, reason = "a whole number that fits")]
        Some(Kind::NumberValue(number)) if number.fract() == 0.0 && number.abs() < 1e15 => (number as i64).into(),
        Some(Kind::NumberValue(number)) => number.into(),
        Some(Kind::StringValue(text)) => text.into(),
        Some(Kind::BoolValue(value)) => value.into(),
        Some(Kind::StructValue(value)) => structure(value),
        Some(Kind::ListValue(list)) => list.values.into_iter().map(json_value).collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use std::sync::Arc;
    use std::time::Duration;

    use sandgate_config::model::{Endpoint, EndpointAddress};

    use super::*;

    /// Lines that Envoy 1.40 wrote.
    #[test]
    fn lines_are_envoys() {
        let address = ([127, 0, 0, 1], 19101).into();
        let text = Value { kind: Some(Kind::StringValue("c".into())) };
        let inner = Struct { fields: [("b".to_owned(), text)].into() };
        let metadata = MetadataMessage { filter_metadata: [("a".to_owned(), inner)].into() };
        let locality =
            sandgate_load_balancing::Locality { region: "r1".into(), zone: "z1".into(), sub_zone: String::new() };
        let log = EventLog { cluster: "c".into(), checker_type: "HTTP", ..EventLog::default() };
        let line = |metadata: Option<&MetadataMessage>, event| {
            let metadata = metadata.map(|metadata| metadata.encode_to_vec().into());
            let endpoint = Endpoint { metadata, ..Endpoint::new(EndpointAddress::Ip(address)) };
            let host = Host::new(&endpoint, address, 0, &Arc::new(locality.clone()), false);
            let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_343_600_815);
            serde_json::to_string(&log.line(&host, &event, now)).unwrap()
        };
        let start = r#"{"health_checker_type":"HTTP","host":{"socket_address":{"protocol":"TCP","address":"127.0.0.1","port_value":19101,"resolver_name":"","ipv4_compat":false,"network_namespace_filepath":""}},"cluster_name":"c","#;
        let end = r#","locality":{"region":"r1","zone":"z1","sub_zone":""}}"#;
        let time = r#""timestamp":"2026-11-22T10:33:20.815Z""#;
        assert_eq!(
            line(Some(&metadata), Event::AddHealthy { first: true }),
            format!(
                r#"{start}"add_healthy_event":{{"first_check":true}},{time},"metadata":{{"filter_metadata":{{"a":{{"b":"c"}}}},"typed_filter_metadata":{{}}}}{end}"#
            )
        );
        let failure = Failure::Active { status: 503, retriable: false };
        assert_eq!(
            line(None, Event::EjectUnhealthy(failure)),
            format!(r#"{start}"eject_unhealthy_event":{{"failure_type":"ACTIVE","http_status_code":503}},{time}{end}"#)
        );
        assert_eq!(
            line(None, Event::Failed { failure, first: false }),
            format!(
                r#"{start}{time},"health_check_failure_event":{{"failure_type":"ACTIVE","first_check":false,"http_status_code":503}}{end}"#
            )
        );
        assert_eq!(line(None, Event::DegradedHealthy), format!(r#"{start}{time},"degraded_healthy_host":{{}}{end}"#));
    }
}
