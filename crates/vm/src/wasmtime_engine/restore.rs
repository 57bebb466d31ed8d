//! Instances put back into the state that their module begins in, which costs less than another instance.
//!
//! That works where all state can be reached: the module exports its memory and every global that changes (see [`crate::image`], which
//! also refuses modules that change their tables), and the kernel tells which pages were written.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use wasmtime::{Extern, Global, Instance, Memory, Store, Val};

use super::guest::Data;
use super::written_pages::{MAX_REGIONS, PAGE, Region, written};
use crate::image;

/// More pages than this are not put back: the next instance is cheaper made anew.
const MAX_PAGES: usize = 64;
/// Memories beyond this are not looked at: walking their page tables would take too long.
const MAX_MEMORY: usize = 16 << 20;

/// What instances of a module begin with. Noted of the first one, before it has run.
#[derive(Clone, Debug, Default)]
pub(super) struct Beginning(Arc<OnceLock<Option<Arc<Noted>>>>);

#[derive(Debug)]
struct Noted {
    size: usize,
    /// Pages that are not all zeros, by their number.
    pages: HashMap<u64, Box<[u8]>>,
    globals: HashMap<String, Val>,
}

/// What of one instance is put back.
pub(super) struct Restorer {
    noted: Arc<Noted>,
    memory: Memory,
    globals: Vec<(Global, Val)>,
}

// === impl Beginning ===

impl Beginning {
    /// Notes what `instance` begins with, which has just been made, unless that is known.
    pub(super) fn note<H: 'static>(&self, store: &mut Store<Data<H>>, instance: Instance) {
        self.0.get_or_init(|| {
            let (memory, globals) = reachable(store, instance)?;
            note(store, memory, &globals).map(Arc::new)
        });
    }

    /// What puts an instance back; nothing if it cannot be done.
    pub(super) fn restorer<H: 'static>(&self, store: &mut Store<Data<H>>, instance: Instance) -> Option<Restorer> {
        let noted = Arc::clone(self.0.get()?.as_ref()?);
        let (memory, globals) = reachable(store, instance)?;
        let values = globals.into_iter().map(|(name, global)| Some((global, *noted.globals.get(&name)?)));
        let globals = values.collect::<Option<_>>()?;
        Some(Restorer { noted, memory, globals })
    }
}

/// The memory of an instance and its globals by name; nothing if there is not just one memory.
fn reachable<H: 'static>(store: &mut Store<Data<H>>, instance: Instance) -> Option<(Memory, Vec<(String, Global)>)> {
    let exports: Vec<_> = instance
        .exports(&mut *store)
        .filter(|export| export.name().starts_with(image::PREFIX))
        .map(|export| (export.name().to_owned(), export.into_extern()))
        .collect();
    let (mut memories, mut globals) = (Vec::new(), Vec::new());
    for (name, export) in exports {
        match export {
            Extern::Memory(memory) => memories.push(memory),
            Extern::Global(global) => globals.push((name, global)),
            _ => {}
        }
    }
    let &[memory] = memories.as_slice() else { return None };
    Some((memory, globals))
}

fn note<H>(store: &mut Store<Data<H>>, memory: Memory, globals: &[(String, Global)]) -> Option<Noted> {
    let values: HashMap<_, _> = globals.iter().map(|(name, global)| (name.clone(), global.get(&mut *store))).collect();
    let bytes = memory.data(&*store);
    // What is not a number cannot be kept outside of its store.
    let numbers = values.values().all(|value| !matches!(value, Val::FuncRef(_) | Val::ExternRef(_) | Val::AnyRef(_)));
    if bytes.len() > MAX_MEMORY || !numbers {
        return None;
    }
    let pages = bytes.chunks(usize::try_from(PAGE).ok()?).enumerate();
    let pages = pages.filter(|(_, page)| page.iter().any(|byte| *byte != 0));
    let pages = pages.map(|(number, page)| (number as u64, Box::from(page))).collect();
    Some(Noted { size: bytes.len(), pages, globals: values })
}

// === impl Restorer ===

impl Restorer {
    /// Puts everything back. Whether that worked; if not, the instance is of no use.
    pub(super) fn restore<H>(&self, store: &mut Store<Data<H>>) -> bool {
        if self.memory.data_size(&*store) != self.noted.size {
            return false;
        }
        let bytes = self.memory.data_mut(&mut *store);
        let mut regions = [Region::default(); MAX_REGIONS];
        let Some(written) = written(bytes, MAX_PAGES, &mut regions) else { return false };
        let base = bytes.as_ptr().addr() as u64;
        for region in written {
            let (Some(mut at), Some(end)) = (region.start.checked_sub(base), region.end.checked_sub(base)) else {
                return false;
            };
            while at < end {
                let Some(page) = page_mut(bytes, at) else { return false };
                match self.noted.pages.get(&(at / PAGE)) {
                    Some(before) if before.len() == page.len() => page.copy_from_slice(before),
                    _ => page.fill(0),
                }
                at += PAGE;
            }
        }
        self.globals.iter().all(|(global, value)| global.set(&mut *store, *value).is_ok())
    }
}

fn page_mut(bytes: &mut [u8], at: u64) -> Option<&mut [u8]> {
    let start = usize::try_from(at).ok()?;
    bytes.get_mut(start..start.checked_add(usize::try_from(PAGE).ok()?)?)
}
