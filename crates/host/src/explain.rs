//! Why hostcalls failed, told to whoever asks: in the log and on `/wasm`.

mod reason;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use sandgate_abi::{CallbackKind, LogLevel};
use sandgate_vm::{CallFault, FailedCall};

use crate::report::FailedCallReport;
use crate::shared::space::locked;
use crate::vm::state::VmState;

/// Lines of one VM in a second; how many more there were is told in the next.
const LINES_PER_SECOND: u64 = 20;
/// Kinds of failed calls kept for one plugin on one thread.
const KINDS: usize = 200;

/// Whether failed hostcalls are explained. Read only when one has failed.
#[derive(Debug, Default)]
pub(crate) struct Explain(AtomicBool);

/// Lines of the present second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ExplainBudget {
    second: u64,
    lines: u64,
}

/// The failed calls of one plugin on one thread, by callback, function and answer. A breach of the bound is told as the
/// number of those left out.
#[derive(Debug, Default)]
pub(crate) struct FailedCalls(Mutex<(BTreeMap<Kind, Seen>, u64)>);

type Kind = (Option<&'static str>, &'static str, String);

#[derive(Debug)]
struct Seen {
    count: u64,
    last: String,
}

// === impl Explain ===

impl Explain {
    pub(crate) fn is_on(&self) -> bool {
        self.0.load(Relaxed)
    }

    pub(crate) fn set(&self, on: bool) {
        self.0.store(on, Relaxed);
    }
}

/// Counts the call, and says why it failed unless too much was said.
pub(crate) fn explain(state: &VmState, call: &FailedCall<'_>) {
    let CallFault { argument, reason } = call.fault.clone().unwrap_or_else(|| reason::reason(state, call));
    let why = match argument {
        Some(argument) => format!("{call}: {argument}: {reason}"),
        None => format!("{call}: {reason}"),
    };
    let callback = state.callback.get().map(CallbackKind::export);
    if let Some(context) = &*state.current.borrow()
        && let Some(meter) = context.meter()
    {
        meter.failed_calls.count((callback, call.function, call.answer.to_string()), &why);
    }
    if may_say(state) {
        let callback = callback.unwrap_or("start functions");
        state.note(LogLevel::Info, format_args!("wasm explain{}: {callback}: {why}", who(state)));
    }
}

fn may_say(state: &VmState) -> bool {
    let second = state.env.monotonic_ns() / 1_000_000_000;
    let mut budget = state.explain_budget.get();
    if budget.second != second {
        if let Some(more) = budget.lines.checked_sub(LINES_PER_SECOND).filter(|more| *more > 0) {
            state.note(
                LogLevel::Info,
                format_args!("wasm explain{}: {more} more calls of that second failed", who(state)),
            );
        }
        budget = ExplainBudget { second, lines: 0 };
    }
    budget.lines += 1;
    state.explain_budget.set(budget);
    budget.lines <= LINES_PER_SECOND
}

/// Plugin, root id and VM id, as in the plugin's own lines.
fn who(state: &VmState) -> String {
    let context = state.current.borrow();
    let config = context.as_ref().map(|context| context.plugin.config());
    let (name, root_id) = config.map_or(("", ""), |config| (&config.name, &config.root_id));
    let parts = [name, root_id, &state.base.config.vm_id];
    parts.iter().filter(|part| !part.is_empty()).map(|part| format!(" {part}")).collect()
}

// === impl FailedCalls ===

impl FailedCalls {
    fn count(&self, kind: Kind, why: &str) {
        let mut calls = locked(&self.0);
        let (seen, dropped) = &mut *calls;
        if let Some(seen) = seen.get_mut(&kind) {
            seen.count += 1;
            why.clone_into(&mut seen.last);
        } else if seen.len() < KINDS {
            seen.insert(kind, Seen { count: 1, last: why.to_owned() });
        } else {
            *dropped += 1;
        }
    }

    /// Those that were told, in the order of callbacks' and functions' names.
    pub(crate) fn report(&self) -> Vec<FailedCallReport> {
        let calls = locked(&self.0);
        let known = calls.0.iter().map(|((callback, function, answer), seen)| FailedCallReport {
            callback: callback.unwrap_or_default(),
            function,
            answer: answer.clone(),
            count: seen.count,
            last: seen.last.clone(),
        });
        let rest = (calls.1 > 0).then(|| FailedCallReport {
            callback: "",
            function: "",
            answer: String::new(),
            count: calls.1,
            last: "others".to_owned(),
        });
        known.chain(rest).collect()
    }
}
