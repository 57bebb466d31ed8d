//! The foreign functions `expr_create`, `expr_evaluate` and `expr_delete`: CEL for plugins.

use std::rc::Rc;

use bytes::Bytes;
use sandgate_abi::Status;
use sandgate_attributes::WASM_STATE_PREFIX;
use sandgate_expression::{Activation, CompileError, Expression, Value};
use sandgate_vm::Output;

use super::properties;
use crate::limits::Limit;
use crate::vm::context::Context;
use crate::vm::state::VmState;

/// The context whose callback runs: not the effective one (as in Envoy).
fn current(state: &VmState) -> Result<Rc<Context>, Status> {
    state.current.borrow().clone().ok_or(Status::InternalFailure)
}

/// Compiles an expression and hands out a token for it, four bytes.
pub(super) fn create(state: &VmState, text: &[u8], out: &mut Output) -> Result<(), Status> {
    let root = current(state)?.root_of();
    let root = root.as_root().ok_or(Status::InternalFailure)?;
    let used = root.expressions.borrow().bytes().saturating_add(text.len());
    if used > state.limits.expression_bytes {
        return Err(state.breach(Limit::Expressions));
    }
    let expression = Expression::parse(text, state.host.expressions()).map_err(|error| {
        if matches!(error, CompileError::Unknown(_)) {
            // Envoy takes the token before it knows that there is nothing for it.
            root.expressions.borrow_mut().skip();
        }
        Status::BadArgument
    })?;
    let token = root.expressions.borrow_mut().add(expression, text);
    out.extend(&token.to_le_bytes());
    Ok(())
}

/// Evaluates an expression by its token over what its plugin sees now.
pub(super) fn evaluate(state: &VmState, token: &[u8], out: &mut Output) -> Result<(), Status> {
    let token = u32::from_le_bytes(token.try_into().map_err(|_| Status::BadArgument)?);
    let context = current(state)?;
    let root = context.root_of();
    let root = root.as_root().ok_or(Status::InternalFailure)?;
    let expression = root.expressions.borrow().get(token).ok_or(Status::NotFound)?;
    let source = context.attributes();
    let is_root = context.as_root().is_some();
    let variables = |name: &[u8]| {
        if let Some(value) = properties::of_plugin(state, &context, name) {
            return value.map(|value| Value::String(Bytes::copy_from_slice(value)));
        }
        // An access log knows of no connection that is a filter's (as in Envoy).
        let source = source.as_deref().filter(|_| name == b"connection_id" && !is_root)?;
        source.connection_id().map(Value::UInt)
    };
    let node = state.env.node();
    let activation = match source.as_deref() {
        Some(source) => Activation::stream(properties::view(&context, source)),
        None => Activation::none(),
    };
    let activation = activation.with_node(node.as_deref()).with_variables(&variables).with_state(WASM_STATE_PREFIX);
    let activation = activation.with_old_names(state.host.old_attributes());
    let value = expression.evaluate(&activation).map_err(|_| Status::InternalFailure)?;
    value.serialize(out.bytes_mut()).map_err(|_| {
        out.clear();
        Status::SerializationFailure
    })
}

/// Forgets an expression; also one that there is not.
pub(super) fn delete(state: &VmState, token: &[u8]) -> Result<(), Status> {
    let token = u32::from_le_bytes(token.try_into().map_err(|_| Status::BadArgument)?);
    let root = current(state)?.root_of();
    if let Some(root) = root.as_root() {
        root.expressions.borrow_mut().remove(token);
    }
    Ok(())
}
