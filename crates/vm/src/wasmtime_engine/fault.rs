//! Wasmtime's errors in the words of this crate.

use sandgate_abi::CallbackKind;
use wasmtime::{Error, Trap, WasmBacktrace};

use crate::demangle::demangle;
use crate::guest::Stop;
use crate::{Fault, FaultKind};

pub(super) fn fault(function: &'static str, callback: Option<CallbackKind>, error: &Error) -> Fault {
    Fault { function, callback, kind: kind(error), backtrace: backtrace(error) }
}

pub(super) fn kind(error: &Error) -> FaultKind {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return stop.clone().into();
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
