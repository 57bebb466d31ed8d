//! Shared data, queues and metrics.

use sandgate_abi::Status;
use sandgate_vm::FailedCall;

use super::{Reason, argument, told};

pub(super) fn shared_data(call: &FailedCall<'_>, status: Status) -> Option<Reason> {
    match status {
        Status::NotFound => argument("key", "nothing was ever set under this key in this vm_id"),
        Status::CasMismatch => {
            let cas = call.number("cas");
            Some((Some("cas"), format!("the value was changed since {cas} was its number: read it again")))
        }
        Status::InternalFailure => argument("value", "the shared data of this vm_id would be larger than its limit"),
        _ => None,
    }
}

pub(super) fn queue(call: &FailedCall<'_>, status: Status) -> Option<Reason> {
    match status {
        Status::NotFound if call.function == "proxy_resolve_shared_queue" => {
            argument("name", "no plugin of that vm_id has registered a queue of this name")
        }
        Status::NotFound => Some((Some("queue"), format!("there is no queue {}", call.number("queue")))),
        Status::Empty => told("the queue is empty"),
        Status::InternalFailure => told("a limit is reached: of the queue's bytes, or of the queues of this vm_id"),
        _ => None,
    }
}

pub(super) fn metric(call: &FailedCall<'_>, name: &str, status: Status) -> Option<Reason> {
    let metric = call.number("metric");
    match status {
        Status::NotFound => Some((Some("metric"), format!("no metric {metric} was defined in this VM"))),
        Status::BadArgument if metric & 3 >= 2 => {
            argument("metric", "only counters and gauges have a value to read or increment")
        }
        Status::BadArgument if name == "increment_metric" => argument("delta", "a counter only grows"),
        Status::InternalFailure => {
            argument("name", "a limit is reached: of the name's length, or of the number of metrics")
        }
        _ => None,
    }
}
