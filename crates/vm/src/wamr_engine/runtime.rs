//! What there is of WAMR once in a process: itself, and the functions that guests may import.

use std::ffi::{CString, c_void};
use std::ptr;
use std::sync::OnceLock;

use wamrx_sys as c;

use super::guest::Entry;
use crate::LoadError;
use crate::foreign_calls;

static STARTED: OnceLock<bool> = OnceLock::new();

/// Starts WAMR, once.
pub(super) fn start() -> Result<(), LoadError> {
    if *STARTED.get_or_init(initialize) {
        Ok(())
    } else {
        Err(LoadError::Compile("WAMR could not be started".to_owned()))
    }
}

fn initialize() -> bool {
    let mut arguments = c::RuntimeInitArgs { mem_alloc_type: c::Alloc_With_System_Allocator, ..Default::default() };
    // SAFETY: the arguments outlive the call, which is the first into WAMR and made once.
    unsafe {
        if !c::wasm_runtime_full_init(&raw mut arguments) {
            return false;
        }
        // Its lines go to standard output.
        c::wasm_runtime_set_log_level(c::WASM_LOG_LEVEL_FATAL);
    }
    let mut modules: Vec<(&str, Vec<c::NativeSymbol>)> = Vec::new();
    for (index, (module, name)) in foreign_calls::names().enumerate() {
        let Ok(symbol) = CString::new(name) else { return false };
        let symbol = c::NativeSymbol {
            // WAMR keeps it for good.
            symbol: symbol.into_raw(),
            func_ptr: host_function as *mut c_void,
            // The types of imports have been checked.
            signature: ptr::null(),
            attachment: ptr::without_provenance_mut(index),
        };
        match modules.last_mut() {
            Some((last, symbols)) if *last == module => symbols.push(symbol),
            _ => modules.push((module, vec![symbol])),
        }
    }
    modules.into_iter().all(|(module, symbols)| register(module, symbols))
}

fn register(module: &str, symbols: Vec<c::NativeSymbol>) -> bool {
    let (Ok(module), Ok(count)) = (CString::new(module), u32::try_from(symbols.len())) else { return false };
    let symbols = Vec::leak(symbols);
    // SAFETY: name and symbols live for good; WAMR sorts the symbols in place and is their only user. `host_function` has
    // the form of a raw function.
    unsafe { c::wasm_runtime_register_natives_raw(module.into_raw(), symbols.as_mut_ptr(), count) }
}

/// What WAMR calls for every import. The words are the arguments, and where the result goes.
unsafe extern "C" fn host_function(environment: c::wasm_exec_env_t, words: *mut u64) {
    // SAFETY: WAMR runs a guest, whose environment this is, and its user data is the instance's context, which begins
    // with the entry. The words are as many as the function has parameters, at least one.
    unsafe {
        let context = c::wasm_runtime_get_user_data(environment);
        let index = c::wasm_runtime_get_function_attachment(environment).addr();
        let entry = &*context.cast::<Entry>();
        let function = entry.functions.get(index).copied();
        let mut result = 0;
        if function.is_some_and(|function| function.call(context, words, &raw mut result)) {
            if function.is_some_and(|function| function.returns()) {
                words.cast::<u32>().write(result);
            }
            return;
        }
        let instance = c::wasm_runtime_get_module_inst(environment);
        // What ended the allocator has said why.
        if c::wasm_runtime_get_exception(instance).is_null() {
            c::wasm_runtime_set_exception(instance, c"ended by the host".as_ptr());
        }
    }
}
