//! The routes of connection managers on one worker, which an update replaces as a whole.

use std::cell::RefCell;
use std::rc::Rc;

use super::RouteTable;

/// Routes as they are now. Shared by all connection managers of a thread that have their routes from one place.
#[derive(Debug, Default)]
pub(crate) struct Routes(RefCell<Rc<RouteTable>>);

impl Routes {
    pub(crate) fn new(table: RouteTable) -> Rc<Self> {
        Rc::new(Self(RefCell::new(Rc::new(table))))
    }

    /// For a stream that begins, which keeps them to its end.
    pub(crate) fn get(&self) -> Rc<RouteTable> {
        Rc::clone(&self.0.borrow())
    }

    /// For streams that begin from now on.
    pub(crate) fn set(&self, table: RouteTable) {
        *self.0.borrow_mut() = Rc::new(table);
    }
}
