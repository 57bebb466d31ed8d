//! The state of the world: every request has all names of a type, every response all resources that there are of them.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use prost::{DecodeError, Message as _};

use crate::deliveries::Deliveries;
use crate::heartbeat::Lifetimes;
use crate::messages::Named;
use crate::mux::{Taken, nack};
use crate::pauses::Pauses;
use crate::watches::Watches;
use crate::{
    Any, Delivery, DiscoveryRequest, DiscoveryResponse, Mux, Names, NodePolicy, Received, Resource, ResourceType,
    ResourceWrapper, Response, Status, WatchId,
};

/// State of the world.
#[derive(Debug)]
pub struct SotwMux {
    node: NodePolicy,
    /// In the order in which they were first subscribed to.
    types: Vec<TypeState>,
    pauses: Pauses,
    /// Of what requests are to be sent. A type may be there several times.
    queue: VecDeque<ResourceType>,
    open: bool,
    last_serial: u64,
}

#[derive(Debug)]
struct TypeState {
    kind: ResourceType,
    watches: Watches,
    /// The last that was taken.
    version: String,
    /// Of the last response of this stream.
    nonce: String,
    /// What the next request says of that response.
    error: Option<Status>,
    /// A request waits for the type to be resumed.
    pending: bool,
    lifetimes: Lifetimes,
}

const WRAPPER: &str = "envoy.service.discovery.v3.Resource";

// === impl SotwMux ===

impl SotwMux {
    /// Nobody watches anything, and there is no stream.
    #[must_use]
    pub fn new(node: NodePolicy) -> Self {
        Self { node, types: Vec::new(), pauses: Pauses::default(), queue: VecDeque::new(), open: false, last_serial: 0 }
    }

    fn of(&mut self, kind: ResourceType) -> Option<&mut TypeState> {
        self.types.iter_mut().find(|state| state.kind == kind)
    }

    /// A request is to be sent, at the end of a pause if there is one. Without a stream it is not: the next one begins with all.
    fn queue(&mut self, kind: ResourceType) {
        if !self.open {
            return;
        }
        if !self.pauses.is_paused(kind) {
            self.queue.push_back(kind);
        } else if let Some(state) = self.of(kind) {
            state.pending = true;
        }
    }
}

impl Mux for SotwMux {
    fn subscribe(&mut self, kind: ResourceType, names: Names) -> WatchId {
        self.last_serial += 1;
        let serial = self.last_serial;
        if self.of(kind).is_none() {
            self.types.push(TypeState::new(kind));
        }
        if let Some(state) = self.of(kind) {
            state.watches.set(serial, names);
        }
        self.queue(kind);
        WatchId { kind, serial }
    }

    fn set_names(&mut self, watch: WatchId, names: Names) {
        if let Some(state) = self.of(watch.kind) {
            state.watches.set(watch.serial, names);
        }
        self.queue(watch.kind);
    }

    fn unsubscribe(&mut self, watch: WatchId) {
        let Some(state) = self.of(watch.kind) else { return };
        let named = !state.watches.is_wildcard(watch.serial);
        state.watches.remove(watch.serial);
        if named {
            self.queue(watch.kind);
        }
    }

    fn pause(&mut self, kind: ResourceType) {
        self.pauses.pause(kind);
    }

    fn resume(&mut self, kind: ResourceType) {
        if self.pauses.resume(kind)
            && let Some(state) = self.of(kind)
            && std::mem::take(&mut state.pending)
        {
            self.queue(kind);
        }
    }

    fn opened(&mut self) {
        self.open = true;
        self.node.stream_opened();
        self.queue.clear();
        let kinds: Vec<_> = self.types.iter().map(|state| state.kind).collect();
        for state in &mut self.types {
            state.nonce.clear();
        }
        kinds.into_iter().for_each(|kind| self.queue(kind));
    }

    fn closed(&mut self) {
        self.open = false;
        self.queue.clear();
    }

    fn has_request(&self) -> bool {
        !self.queue.is_empty()
    }

    fn next_request(&mut self) -> Option<Bytes> {
        let kind = self.queue.pop_front()?;
        let node = self.node.next();
        let state = self.of(kind)?;
        let request = DiscoveryRequest {
            version_info: state.version.clone(),
            node,
            resource_names: state.watches.all_names(),
            type_url: kind.type_url().to_owned(),
            response_nonce: state.nonce.clone(),
            error_detail: state.error.take(),
        };
        Some(request.encode_to_vec().into())
    }

    fn queued(&self) -> usize {
        self.queue.len()
    }

    fn receive(&mut self, message: Bytes) -> Result<Received, DecodeError> {
        let DiscoveryResponse { version_info, resources, type_url, nonce, control_plane } =
            DiscoveryResponse::decode(message)?;
        let kind = ResourceType::from_type_url(&type_url);
        let Some(state) = kind.and_then(|kind| self.of(kind)) else {
            return Ok(Received { control_plane: None, response: None });
        };
        let control_plane = control_plane.map(|control_plane| control_plane.identifier);
        let kind = state.kind;
        if state.watches.is_empty() {
            state.nonce = nonce;
            if resources.is_empty() {
                state.version = version_info;
            } else {
                self.queue(kind);
            }
            return Ok(Received { control_plane, response: None });
        }
        let mut response = Response {
            kind,
            deliveries: Vec::new(),
            refused: None,
            nonce,
            version: version_info,
            taken: Vec::new(),
            removed: Vec::new(),
        };
        match resources
            .into_iter()
            .map(|any| read_resource(kind, any, &response.version))
            .collect::<Result<Vec<_>, _>>()
        {
            Ok(mut resources) => {
                let taken = |Resource { name, version, ttl, .. }: &Resource| Taken {
                    name: name.clone(),
                    version: version.clone(),
                    ttl: *ttl,
                };
                response.taken = resources.iter().map(taken).collect();
                resources.retain(|resource| resource.body.is_some() || response.version != state.version);
                let deliveries = Deliveries::state(&state.watches, resources);
                response.deliveries = deliveries.into_list(kind, &response.version, false);
            }
            Err(detail) => response.refused = Some(detail),
        }
        // Whatever changes while the response is taken goes with its acknowledgement.
        self.pause(kind);
        Ok(Received { control_plane, response: Some(response) })
    }

    fn finish(&mut self, response: Response, result: Result<(), String>, now: Instant) {
        let kind = response.kind;
        if let Some(state) = self.of(kind) {
            match result {
                Ok(()) => {
                    state.version = response.version;
                    // A refusal of an earlier response that was not sent yet.
                    state.error = None;
                    for Taken { name, ttl, .. } in &response.taken {
                        state.lifetimes.set(name, *ttl, now);
                    }
                }
                Err(detail) => state.error = Some(nack(detail)),
            }
            state.nonce = response.nonce;
        }
        self.queue(kind);
        self.resume(kind);
    }

    fn watches(&self, kind: ResourceType) -> Vec<WatchId> {
        self.types.iter().filter(|state| state.kind == kind).flat_map(TypeState::watch_ids).collect()
    }

    fn all_watches(&self) -> Vec<WatchId> {
        self.types.iter().flat_map(TypeState::watch_ids).collect()
    }

    fn next_expiry(&self) -> Option<Instant> {
        self.types.iter().filter_map(|state| state.lifetimes.next()).min()
    }

    fn expire(&mut self, now: Instant) -> Vec<Delivery> {
        let each = self.types.iter_mut().flat_map(|state| {
            let over = state.lifetimes.expire(now);
            Deliveries::differences(&state.watches, Vec::new(), &over).into_list(state.kind, "", true)
        });
        each.collect()
    }
}

// === impl TypeState ===

impl TypeState {
    fn new(kind: ResourceType) -> Self {
        Self {
            kind,
            watches: Watches::default(),
            version: String::new(),
            nonce: String::new(),
            error: None,
            pending: false,
            lifetimes: Lifetimes::default(),
        }
    }

    fn watch_ids(&self) -> impl Iterator<Item = WatchId> {
        self.watches.serials().map(|serial| WatchId { kind: self.kind, serial })
    }
}

/// One resource of a response of that version, bare or wrapped.
///
/// # Errors
/// What the control plane is to be told: it is of another type, or is no message.
pub fn read_resource(kind: ResourceType, any: Any, version: &str) -> Result<Resource, String> {
    let unreadable = || format!("Unable to unpack as {}", kind.message_name());
    let version = version.to_owned();
    if any.type_url.rsplit('/').next() == Some(WRAPPER) {
        let wrapper = ResourceWrapper::decode(any.value).map_err(|_| format!("Unable to unpack as {WRAPPER}"))?;
        let ttl = wrapper.ttl.and_then(|ttl| ttl.duration());
        let body = match wrapper.resource {
            Some(inner) if inner.type_url == kind.type_url() => Some(inner.value),
            // Of no type is not there, as in Envoy.
            Some(inner) if inner.type_url.is_empty() => None,
            Some(_) => return Err(unreadable()),
            None => None,
        };
        return Ok(Resource { name: wrapper.name, version, body, type_url: kind.type_url().to_owned(), ttl });
    }
    if any.type_url != kind.type_url() {
        let url = kind.type_url();
        return Err(format!("{} does not match the message-wide type URL {url} in DiscoveryResponse", any.type_url));
    }
    let Named { name } = Named::decode(any.value.clone()).map_err(|_| unreadable())?;
    Ok(Resource { name, version, body: Some(any.value), type_url: any.type_url, ttl: None })
}

#[cfg(test)]
mod tests;
