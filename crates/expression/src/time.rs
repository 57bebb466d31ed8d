//! Timestamps and durations, in nanoseconds, and their texts.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A second.
pub(crate) const SECOND: i128 = 1_000_000_000;

/// Seconds that a duration may be read to have (`google.protobuf.Duration`).
pub(crate) const MAX_DURATION: i128 = 315_576_000_000 * SECOND;

/// The years 1 to 9999 (`google.protobuf.Timestamp`).
pub(crate) const TIMESTAMPS: std::ops::Range<i128> = -62_135_596_800 * SECOND..253_402_300_800 * SECOND;

/// A date and a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    /// From 1, as days.
    pub(crate) month: i64,
    pub(crate) day: i64,
    /// From 0.
    pub(crate) day_of_year: i64,
    /// Sunday is 0.
    pub(crate) weekday: i64,
    pub(crate) second_of_day: i64,
    pub(crate) nanosecond: i64,
}

// === impl Civil ===

impl Civil {
    /// Of a time since the Unix epoch, in the Gregorian calendar extended both ways.
    pub(crate) fn new(time: i128) -> Self {
        let small = |value: i128| i64::try_from(value).unwrap_or_default();
        let seconds = small(time.div_euclid(SECOND));
        let days = seconds.div_euclid(86_400);
        // Years begin in March, in eras of 400 of them: leap days come last.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self {
            year,
            month,
            day,
            day_of_year: days - days_before(year, 1, 1),
            weekday: (days + 4).rem_euclid(7),
            second_of_day: seconds.rem_euclid(86_400),
            nanosecond: small(time.rem_euclid(SECOND)),
        }
    }
}

/// Days from the epoch to a date.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// What a time zone adds to UTC at a time: a name of the time zone database, or hours and minutes such as `+02:30`.
pub(crate) fn zone_offset(zone: &str, time: i128) -> Option<i128> {
    if zone.is_empty() || zone == "UTC" {
        return Some(0);
    }
    if let Some((hours, minutes)) = zone.split_once(':') {
        return parse_duration(&format!("{hours}h{minutes}m"));
    }
    // Names are found whatever their case; Abseil takes them as they are written.
    let zone = TimeZone::get(zone).ok().filter(|found| found.iana_name() == Some(zone))?;
    let time = Timestamp::from_nanosecond(time).ok()?;
    Some(i128::from(zone.to_offset(time).seconds()) * SECOND)
}

/// `1h30m`, `1.5s`: numbers with units, without which only `0` is one.
pub(crate) fn parse_duration(text: &str) -> Option<i128> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let whole = digits(rest);
        let (number, after) = rest.split_at(whole);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(digits(after)),
            None => ("", after),
        };
        if number.is_empty() && fraction.is_empty() {
            return None;
        }
        let units =
            [("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", SECOND), ("m", 60 * SECOND), ("h", 3600 * SECOND)];
        let (unit, after) = units.into_iter().find_map(|(name, unit)| Some((unit, after.strip_prefix(name)?)))?;
        let number: i128 = if number.is_empty() { 0 } else { number.parse().ok()? };
        total = total.checked_add(number.checked_mul(unit)?)?;
        let mut part = unit;
        for digit in fraction.bytes() {
            part /= 10;
            total = total.checked_add(i128::from(digit - b'0') * part)?;
        }
        rest = after;
    }
    let total = if negative { -total } else { total };
    (-MAX_DURATION..=MAX_DURATION).contains(&total).then_some(total)
}

/// RFC 3339, with years of any length.
pub(crate) fn parse_timestamp(text: &str) -> Option<i128> {
    let text = text.trim_matches(crate::text::is_space);
    let split = text.find(['T', 't'])?;
    let (date, time) = (text.get(..split)?, text.get(split + 1..)?);
    let number = |text: &str, from: i64, to: i64| {
        let digits = matches!(text.len(), 1 | 2) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<i64>().ok().filter(|value| digits && (from..=to).contains(value))
    };
    let mut parts = date.rsplitn(3, '-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let (day, month, year) = (number(day, 1, 31)?, number(month, 1, 12)?, year.parse::<i64>().ok()?);
    if year.abs() > 99_999 || date.starts_with('+') {
        return None;
    }
    let days = days_before(year, month, day);
    // A date that there is not comes out as another.
    let civil = Civil::new(i128::from(days) * 86_400 * SECOND);
    if (civil.month, civil.day) != (month, day) {
        return None;
    }
    let zone = time.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = (time.get(..zone)?, time.get(zone..)?);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hour, minute, second) = (number(hour, 0, 23)?, number(minute, 0, 59)?, number(second, 0, 60)?);
    let offset = match zone {
        "Z" | "z" => 0,
        _ => {
            let (hours, minutes) = (zone.get(1..3)?, zone.get(3..)?);
            let minutes = if minutes.is_empty() { "00" } else { minutes.strip_prefix(':').unwrap_or(minutes) };
            if minutes.len() != 2 {
                return None;
            }
            let offset = number(hours, 0, 23)? * 3600 + number(minutes, 0, 59)? * 60;
            if zone.starts_with('-') { -offset } else { offset }
        }
    };
    let mut total = i128::from(days * 86_400 + hour * 3600 + minute * 60 + second - offset) * SECOND;
    let mut part = SECOND;
    for digit in fraction.bytes().take(9) {
        part /= 10;
        total += i128::from(digit - b'0') * part;
    }
    Some(total)
}

/// RFC 3339 in UTC, with as many decimals as it takes.
pub(crate) fn timestamp_text(time: i128) -> String {
    let civil = Civil::new(time);
    let (hour, minute, second) = (civil.second_of_day / 3600, civil.second_of_day / 60 % 60, civil.second_of_day % 60);
    let mut text = format!("{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}", civil.year, civil.month, civil.day);
    if civil.nanosecond > 0 {
        text.push_str(format!(".{:09}", civil.nanosecond).trim_end_matches('0'));
    }
    text.push('Z');
    text
}

/// The same with none, three, six or nine decimals.
pub(crate) fn json_timestamp(time: i128) -> String {
    let text = timestamp_text(time.div_euclid(SECOND) * SECOND);
    format!("{}{}Z", text.trim_end_matches('Z'), decimals(time.rem_euclid(SECOND).unsigned_abs()))
}

/// Seconds, with none, three, six or nine decimals.
pub(crate) fn duration_text(duration: i128) -> String {
    let sign = if duration < 0 { "-" } else { "" };
    let (seconds, nanoseconds) = (duration.unsigned_abs() / 1_000_000_000, duration.unsigned_abs() % 1_000_000_000);
    format!("{sign}{seconds}{}s", decimals(nanoseconds))
}

/// What stands behind the seconds.
fn decimals(nanoseconds: u128) -> String {
    match (nanoseconds, nanoseconds % 1_000_000, nanoseconds % 1_000) {
        (0, ..) => String::new(),
        (_, 0, _) => format!(".{:03}", nanoseconds / 1_000_000),
        (_, _, 0) => format!(".{:06}", nanoseconds / 1_000),
        _ => format!(".{nanoseconds:09}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn timestamps_are_read_and_written() {
        for text in ["2020-02-29T03:04:05.678Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z"] {
            assert_eq!(timestamp_text(parse_timestamp(text).unwrap()), text);
        }
        assert_eq!(parse_timestamp("1970-01-01T01:00:00+01:00"), Some(0));
        for text in ["2019-02-29T00:00:00Z", "2020-01-02", "+2020-01-02T03:04:05Z", "2020-13-02T03:04:05Z", "x"] {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let civil = Civil::new(parse_timestamp("2020-02-29T03:04:05.678Z").unwrap());
        assert_eq!((civil.year, civil.month, civil.day, civil.weekday, civil.day_of_year), (2020, 2, 29, 6, 59));
        let civil = Civil::new(-1);
        assert_eq!((civil.year, civil.month, civil.day, civil.second_of_day), (1969, 12, 31, 86_399));
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration("1h30m"), Some(5_400 * SECOND));
        assert_eq!(parse_duration("-1.5ms"), Some(-1_500_000));
        for text in ["", "1", "s", "1d", "315576000001s", "-"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        assert_eq!(
            [0, 1_500_000, SECOND, -3 * SECOND / 2, 1].map(duration_text),
            ["0s", "0.001500s", "1s", "-1.500s", "0.000000001s"]
        );
    }
}
