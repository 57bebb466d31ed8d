//! The tick timers of one worker.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use super::context::Context;
use super::instance::Vm;

/// A deadline in monotonic nanoseconds, and a number that keeps equal deadlines in order.
pub(crate) type TimerKey = (u64, u64);

/// A root context and its VM.
type Timer = (Weak<Vm>, Rc<Context>);

/// Root contexts by the time of their next tick.
#[derive(Default)]
pub(crate) struct Timers {
    due: RefCell<BTreeMap<TimerKey, Timer>>,
    last: Cell<u64>,
}

impl Timers {
    /// Arms the timer of a root context for `deadline` instead of whatever it was armed for.
    pub(crate) fn arm(&self, vm: Weak<Vm>, context: &Rc<Context>, deadline: u64) {
        self.disarm(context);
        let Some(root) = context.as_root() else { return };
        self.last.set(self.last.get().wrapping_add(1));
        let key = (deadline, self.last.get());
        root.timer.set(Some(key));
        self.due.borrow_mut().insert(key, (vm, Rc::clone(context)));
    }

    pub(crate) fn disarm(&self, context: &Context) {
        if let Some(key) = context.as_root().and_then(|root| root.timer.take()) {
            self.due.borrow_mut().remove(&key);
        }
    }

    pub(crate) fn next(&self) -> Option<u64> {
        self.due.borrow().first_key_value().map(|((deadline, _), _)| *deadline)
    }

    /// Takes what is due at `now`; those armed meanwhile wait for the next time.
    pub(crate) fn take_due(&self, now: u64) -> Vec<Timer> {
        let mut due = self.due.borrow_mut();
        let mut taken = Vec::new();
        while let Some(first) = due.first_entry() {
            if first.key().0 > now {
                break;
            }
            let (vm, context) = first.remove();
            if let Some(root) = context.as_root() {
                root.timer.set(None);
            }
            taken.push((vm, context));
        }
        taken
    }
}
