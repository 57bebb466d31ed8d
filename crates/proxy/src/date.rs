//! The `date` header, made once a second.

use std::cell::{Cell, RefCell};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The current date in RFC 9110's preferred form, cached for the second it names.
#[derive(Debug, Default)]
pub(crate) struct DateCache {
    second: Cell<u64>,
    text: RefCell<String>,
}

impl DateCache {
    /// Calls `with` with the date of `now`.
    pub(crate) fn with<R>(&self, now: SystemTime, with: impl FnOnce(&[u8]) -> R) -> R {
        let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if self.second.replace(second) != second || self.text.borrow().is_empty() {
            *self.text.borrow_mut() = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second));
        }
        with(self.text.borrow().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_with_the_second() {
        let cache = DateCache::default();
        let at =
            |ms| cache.with(UNIX_EPOCH + Duration::from_millis(ms), |date| String::from_utf8_lossy(date).into_owned());
        assert_eq!(at(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(at(784_111_777_999), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(at(784_111_778_000), "Sun, 06 Nov 1994 08:49:38 GMT");
        assert_eq!(at(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
