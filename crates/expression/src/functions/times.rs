//! `getHours()` and its like, of timestamps and durations.

use crate::evaluate::Evaluated;
use crate::time::{self, SECOND};
use crate::{EvaluateError, Value};

/// What is asked of a timestamp or a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    FullYear,
    Month,
    DayOfYear,
    DayOfMonth,
    Date,
    DayOfWeek,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

// === impl Part ===

impl Part {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "getFullYear" => Self::FullYear,
            "getMonth" => Self::Month,
            "getDayOfYear" => Self::DayOfYear,
            "getDayOfMonth" => Self::DayOfMonth,
            "getDate" => Self::Date,
            "getDayOfWeek" => Self::DayOfWeek,
            "getHours" => Self::Hours,
            "getMinutes" => Self::Minutes,
            "getSeconds" => Self::Seconds,
            "getMilliseconds" => Self::Milliseconds,
            _ => return None,
        })
    }
}

pub(super) fn part(part: Part, arguments: &[Value]) -> Evaluated {
    let (time, zone) = match arguments {
        [Value::Duration(value)] => return of_duration(part, *value),
        [Value::Timestamp(time)] => (*time, ""),
        [Value::Timestamp(time), Value::String(zone)] => {
            (*time, std::str::from_utf8(zone).map_err(|_| EvaluateError::InvalidArgument)?)
        }
        _ => return Err(EvaluateError::NoMatchingOverload),
    };
    let offset = time::zone_offset(zone, time).ok_or(EvaluateError::InvalidArgument)?;
    let civil = time::Civil::new(time.saturating_add(offset));
    Ok(Value::Int(match part {
        Part::FullYear => civil.year,
        Part::Month => civil.month - 1,
        Part::DayOfYear => civil.day_of_year,
        Part::DayOfMonth => civil.day - 1,
        Part::Date => civil.day,
        Part::DayOfWeek => civil.weekday,
        Part::Hours => civil.second_of_day / 3600,
        Part::Minutes => civil.second_of_day / 60 % 60,
        Part::Seconds => civil.second_of_day % 60,
        Part::Milliseconds => civil.nanosecond / 1_000_000,
    }))
}

fn of_duration(part: Part, value: i128) -> Evaluated {
    let value = match part {
        Part::Hours => value / (3600 * SECOND),
        Part::Minutes => value / (60 * SECOND),
        Part::Seconds => value / SECOND,
        Part::Milliseconds => value % SECOND / 1_000_000,
        _ => return Err(EvaluateError::NoMatchingOverload),
    };
    i64::try_from(value).map(Value::Int).map_err(|_| EvaluateError::Overflow)
}
