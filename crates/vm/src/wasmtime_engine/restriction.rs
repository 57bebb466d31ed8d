//! Stand-ins for the host functions that a plugin may not call. They are linked in place of the real ones, so that
//! plugins without a restriction do not pay for it.

use sandgate_abi::{Capabilities, Status, WASI_MODULES, host_function};
use wasmtime::{Caller, ExternType, FuncType, Linker, Module, Result, Val};

use super::guest::Data;
use crate::HostCalls;
use crate::wasi::Errno;

/// Puts a stand-in for every import of `module` that is not allowed into `linker`.
pub(super) fn restrict<H: HostCalls>(
    linker: &mut Linker<Data<H>>,
    module: &Module,
    capabilities: &Capabilities,
) -> Result<()> {
    linker.allow_shadowing(true);
    for import in module.imports() {
        let (from, name) = (import.module(), import.name());
        if let ExternType::Func(ty) = import.ty()
            && !capabilities.allows_import(from, name)
            && let Some(function) = host_function(from, name)
        {
            stand_in(linker, from, function.name, ty)?;
        }
    }
    Ok(())
}

/// A function of the same type that tells the host and answers `INTERNAL_FAILURE`, of WASI `ENOTCAPABLE`.
fn stand_in<H: HostCalls>(linker: &mut Linker<Data<H>>, module: &str, name: &'static str, ty: FuncType) -> Result<()> {
    let wasi = WASI_MODULES.contains(&module);
    let answer = if wasi { Errno::NotCapable.code() } else { Status::InternalFailure.code() };
    linker.func_new(module, name, ty, move |mut caller: Caller<'_, Data<H>>, _, results| {
        let state = &mut caller.data_mut().state;
        // While start functions run the ABI's own restriction comes first, as in Envoy.
        if !wasi {
            state.gate(name)?;
        }
        state.host.restricted_call(name);
        if let Some(result) = results.first_mut() {
            *result = Val::I32(answer.cast_signed());
        }
        Ok(())
    })?;
    Ok(())
}
