//! `/drain_listeners`.

use super::pages::{Parameters, value};
use super::{AdminAction, AdminContext, AdminResponse};
use crate::drain::DrainDirection;

/// That a parameter is there counts, not its value (observed in Envoy 1.40).
pub(super) fn drain_listeners(context: &AdminContext, parameters: &Parameters) -> AdminResponse {
    let has = |name| value(parameters, name).is_some();
    (context.act)(AdminAction::Drain {
        direction: if has("inboundonly") { DrainDirection::InboundOnly } else { DrainDirection::All },
        graceful: has("graceful"),
        stop: !has("skip_exit"),
    });
    AdminResponse::text("OK\n")
}
