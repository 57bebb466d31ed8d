//! Names that plugins of one VM have asked for.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::{BufMut, Bytes, BytesMut};
use sandgate_abi::Callback;

use super::context::Context;
use super::instance::Vm;
use crate::{Callout, DnsAddress};

/// Look-ups under way by their tokens, which are of no other kind of callout.
pub(crate) struct DnsTable {
    under_way: RefCell<HashMap<u32, LookUp>>,
    last: Cell<u32>,
}

struct LookUp {
    root: Rc<Context>,
    _callout: Callout,
}

// === impl DnsTable ===

impl Default for DnsTable {
    /// The first token is 2 (observed in Envoy 1.40).
    fn default() -> Self {
        Self { under_way: RefCell::default(), last: Cell::new(1) }
    }
}

impl DnsTable {
    /// A token that no look-up under way has.
    pub(crate) fn next(&self) -> u32 {
        loop {
            let token = self.last.get().wrapping_add(1);
            self.last.set(token);
            if token != 0 && !self.under_way.borrow().contains_key(&token) {
                return token;
            }
        }
    }

    pub(crate) fn insert(&self, token: u32, root: Rc<Context>, callout: Callout) {
        self.under_way.borrow_mut().insert(token, LookUp { root, _callout: callout });
    }

    /// Forgets what a root context has asked for.
    pub(crate) fn cancel_all(&self, root: &Rc<Context>) {
        let gone: Vec<_> =
            self.under_way.borrow_mut().extract_if(|_, look_up| Rc::ptr_eq(&look_up.root, root)).collect();
        drop(gone);
    }

    /// How many are under way.
    pub(crate) fn len(&self) -> usize {
        self.under_way.borrow().len()
    }

    fn take(&self, token: u32) -> Option<Rc<Context>> {
        let look_up = self.under_way.borrow_mut().remove(&token)?;
        Some(look_up.root)
    }
}

// === impl Vm ===

impl Vm {
    /// A name was looked up. Nothing for a root context that is gone.
    pub(crate) fn dns_done(&self, token: u32, addresses: Option<&[DnsAddress]>) {
        let Some(root) = self.state.callouts.dns.take(token).filter(|root| self.state.knows(root)) else { return };
        let data = addresses.map(encode).unwrap_or_default();
        let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
        if let Some(state) = root.as_root() {
            state.call_data.replace(data);
        }
        // A call that kills the VM is reported there.
        let _ = self.call(&root, Callback::ResolveDns { root: root.id, token, size });
    }
}

/// As Envoy 1.40 lays it out: the number of addresses, the time to live of each, and then the addresses, each with a port of 0 and ended by a
/// zero byte.
fn encode(addresses: &[DnsAddress]) -> Bytes {
    let mut data = BytesMut::with_capacity(4 + addresses.len() * 28);
    data.put_u32_le(u32::try_from(addresses.len()).unwrap_or(u32::MAX));
    addresses.iter().for_each(|address| data.put_u32_le(address.ttl_s));
    for address in addresses {
        data.extend_from_slice(SocketAddr::new(address.ip, 0).to_string().as_bytes());
        data.put_u8(0);
    }
    data.freeze()
}
