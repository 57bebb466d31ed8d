//! Instances whose streams are over, put back to where they began, for the streams that come.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use sandgate_vm::{Module, PluginVm};

use super::state::{VmHost, VmState};

/// A thread keeps so many for one plugin.
const MAX_SPARES: usize = 64;
/// All threads keep so many for all plugins: the places that an engine has for instances are for streams that there are.
const MAX_IN_PROCESS: usize = 2_000;

static IN_PROCESS: AtomicUsize = AtomicUsize::new(0);

/// The spare instances of one plugin on one thread.
#[derive(Default)]
pub(crate) struct Spares(RefCell<Vec<Spare>>);

struct Spare {
    /// What it is an instance of: a plugin that is loaded again has another image.
    module: Arc<dyn Module<VmHost>>,
    guest: Box<dyn PluginVm<VmHost>>,
    _counted: Counted,
}

/// One of all spares.
struct Counted;

// === impl Spares ===

impl Spares {
    pub(crate) fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// One of that module, for the VM of that state.
    pub(crate) fn take(
        &self,
        module: &Arc<dyn Module<VmHost>>,
        state: &Rc<VmState>,
    ) -> Option<Box<dyn PluginVm<VmHost>>> {
        let mut spares = self.0.borrow_mut();
        let index = spares.iter().rposition(|spare| Arc::ptr_eq(&spare.module, module))?;
        let mut guest = spares.swap_remove(index).guest;
        drop(spares);
        guest.assign(VmHost(Rc::clone(state)));
        Some(guest)
    }

    /// Keeps an instance of that module whose stream is over, if it can be used again. Until then it has `state`, so that nothing of the
    /// stream stays.
    pub(crate) fn put(
        &self,
        module: &Arc<dyn Module<VmHost>>,
        mut guest: Box<dyn PluginVm<VmHost>>,
        state: &Rc<VmState>,
    ) {
        if self.count() >= MAX_SPARES {
            return;
        }
        let Some(counted) = Counted::new() else { return };
        if guest.restore() {
            guest.assign(VmHost(Rc::clone(state)));
            self.0.borrow_mut().push(Spare { module: Arc::clone(module), guest, _counted: counted });
        }
    }
}

// === impl Counted ===

impl Counted {
    /// Nothing if there are too many.
    fn new() -> Option<Self> {
        let counted = Self;
        // The one that is too many is given back at once.
        (IN_PROCESS.fetch_add(1, Relaxed) < MAX_IN_PROCESS).then_some(counted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        IN_PROCESS.fetch_sub(1, Relaxed);
    }
}
