//! `[2026-11-22 07:45:05.958]`, in UTC.

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

/// Appends the time now.
pub(super) fn write_now(line: &mut Vec<u8>) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    write_time(line, since.as_secs(), since.subsec_millis());
}

fn write_time(line: &mut Vec<u8>, seconds: u64, millis: u32) {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    let _ = write!(line, "[{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{millis:03}]");
}

/// The Gregorian date of a day since 1970-01-01, counted in eras of 400 years that begin in March.
fn civil(days: u64) -> (u64, u64, u64) {
    let since_march_0000 = days + 719_468;
    let (era, day_of_era) = (since_march_0000 / 146_097, since_march_0000 % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_agree_with_the_calendar() {
        for (seconds, text) in [
            (0, "[1970-01-01 00:00:00.007]"),
            (951_782_400, "[2000-02-29 00:00:00.007]"),
            (1_709_251_199, "[2024-02-29 23:59:59.007]"),
            (1_795_333_505, "[2026-11-22 07:45:05.007]"),
            (4_107_542_400, "[2100-03-01 00:00:00.007]"),
        ] {
            let mut line = Vec::new();
            write_time(&mut line, seconds, 7);
            assert_eq!(line, text.as_bytes());
        }
    }
}
