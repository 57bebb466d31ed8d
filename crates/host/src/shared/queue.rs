//! Message queues between VMs, and the letter boxes of the workers that are told of new elements.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, Weak};
use std::task::Waker;

use bytes::Bytes;
use sandgate_abi::Status;

use super::space::{ENTRY_OVERHEAD, locked};
use crate::keys::VmKey;

/// A queue; any VM that knows its token may put in and take out (as in Envoy).
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) token: u32,
    state: Mutex<QueueState>,
}

#[derive(Debug, Default)]
struct QueueState {
    elements: VecDeque<Bytes>,
    bytes: usize,
    consumer: Option<Consumer>,
}

/// Who is told of new elements: the last to register.
#[derive(Clone, Debug)]
pub(crate) struct Consumer {
    pub(crate) mailbox: Weak<Mailbox>,
    pub(crate) vm: VmKey,
    pub(crate) root: u32,
}

/// What other threads have sent to a worker.
#[derive(Debug)]
pub(crate) struct Mailbox {
    letters: Mutex<VecDeque<Letter>>,
    waker: Option<Waker>,
}

/// An element was put into a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) vm: VmKey,
    pub(crate) root: u32,
    pub(crate) queue: u32,
}

/// Every queue of a process by its token.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    state: Mutex<(u32, HashMap<u32, Weak<Queue>>)>,
}

/// How many letters may wait; beyond it they are dropped, the elements stay. The consumer, once it runs, is expected to
/// empty the queue.
const MAX_LETTERS: usize = 1 << 16;

// === impl Queues ===

impl Queues {
    pub(super) fn make(&self) -> Arc<Queue> {
        let mut state = locked(&self.state);
        let (last, queues) = &mut *state;
        queues.retain(|_, queue| queue.strong_count() > 0);
        loop {
            *last = last.wrapping_add(1);
            if *last != 0 && !queues.contains_key(last) {
                break;
            }
        }
        let queue = Arc::new(Queue { token: *last, state: Mutex::default() });
        queues.insert(*last, Arc::downgrade(&queue));
        queue
    }

    pub(super) fn get(&self, token: u32) -> Option<Arc<Queue>> {
        locked(&self.state).1.get(&token)?.upgrade()
    }
}

// === impl Queue ===

impl Queue {
    pub(super) fn bind(&self, consumer: Consumer) {
        locked(&self.state).consumer = Some(consumer);
    }

    /// Appends an element and tells the consumer.
    pub(crate) fn push(&self, value: &[u8], limit: usize) -> Result<(), Status> {
        let mut state = locked(&self.state);
        let bytes = state.bytes.saturating_add(value.len() + ENTRY_OVERHEAD);
        if bytes > limit {
            return Err(Status::InternalFailure);
        }
        state.bytes = bytes;
        state.elements.push_back(Bytes::copy_from_slice(value));
        let consumer = state.consumer.clone();
        drop(state);
        if let Some(consumer) = consumer
            && let Some(mailbox) = consumer.mailbox.upgrade()
        {
            mailbox.send(Letter { vm: consumer.vm, root: consumer.root, queue: self.token });
        }
        Ok(())
    }

    /// Takes the first element.
    pub(crate) fn pop(&self) -> Option<Bytes> {
        let mut state = locked(&self.state);
        let value = state.elements.pop_front()?;
        state.bytes -= value.len() + ENTRY_OVERHEAD;
        Some(value)
    }
}

// === impl Mailbox ===

impl Mailbox {
    pub(crate) fn new(waker: Option<Waker>) -> Arc<Self> {
        Arc::new(Self { letters: Mutex::default(), waker })
    }

    fn send(&self, letter: Letter) {
        let mut letters = locked(&self.letters);
        if letters.len() < MAX_LETTERS {
            letters.push_back(letter);
        }
        drop(letters);
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }

    /// Everything that has come so far.
    pub(crate) fn take(&self) -> VecDeque<Letter> {
        std::mem::take(&mut *locked(&self.letters))
    }
}
