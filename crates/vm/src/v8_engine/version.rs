//! Which V8 is there.

use std::ffi::CStr;
use std::fmt;

use super::ffi;

/// The major version before which no browser and no Node.js with support is.
const OLDEST_MAINTAINED: u32 = 12;

/// The version of the library, and that of the headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    library: String,
    headers: (u32, u32),
}

// === impl Version ===

impl Version {
    pub(super) fn linked() -> Self {
        let (mut major, mut minor) = (0, 0);
        // SAFETY: both can be written; the answer is a static text.
        let library = unsafe { CStr::from_ptr(ffi::sandgate_v8_version(&raw mut major, &raw mut minor)) };
        Self { library: library.to_string_lossy().into_owned(), headers: (major, minor) }
    }

    pub(super) fn matches_headers(&self) -> bool {
        let mut numbers = self.library.split('.').map(|number| number.parse().ok());
        numbers.next().flatten() == Some(self.headers.0) && numbers.next().flatten() == Some(self.headers.1)
    }

    /// Whether its authors mend it no more.
    pub(super) const fn is_old(&self) -> bool {
        self.headers.0 < OLDEST_MAINTAINED
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.library)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minor_versions_count() {
        let version = |library: &str| Version { library: library.to_owned(), headers: (10, 2) };
        assert!(version("10.2.154.26-node.36").matches_headers());
        assert!(!version("10.1.154").matches_headers());
        assert!(!version("11.2").matches_headers());
        assert!(!version("").matches_headers());
        assert!(version("10.2").is_old());
        assert!(!Version { library: String::new(), headers: (14, 2) }.is_old());
    }
}
