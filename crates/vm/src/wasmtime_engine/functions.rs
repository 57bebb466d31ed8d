//! Compiled functions that modules share: plugins that were built with one SDK have most of their library code in common.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wasmtime::CacheStore;

/// What is kept at most, in bytes of compiled code.
const MAX_BYTES: usize = 64 << 20;

/// Functions of the modules that are compiled one after the other, found by a SHA-256 over what the compiler is given of them
/// and its settings. Nothing is kept outside of a batch.
#[derive(Debug, Default)]
pub(super) struct Functions(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// Batches that are under way.
    batches: usize,
    bytes: usize,
    compiled: HashMap<Box<[u8]>, Box<[u8]>>,
}

// === impl Functions ===

impl Functions {
    pub(super) fn begin_batch(&self) {
        self.kept().batches += 1;
    }

    pub(super) fn end_batch(&self) {
        let mut kept = self.kept();
        kept.batches = kept.batches.saturating_sub(1);
        if kept.batches == 0 {
            *kept = Kept::default();
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CacheStore for Functions {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        self.kept().compiled.get(key).map(|found| Cow::Owned(found.to_vec()))
    }

    fn insert(&self, key: &[u8], value: Vec<u8>) -> bool {
        let mut kept = self.kept();
        if kept.batches == 0 || kept.bytes.saturating_add(value.len()) > MAX_BYTES {
            return false;
        }
        kept.bytes += value.len();
        // What another thread has compiled meanwhile is the same.
        if let Some(same) = kept.compiled.insert(key.into(), value.into()) {
            kept.bytes -= same.len();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use std::sync::Arc;

    use wasmtime::{Config, Engine, Instance, Module, Store};

    use super::*;

    #[test]
    fn a_function_of_another_module_calls_its_own_modules_functions() {
        let functions = Arc::<Functions>::default();
        let mut config = Config::new();
        config.enable_incremental_compilation(Arc::clone(&functions) as _).unwrap();
        let engine = Engine::new(&config).unwrap();
        let answer = |number: i32| {
            let text = format!(
                "(module (global (mut i32) (i32.const {number}))
                   (func $callee (result i32) (i32.add (global.get 0) (i32.const {number})))
                   (func (export \"f\") (result i32) (i32.mul (call $callee) (i32.const 10))))"
            );
            let module = Module::new(&engine, wat::parse_str(text).unwrap()).unwrap();
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            instance.get_typed_func::<(), i32>(&mut store, "f").unwrap().call(&mut store, ()).unwrap()
        };
        functions.begin_batch();
        assert_eq!(answer(1), 20);
        let of_one = functions.kept().compiled.len();
        assert_eq!(answer(2), 40);
        let of_both = functions.kept().compiled.len();
        // The callee is another function; the caller, and what enters the guest, are not. Now and then the compiler numbers what a function
        // refers to in another way, by what its thread has compiled before: then it is not found.
        assert!(of_both > of_one && of_both < 2 * of_one, "{of_both}, of the first {of_one}");
        assert_eq!(answer(2), 40);
        assert!(functions.kept().compiled.len() < 2 * of_one);
        functions.end_batch();
    }

    #[test]
    fn functions_are_kept_during_batches_alone() {
        let functions = Functions::default();
        assert!(!functions.insert(b"a", vec![1]));
        functions.begin_batch();
        functions.begin_batch();
        assert!(functions.insert(b"a", vec![1]));
        assert!(functions.insert(b"a", vec![1]));
        assert_eq!(functions.kept().bytes, 1);
        functions.end_batch();
        assert_eq!(functions.get(b"a").as_deref(), Some(&[1][..]));
        functions.end_batch();
        assert_eq!(functions.get(b"a"), None);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let functions = Functions::default();
        functions.begin_batch();
        assert!(!functions.insert(b"huge", vec![0; MAX_BYTES + 1]));
        assert!(functions.insert(b"large", vec![0; MAX_BYTES]));
        assert!(!functions.insert(b"one more", vec![0]));
    }
}
