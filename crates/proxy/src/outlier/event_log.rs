//! Events of outlier detection as JSON: `envoy.data.cluster.v3.OutlierDetectionEvent`, members in the order of field numbers.

use std::time::SystemTime;

use serde::Serialize;

use super::detector::{Change, Rates, Reason, What};
use crate::event_file::timestamp;

/// One line.
#[derive(Debug, Serialize)]
pub(crate) struct Line<'a> {
    r#type: &'static str,
    timestamp: String,
    /// A 64-bit number is text in protobuf's JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    secs_since_last_action: Option<String>,
    cluster_name: &'a str,
    upstream_url: String,
    action: &'static str,
    num_ejections: u32,
    enforced: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    eject_success_rate_event: Option<SuccessRate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eject_consecutive_event: Option<Consecutive>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eject_failure_percentage_event: Option<FailurePercentage>,
}

#[derive(Debug, Serialize)]
struct SuccessRate {
    host_success_rate: u32,
    cluster_average_success_rate: u32,
    cluster_success_rate_ejection_threshold: u32,
}

#[derive(Debug, Serialize)]
struct Consecutive {}

#[derive(Debug, Serialize)]
struct FailurePercentage {
    host_success_rate: u32,
}

// === impl Line ===

impl<'a> Line<'a> {
    /// What has changed in `cluster`.
    pub(crate) fn new(cluster: &'a str, change: &Change, now: SystemTime) -> Self {
        let mut line = Self {
            // What a host that comes back was out for is not said.
            r#type: Reason::Consecutive5xx.name(),
            timestamp: timestamp(now),
            secs_since_last_action: change.since_last.map(|since| since.as_secs().to_string()),
            cluster_name: cluster,
            upstream_url: change.host.address().to_string(),
            action: "UNEJECT",
            num_ejections: change.ejections,
            enforced: false,
            eject_success_rate_event: None,
            eject_consecutive_event: None,
            eject_failure_percentage_event: None,
        };
        if let What::Ejected { reason, enforced, rates } = change.what {
            line.r#type = reason.name();
            line.action = "EJECT";
            line.enforced = enforced;
            line.explain(reason, rates);
        }
        line
    }

    fn explain(&mut self, reason: Reason, rates: Rates) {
        match reason {
            Reason::SuccessRate | Reason::SuccessRateLocalOrigin => {
                self.eject_success_rate_event = Some(SuccessRate {
                    host_success_rate: whole(rates.host),
                    cluster_average_success_rate: whole(rates.threshold.average),
                    cluster_success_rate_ejection_threshold: whole(rates.threshold.ejection),
                });
            }
            Reason::FailurePercentage | Reason::FailurePercentageLocalOrigin => {
                self.eject_failure_percentage_event = Some(FailurePercentage { host_success_rate: whole(rates.host) });
            }
            Reason::Consecutive5xx
            | Reason::ConsecutiveGatewayFailure
            | Reason::ConsecutiveLocalOriginFailure
            | Reason::Degraded => self.eject_consecutive_event = Some(Consecutive {}),
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a percentage without its fraction")]
fn whole(percent: f64) -> u32 {
    percent as u32
}

// === impl Reason ===

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Self::Consecutive5xx => "CONSECUTIVE_5XX",
            Self::ConsecutiveGatewayFailure => "CONSECUTIVE_GATEWAY_FAILURE",
            Self::SuccessRate => "SUCCESS_RATE",
            Self::ConsecutiveLocalOriginFailure => "CONSECUTIVE_LOCAL_ORIGIN_FAILURE",
            Self::SuccessRateLocalOrigin => "SUCCESS_RATE_LOCAL_ORIGIN",
            Self::FailurePercentage => "FAILURE_PERCENTAGE",
            Self::FailurePercentageLocalOrigin => "FAILURE_PERCENTAGE_LOCAL_ORIGIN",
            Self::Degraded => "DEGRADED",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use std::sync::Arc;
    use std::time::Duration;

    use sandgate_config::model::{Endpoint, EndpointAddress};
    use sandgate_load_balancing::Host;

    use super::super::rates::Threshold;
    use super::*;

    /// The lines of consecutive failures are Envoy 1.40's.
    #[test]
    fn lines_are_envoys() {
        let address = ([127, 0, 0, 1], 19101).into();
        let host = Host::new(&Endpoint::new(EndpointAddress::Ip(address)), address, 0, &Arc::default(), false);
        let line = |what, ejections, since_last: Option<u64>| {
            let change =
                Change { host: Arc::clone(&host), what, ejections, since_last: since_last.map(Duration::from_millis) };
            let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_343_600_470);
            serde_json::to_string(&Line::new("c", &change, now)).unwrap()
        };
        let ejected = |reason, host| What::Ejected {
            reason,
            enforced: true,
            rates: Rates { host, threshold: Threshold { average: 90.0, ejection: 52.7 } },
        };
        let time = r#""timestamp":"2026-11-22T10:33:20.470Z""#;
        let host = r#""cluster_name":"c","upstream_url":"127.0.0.1:19101""#;
        assert_eq!(
            line(ejected(Reason::Consecutive5xx, -1.0), 1, None),
            format!(
                r#"{{"type":"CONSECUTIVE_5XX",{time},{host},"action":"EJECT","num_ejections":1,"enforced":true,"eject_consecutive_event":{{}}}}"#
            )
        );
        assert_eq!(
            line(What::Unejected, 1, Some(493)),
            format!(
                r#"{{"type":"CONSECUTIVE_5XX",{time},"secs_since_last_action":"0",{host},"action":"UNEJECT","num_ejections":1,"enforced":false}}"#
            )
        );
        assert!(line(ejected(Reason::SuccessRate, 49.9), 1, None).ends_with(
            r#""eject_success_rate_event":{"host_success_rate":49,"cluster_average_success_rate":90,"cluster_success_rate_ejection_threshold":52}}"#
        ));
        assert!(
            line(ejected(Reason::FailurePercentage, 10.0), 1, None)
                .ends_with(r#""eject_failure_percentage_event":{"host_success_rate":10}}"#)
        );
    }
}
