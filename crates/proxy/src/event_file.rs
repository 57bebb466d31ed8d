//! Files that get a line of JSON for each event of the main thread: health checks and outlier detection. Events are rare.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;

/// A file that lines are appended to. It is made if it is not there.
#[derive(Clone, Debug)]
pub(crate) struct EventFile(Arc<File>);

// === impl EventFile ===

impl EventFile {
    pub(crate) fn open(path: &str) -> io::Result<Self> {
        OpenOptions::new().create(true).append(true).open(path).map(|file| Self(Arc::new(file)))
    }

    /// Appends a line.
    pub(crate) fn write(&self, event: &impl Serialize) {
        let result = serde_json::to_vec(event).map_err(io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            (&*self.0).write_all(&line)
        });
        if let Err(error) = result {
            log::warn!(target: "upstream", "cannot write an event: {error}");
        }
    }
}

/// A time as protobuf's JSON has it, in milliseconds: `2026-11-22T10:33:20.815Z`, without a fraction that is zero.
pub(crate) fn timestamp(time: SystemTime) -> String {
    let Ok(time) = jiff::Timestamp::try_from(time) else { return String::new() };
    let format = if time.subsec_millisecond() == 0 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S.%3fZ" };
    time.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_in_milliseconds() {
        let at = |millis| timestamp(SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
        assert_eq!(at(1_795_343_600_815), "2026-11-22T10:33:20.815Z");
        assert_eq!(at(1_795_343_600_050), "2026-11-22T10:33:20.050Z");
        assert_eq!(at(1_795_343_600_000), "2026-11-22T10:33:20Z");
    }
}
