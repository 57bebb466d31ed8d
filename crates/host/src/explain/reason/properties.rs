//! Properties.

use sandgate_abi::Status;
use sandgate_attributes::is_old_name;
use sandgate_vm::FailedCall;

use super::{Reason, no_properties};
use crate::vm::state::VmState;

const ROOTS: [&str; 14] = [
    "request",
    "response",
    "connection",
    "upstream",
    "source",
    "destination",
    "metadata",
    "filter_state",
    "upstream_filter_state",
    "xds",
    "plugin_name",
    "plugin_root_id",
    "plugin_vm_id",
    "connection_id",
];

pub(super) fn property(state: &VmState, call: &FailedCall<'_>, name: &str, status: Status) -> Option<Reason> {
    let path = call.bytes("path");
    let first = path.split(|byte| *byte == 0).next().unwrap_or_default();
    let first = first.escape_ascii().to_string();
    let reason = match (name, status) {
        ("set_property", Status::NotFound) => no_properties(state)?,
        ("set_property", Status::BadArgument) => "it was declared read-only and has a value".to_owned(),
        ("set_property", Status::InternalFailure) => {
            let most = state.limits.property_bytes;
            return Some((
                Some("value"),
                format!("this plugin's properties of the stream would take more than {most} bytes"),
            ));
        }
        (_, Status::SerializationFailure) if path.is_empty() => "it is empty".to_owned(),
        (_, Status::SerializationFailure) => {
            "this is a group of attributes, or null, which has no form in bytes: name a member".to_owned()
        }
        (_, Status::NotFound) if is_old_name(first.as_bytes()) && !state.host.old_attributes() => {
            format!("Envoy has no attribute \"{first}\" since 1.33: ask for xds.{first}, or run with --old-attributes")
        }
        (_, Status::NotFound) if !ROOTS.contains(&first.as_str()) => {
            format!("there is no attribute \"{first}\", nor has a plugin set a property of that name on this stream")
        }
        (_, Status::NotFound) => no_properties(state).unwrap_or_else(|| {
            "there is no such attribute, or not now: those of headers come and go with the headers".to_owned()
        }),
        _ => return None,
    };
    Some((Some("path"), reason))
}
