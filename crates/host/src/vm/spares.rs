//! Instances whose streams are over, put back to where they began, for the streams that come.

use std::cell::RefCell;
use std::rc::Rc;

use sandgate_vm::PluginVm;

use super::state::{VmHost, VmState};

/// A thread keeps so many for one plugin.
const MAX_SPARES: usize = 64;

/// The spare instances of one plugin on one thread.
#[derive(Default)]
pub(crate) struct Spares(RefCell<Vec<Box<dyn PluginVm<VmHost>>>>);

impl Spares {
    pub(crate) fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// One of them, for the VM of that state.
    pub(crate) fn take(&self, state: &Rc<VmState>) -> Option<Box<dyn PluginVm<VmHost>>> {
        let mut guest = self.0.borrow_mut().pop()?;
        guest.assign(VmHost(Rc::clone(state)));
        Some(guest)
    }

    /// Keeps an instance whose stream is over, if it can be used again. Until then it has `state`, so that nothing of the stream stays.
    pub(crate) fn put(&self, mut guest: Box<dyn PluginVm<VmHost>>, state: &Rc<VmState>) {
        if self.0.borrow().len() < MAX_SPARES && guest.restore() {
            guest.assign(VmHost(Rc::clone(state)));
            self.0.borrow_mut().push(guest);
        }
    }
}
