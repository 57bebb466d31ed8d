//! `/healthcheck/fail`, `/healthcheck/ok` and `/ready`.

use super::pages::Parameters;
use super::{AdminContext, AdminResponse, TEXT};
use crate::lifecycle::ServerState;

pub(super) fn fail(context: &AdminContext, _: &Parameters) -> AdminResponse {
    context.lifecycle.fail_health_check(true);
    AdminResponse::text("OK\n")
}

pub(super) fn ok(context: &AdminContext, _: &Parameters) -> AdminResponse {
    context.lifecycle.fail_health_check(false);
    AdminResponse::text("OK\n")
}

pub(super) fn ready(context: &AdminContext, _: &Parameters) -> AdminResponse {
    let state = context.lifecycle.state();
    let status = if state == ServerState::Live { 200 } else { 503 };
    AdminResponse::new(status, TEXT, format!("{}\n", state.name()))
}
