//! Wasmtime's errors in the words of this crate.

use std::fmt::{self, Write as _};

use sandgate_abi::CallbackKind;
use wasmtime::{Error, Trap, WasmBacktrace};

use crate::guest::Stop;
use crate::{Fault, FaultKind};

/// A longer name is shown as it is: demangling hostile names is not worth the time.
const MAX_MANGLED: usize = 512;
/// What is shown of a name, in bytes.
const MAX_NAME: usize = 256;

pub(super) fn fault(function: &'static str, callback: Option<CallbackKind>, error: &Error) -> Fault {
    Fault { function, callback, kind: kind(error), backtrace: backtrace(error) }
}

pub(super) fn kind(error: &Error) -> FaultKind {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return match stop {
            Stop::Exit(code) => FaultKind::Exit(*code),
            Stop::Restricted(function) => FaultKind::Restricted(function),
            Stop::Abort(_) => FaultKind::Trap(stop.to_string()),
            Stop::CpuLimit(limit) => FaultKind::CpuLimit { limit: *limit },
        };
    }
    match error.downcast_ref::<Trap>() {
        Some(trap) => FaultKind::Trap(trap.to_string()),
        None => FaultKind::Trap(error.root_cause().to_string()),
    }
}

fn backtrace(error: &Error) -> Vec<String> {
    let frames = error.downcast_ref::<WasmBacktrace>().map(WasmBacktrace::frames).unwrap_or_default();
    frames
        .iter()
        .map(|frame| match frame.func_name() {
            Some(name) => demangle(name),
            None => format!("<wasm function {}>", frame.func_index()),
        })
        .collect()
}

fn demangle(name: &str) -> String {
    let mut out = Bounded(String::new());
    // A name that is too long ends in an error after the part that fits.
    let written = if name.len() > MAX_MANGLED {
        write!(out, "{name}")
    } else if let Ok(rust) = rustc_demangle::try_demangle(name) {
        write!(out, "{rust:#}")
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
        assert_eq!(demangle("_ZN4core9panicking5panic17h0123456789abcdefE"), "core::panicking::panic");
        assert_eq!(demangle("_ZN7Context8onCreateEv"), "Context::onCreate()");
        assert_eq!(demangle("proxy_on_tick"), "proxy_on_tick");
        assert_eq!(demangle("a\nb"), "a\u{fffd}b");
        let long = demangle(&"x".repeat(10_000));
        assert!(long.len() < MAX_NAME + 4 && long.ends_with('…'));
    }
}
