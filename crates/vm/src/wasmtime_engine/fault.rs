//! Wasmtime's errors in the words of this crate.

use sandgate_abi::CallbackKind;
use wasmtime::{Error, FrameInfo, Trap, WasmBacktrace};

use crate::demangle;
use crate::guest::Stop;
use crate::{Fault, FaultKind, Frame};

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

fn backtrace(error: &Error) -> Vec<Frame> {
    let frames = error.downcast_ref::<WasmBacktrace>().map(WasmBacktrace::frames).unwrap_or_default();
    let offset = |frame: &FrameInfo| frame.module_offset().and_then(|offset| u32::try_from(offset).ok());
    frames.iter().map(|frame| demangle::frame(offset(frame), frame.func_index(), frame.func_name())).collect()
}
