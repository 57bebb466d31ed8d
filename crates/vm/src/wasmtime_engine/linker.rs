//! Host functions for Wasmtime, expanded from the ABI's tables.

use sandgate_abi::{Status, WASI_MODULES, for_each_env_function, for_each_proxy_function, for_each_wasi_function};
use wasmtime::{Caller, Engine, Linker, Result};

use super::guest::{CallerGuest, Data};
use crate::guest::{Gate, Guest};
use crate::{HostCalls, marshal, wasi};

/// Wraps functions that answer a status and may not be called in every phase.
macro_rules! gated {
    ($linker:ident; $($name:ident($($param:ident: $ty:ty),*) -> $result:ty;)+) => {$(
        $linker.func_wrap("env", stringify!($name), |caller: Caller<'_, Data<H>>, $($param: $ty),*| -> Result<$result> {
            let mut guest = CallerGuest::new(caller);
            match guest.state().gate(stringify!($name))? {
                Gate::Open => marshal::answer(marshal::$name(&mut guest, $($param),*)),
                Gate::Refused => Ok(Status::InternalFailure.code()),
            }
        })?;
    )+};
}

/// Wraps functions that may always be called.
macro_rules! open {
    ($linker:ident, $module:expr, $functions:ident; $($name:ident($($param:ident: $ty:ty),*) -> $result:ty;)+) => {$(
        $linker.func_wrap($module, stringify!($name), |caller: Caller<'_, Data<H>>, $($param: $ty),*| -> Result<$result> {
            $functions::$name(&mut CallerGuest::new(caller), $($param),*)
        })?;
    )+};
}

/// A linker with everything that a plugin can import.
pub(super) fn linker<H: HostCalls>(engine: &Engine) -> Result<Linker<Data<H>>> {
    let mut linker = Linker::new(engine);
    for_each_proxy_function!(gated linker;);
    for_each_env_function!(open linker, "env", marshal;);
    for module in WASI_MODULES {
        for_each_wasi_function!(open linker, module, wasi;);
    }
    Ok(linker)
}
