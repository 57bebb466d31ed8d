//! `/certs`: certificates that are in use.

use std::time::{SystemTime, UNIX_EPOCH};

use sandgate_filter::CertificateInfo;
use serde_json::{Value, json};

use super::{AdminContext, AdminResponse, pages::Parameters};

const SECONDS_PER_DAY: i64 = 86_400;

/// For each certificate of a listener, what it is checked with and what it is.
pub(super) fn certs(context: &AdminContext, _: &Parameters) -> AdminResponse {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let mut all = Vec::new();
    for tls in context.tls.get() {
        let (certificates, ca) = tls.certificates();
        let ca: Vec<_> = ca.iter().map(|ca| certificate(&ca.info, &ca.place, now)).collect();
        let chain: Vec<_> =
            certificates.iter().map(|certificate_| certificate(&certificate_.info, &certificate_.place, now)).collect();
        all.push(json!({ "ca_cert": ca, "cert_chain": chain }));
    }
    AdminResponse::json(&json!({ "certificates": all }))
}

fn certificate(info: &CertificateInfo, path: &str, now: i64) -> Value {
    let names = |kind: &'static str, names: &[String]| -> Vec<Value> {
        names.iter().map(|name| json!({ kind: name })).collect()
    };
    let mut sans = names("dns", &info.dns_sans);
    sans.extend(names("uri", &info.uri_sans));
    sans.extend(names("ip_address", &info.ip_sans));
    let days = info.not_after.saturating_sub(now).div_euclid(SECONDS_PER_DAY).max(0);
    json!({
        "path": path,
        "serial_number": info.serial,
        "subject_alt_names": sans,
        "days_until_expiration": days.to_string(),
        "valid_from": time(info.not_before),
        "expiration_time": time(info.not_after),
    })
}

/// A time as protobuf's JSON has it.
fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| String::new(), |time| time.to_string())
}
