//! Images: modules whose instances begin in the state of another instance, so that none has to be started and configured.
//!
//! A module is first made to export all its memories and mutable globals ([`imageable`]). What an instance of it holds later is
//! written into the module as data segments and initial values. Engines make such an instance as fast as any: they map the data
//! copy-on-write. The bytes are Wizer's work; it refuses modules that change their tables or drop segments, whose state cannot be read.

use std::collections::HashMap;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use wasmtime_wizer::{InstanceState, SnapshotVal, ValType, Wizer};

use crate::LoadError;

/// What the names of the exports begin with that are added for images.
pub(crate) const PREFIX: &str = "__wizer_";

/// The module with its state exported, as `PluginVm::image` needs it.
///
/// # Errors
/// Why its state cannot be captured.
pub fn imageable(code: &[u8]) -> Result<Vec<u8>, LoadError> {
    Ok(wizer().instrument(code).map_err(|error| refused(&error))?.1)
}

/// What an instance holds, by the names of its exports.
#[derive(Default)]
pub(crate) struct Contents {
    pub(crate) globals: HashMap<String, Number>,
    pub(crate) memories: HashMap<String, Vec<u8>>,
    lacking: bool,
}

/// The value of a global.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    V128(u128),
}

/// The module `code` with these contents.
pub(crate) fn image(code: &[u8], mut contents: Contents) -> Result<Vec<u8>, LoadError> {
    let wizer = wizer();
    let (module, _) = wizer.instrument(code).map_err(|error| refused(&error))?;
    let result = {
        let snapshot = pin!(wizer.snapshot(&module, &mut contents));
        // Nothing in it waits: the contents are there.
        match snapshot.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result.map_err(|error| refused(&error)),
            Poll::Pending => Err(LoadError::NotImageable("its state is not there".to_owned())),
        }
    };
    if contents.lacking {
        return Err(LoadError::NotImageable("its state is not exported".to_owned()));
    }
    result
}

fn wizer() -> Wizer {
    let mut wizer = Wizer::new();
    // Whoever has the image calls no start functions; nothing is to be taken out.
    wizer.keep_init_func(true);
    wizer
}

fn refused(error: &wasmtime::Error) -> LoadError {
    LoadError::NotImageable(format!("{error:#}"))
}

// === impl Contents ===

impl InstanceState for Contents {
    fn global_get(&mut self, name: &str, hint: ValType) -> impl Future<Output = SnapshotVal> + Send {
        let value = match self.globals.get(name) {
            Some(Number::I32(value)) => SnapshotVal::I32(*value),
            Some(Number::I64(value)) => SnapshotVal::I64(*value),
            Some(Number::F32(value)) => SnapshotVal::F32(*value),
            Some(Number::F64(value)) => SnapshotVal::F64(*value),
            Some(Number::V128(value)) => SnapshotVal::V128(*value),
            None => {
                self.lacking = true;
                match hint {
                    ValType::I64 => SnapshotVal::I64(0),
                    ValType::F32 => SnapshotVal::F32(0),
                    ValType::F64 => SnapshotVal::F64(0),
                    ValType::V128 => SnapshotVal::V128(0),
                    ValType::I32 | ValType::Ref(_) => SnapshotVal::I32(0),
                }
            }
        };
        std::future::ready(value)
    }

    fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) -> impl Future<Output = ()> + Send {
        let bytes = self.memories.get(name);
        self.lacking |= bytes.is_none();
        contents(bytes.map(Vec::as_slice).unwrap_or_default());
        std::future::ready(())
    }
}
