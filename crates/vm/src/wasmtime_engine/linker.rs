//! Host functions for Wasmtime, expanded from the ABI's tables.

use sandgate_abi::{Status, WASI_MODULES, for_each_env_function, for_each_proxy_function, for_each_wasi_function};
use wasmtime::{Caller, Engine, Linker, Result};

use super::guest::{CallerGuest, Data};
use crate::failed_call::explain_wasi;
use crate::guest::{Gate, Guest};
use crate::wasi::AsErrno;
use crate::{HostCalls, marshal, wasi};

/// Wraps functions that answer a status and may not be called in every phase.
macro_rules! gated {
    ($linker:ident; $($name:ident($($param:ident: $ty:ty),*) -> $result:ty;)+) => {$(
        $linker.func_wrap("env", stringify!($name), |caller: Caller<'_, Data<H>>, $($param: $ty),*| -> Result<$result> {
            let mut guest = CallerGuest::new(caller);
            let outcome = match guest.state().gate(stringify!($name))? {
                Gate::Open => marshal::$name(&mut guest, $($param),*),
                Gate::Refused => Err(Status::InternalFailure.into()),
            };
            marshal::answer(&mut guest, outcome, stringify!($name), || [$((stringify!($param), u64::from($param))),*])
        })?;
    )+};
}

/// Wraps functions of WASI, which may always be called and answer an errno, if anything.
macro_rules! wasi {
    ($linker:ident, $module:expr; $($name:ident($($param:ident: $ty:ty),*) -> $result:ty;)+) => {$(
        $linker.func_wrap($module, stringify!($name), |caller: Caller<'_, Data<H>>, $($param: $ty),*| -> Result<$result> {
            let mut guest = CallerGuest::new(caller);
            let result = wasi::$name(&mut guest, $($param),*)?;
            if result.errno() != 0 {
                explain_wasi(&mut guest, stringify!($name), result.errno());
            }
            Ok(result)
        })?;
    )+};
}

/// Wraps functions that may always be called.
macro_rules! open {
    ($linker:ident; $($name:ident($($param:ident: $ty:ty),*) -> $result:ty;)+) => {$(
        $linker.func_wrap("env", stringify!($name), |caller: Caller<'_, Data<H>>, $($param: $ty),*| -> Result<$result> {
            marshal::$name(&mut CallerGuest::new(caller), $($param),*)
        })?;
    )+};
}

/// A linker with everything that a plugin can import.
pub(super) fn linker<H: HostCalls>(engine: &Engine) -> Result<Linker<Data<H>>> {
    let mut linker = Linker::new(engine);
    for_each_proxy_function!(gated linker;);
    for_each_env_function!(open linker;);
    for module in WASI_MODULES {
        for_each_wasi_function!(wasi linker, module;);
    }
    Ok(linker)
}
