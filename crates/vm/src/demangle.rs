//! Names of functions for people: those of Rust and C++ demangled, and all of bounded length.

use std::fmt::{self, Write as _};

use crate::Frame;

/// A longer name is shown as it is: demangling hostile names is not worth the time.
const MAX_MANGLED: usize = 512;
/// What is shown of a name, in bytes.
const MAX_NAME: usize = 256;

/// A frame in the function of that index, which may have a name.
pub(crate) fn frame(offset: Option<u32>, index: u32, name: Option<&str>) -> Frame {
    Frame { offset, name: name.map_or_else(|| format!("unknown(function index:{index})"), demangle) }
}

/// The name of a guest's function, as it is to be shown. Older names of Rust keep their hash, as in Envoy 1.40, which reads them as those of C++;
/// those of today, which Envoy does not read, are shown without.
fn demangle(name: &str) -> String {
    let mut out = Bounded(String::new());
    // A name that is too long ends in an error after the part that fits.
    let written = if name.len() > MAX_MANGLED {
        write!(out, "{name}")
    } else if let Ok(rust) = rustc_demangle::try_demangle(name) {
        if name.starts_with("_ZN") { write!(out, "{rust}") } else { write!(out, "{rust:#}") }
    } else if let Some(cpp) = cpp_demangle::Symbol::new(name).ok().and_then(|symbol| symbol.demangle().ok()) {
        write!(out, "{cpp}")
    } else {
        write!(out, "{name}")
    };
    if written.is_err() {
        out.0.push('…');
    }
    out.0
}

/// Text up to [`MAX_NAME`].
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.0.len() + c.len_utf8() > MAX_NAME {
                return Err(fmt::Error);
            }
            // Names are a guest's; log lines are not.
            self.0.push(if c.is_control() { char::REPLACEMENT_CHARACTER } else { c });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_demangled_and_bounded() {
        assert_eq!(
            demangle("_ZN4core9panicking5panic17h0123456789abcdefE"),
            "core::panicking::panic::h0123456789abcdef"
        );
        assert_eq!(demangle("_RNvCs15kBYyAo9fc_7mycrate7example"), "mycrate::example");
        assert_eq!(demangle("_ZN7Context8onCreateEv"), "Context::onCreate()");
        assert_eq!(demangle("proxy_on_tick"), "proxy_on_tick");
        assert_eq!(demangle("a\nb"), "a\u{fffd}b");
        let long = demangle(&"x".repeat(10_000));
        assert!(long.len() < MAX_NAME + 4 && long.ends_with('…'));
    }
}
