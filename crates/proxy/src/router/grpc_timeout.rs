//! `grpc-timeout`.

use std::time::Duration;

use sandgate_http::HeaderMap;

/// The timeout that a gRPC client asks for; finer than a millisecond it is rounded up.
pub(crate) fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(b"grpc-timeout")?;
    let (unit, digits) = value.split_last()?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(Duration::from_millis(match unit {
        b'H' => number.saturating_mul(3_600_000),
        b'M' => number.saturating_mul(60_000),
        b'S' => number.saturating_mul(1000),
        b'm' => number,
        b'u' => number.div_ceil(1000),
        b'n' => number.div_ceil(1_000_000),
        _ => return None,
    }))
}

/// Sets it, in the finest unit in which it has at most eight digits.
pub(super) fn set_grpc_timeout(headers: &mut HeaderMap, timeout: Duration) {
    const MOST: u128 = 99_999_999;
    let millis = timeout.as_millis();
    let units = [(millis, 'm'), (millis / 1000, 'S'), (millis / 60_000, 'M'), (millis / 3_600_000, 'H')];
    let fitting = units.into_iter().find(|(number, _)| *number <= MOST);
    let (number, unit) = fitting.unwrap_or((MOST, 'H'));
    headers.set(b"grpc-timeout", format!("{number}{unit}").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.append(b"grpc-timeout", value.as_bytes());
            grpc_timeout(&headers).map(|timeout| timeout.as_millis())
        };
        assert_eq!([read("2H"), read("2M"), read("2S")], [Some(7_200_000), Some(120_000), Some(2000)]);
        assert_eq!([read("2m"), read("2001u"), read("1n"), read("0m")], [Some(2), Some(3), Some(1), Some(0)]);
        assert_eq!([read(""), read("m"), read("2"), read("2s"), read("-2S")], [None; 5]);
        let written = |millis| {
            let mut headers = HeaderMap::new();
            set_grpc_timeout(&mut headers, Duration::from_millis(millis));
            headers.get(b"grpc-timeout").map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
        };
        assert_eq!([written(5), written(99_999_999), written(100_000_000)], ["5m", "99999999m", "100000S"]);
    }
}
