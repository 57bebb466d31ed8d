//! Callouts of one VM that are under way, and the answer that is being shown.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use bytes::Bytes;

use super::context::Context;
use super::dns::DnsTable;
use super::grpc::GrpcTable;
use crate::{Callout, HttpCallResponse};

/// Callouts by their tokens. The two lowest bits of a token say of which kind it is: 0 is an HTTP call.
#[derive(Default)]
pub(crate) struct CalloutTable {
    http: RefCell<HashMap<u32, HttpEntry>>,
    last_http: Cell<u32>,
    pub(crate) grpc: GrpcTable,
    pub(crate) dns: DnsTable,
    /// The response to the HTTP call whose callback runs, and the root context that made the call.
    pub(crate) response: RefCell<Option<(u32, HttpCallResponse)>>,
}

struct HttpEntry {
    root: Rc<Context>,
    _call: Callout,
}

/// What `proxy_get_status` says: of the last callout of a root context.
#[derive(Debug, Default)]
pub(crate) struct CalloutStatus {
    /// Stays when the callback is over (as in Envoy).
    pub(crate) code: u32,
    /// Only during the callback.
    pub(crate) message: Bytes,
}

// === impl CalloutTable ===

impl CalloutTable {
    /// A token for an HTTP call of `root`: a multiple of four that no call under way has.
    pub(crate) fn next_http(&self) -> u32 {
        loop {
            let number = self.last_http.get().wrapping_add(1);
            self.last_http.set(number);
            let token = number.wrapping_mul(4);
            if token != 0 && !self.http.borrow().contains_key(&token) {
                return token;
            }
        }
    }

    pub(crate) fn insert_http(&self, token: u32, root: Rc<Context>, call: Callout) {
        self.http.borrow_mut().insert(token, HttpEntry { root, _call: call });
    }

    /// The call is over: whose it was.
    pub(crate) fn take_http(&self, token: u32) -> Option<Rc<Context>> {
        let entry = self.http.borrow_mut().remove(&token)?;
        Some(entry.root)
    }

    /// Cancels what a root context has under way.
    pub(crate) fn cancel(&self, root: &Rc<Context>) {
        let gone: Vec<_> = {
            let mut http = self.http.borrow_mut();
            http.extract_if(|_, entry| Rc::ptr_eq(&entry.root, root)).collect()
        };
        drop(gone);
        self.grpc.cancel_all(root);
        self.dns.cancel_all(root);
    }

    /// How many are under way.
    pub(crate) fn len(&self) -> usize {
        self.http.borrow().len() + self.grpc.len() + self.dns.len()
    }
}
