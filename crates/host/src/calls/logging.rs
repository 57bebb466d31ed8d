//! A guest's log lines.

use sandgate_abi::LogLevel;
use sandgate_vm::Stdio;

use crate::limits::Limit;
use crate::vm::state::{LogBudget, VmState};

/// Writes `wasm log <plugin> <root_id> <vm_id>: <message>`, empty parts left out. Only streams have the plugin's name
/// there, and start functions have none of it (as in Envoy).
pub(super) fn log(state: &VmState, level: LogLevel, message: &[u8]) {
    let host = &state.host;
    if (level as u32) < host.log().level() {
        return;
    }
    let limit = state.limits.log_line_bytes;
    let message = message.get(..limit).unwrap_or(message);
    if !may_log(state, message.len()) {
        return;
    }
    let mut line = Vec::with_capacity(64 + message.len());
    line.extend_from_slice(b"wasm log");
    if let Some(context) = state.acting() {
        let config = context.plugin.config();
        let name = if context.as_root().is_none() { config.name.as_str() } else { "" };
        for part in [name, &config.root_id, &state.base.config.vm_id] {
            if !part.is_empty() {
                line.push(b' ');
                line.extend_from_slice(part.as_bytes());
            }
        }
    }
    line.extend_from_slice(b": ");
    line.extend_from_slice(message);
    host.log().write(level, &line);
}

/// Standard output is info, standard error is error; one line a call.
pub(super) fn stdio(state: &VmState, stream: Stdio, line: &[u8]) {
    let level = match stream {
        Stdio::Out => LogLevel::Info,
        Stdio::Err => LogLevel::Error,
    };
    log(state, level, line);
}

/// Says in Envoy's words that the guest tried what it may not.
pub(super) fn restricted(state: &VmState, capability: &str) {
    let kind = if capability.starts_with("proxy_") { "proxy-wasm" } else { "WASI" };
    if may_log(state, capability.len()) {
        let line = format_args!("Attempted call to restricted {kind} capability: {capability}");
        state.note(LogLevel::Error, line);
    }
}

/// Charges the VM's budget for this second, if it has one.
fn may_log(state: &VmState, bytes: usize) -> bool {
    let Some(limit) = state.limits.log_bytes_per_second else { return true };
    let second = state.env.monotonic_ns() / 1_000_000_000;
    let mut budget = state.log_budget.get();
    if budget.second != second {
        let dropped = budget.dropped;
        budget = LogBudget { second, bytes: 0, dropped: 0 };
        if dropped > 0 {
            let vm_id = &state.base.config.vm_id;
            state.note(
                LogLevel::Warn,
                format_args!("{dropped} log lines of vm_id {vm_id:?} dropped: over {limit} bytes/s"),
            );
        }
    }
    budget.bytes = budget.bytes.saturating_add(bytes as u64);
    let may = budget.bytes <= limit;
    if !may {
        state.host.breaches().count(Limit::LogBytes);
        budget.dropped += 1;
    }
    state.log_budget.set(budget);
    may
}
