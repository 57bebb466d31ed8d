//! Differences: requests say what names have changed, responses which resources.

use std::collections::{HashSet, VecDeque};
use std::time::Instant;

use bytes::Bytes;
use prost::{DecodeError, Message as _};

use crate::deliveries::Deliveries;
use crate::delta_interest::{Interest, Told};
use crate::heartbeat::Lifetimes;
use crate::mux::{Taken, nack};
use crate::pauses::Pauses;
use crate::watches::Watches;
use crate::{
    Delivery, DeltaDiscoveryRequest, DeltaDiscoveryResponse, Mux, Names, NodePolicy, Received, Resource, ResourceType,
    ResourceWrapper, Response, Status, WatchId,
};

/// Differences.
#[derive(Debug)]
pub struct DeltaMux {
    node: NodePolicy,
    /// In the order in which they were first subscribed to.
    types: Vec<TypeState>,
    pauses: Pauses,
    /// Answers that are to be sent, before anything else.
    answers: VecDeque<Answer>,
    open: bool,
    last_serial: u64,
}

#[derive(Debug)]
struct TypeState {
    kind: ResourceType,
    watches: Watches,
    interest: Interest,
    lifetimes: Lifetimes,
}

#[derive(Debug)]
struct Answer {
    kind: ResourceType,
    nonce: String,
    error: Option<Status>,
}

// === impl DeltaMux ===

impl DeltaMux {
    /// Nobody watches anything, and there is no stream.
    #[must_use]
    pub fn new(node: NodePolicy) -> Self {
        Self {
            node,
            types: Vec::new(),
            pauses: Pauses::default(),
            answers: VecDeque::new(),
            open: false,
            last_serial: 0,
        }
    }

    fn of(&mut self, kind: ResourceType) -> Option<&mut TypeState> {
        self.types.iter_mut().find(|state| state.kind == kind)
    }

    /// The first answer that need not wait.
    fn next_answer(&self) -> Option<usize> {
        self.answers.iter().position(|answer| !self.pauses.is_paused(answer.kind))
    }

    /// The first type that has something to say and need not wait.
    fn next_change(&self) -> Option<ResourceType> {
        let mut may = self.types.iter().filter(|state| !self.pauses.is_paused(state.kind));
        may.find(|state| state.interest.is_pending()).map(|state| state.kind)
    }
}

impl Mux for DeltaMux {
    fn subscribe(&mut self, kind: ResourceType, names: Names) -> WatchId {
        self.last_serial += 1;
        let watch = WatchId { kind, serial: self.last_serial };
        if self.of(kind).is_none() {
            self.types.push(TypeState::new(kind));
        }
        self.set_names(watch, names);
        watch
    }

    fn set_names(&mut self, watch: WatchId, names: Names) {
        if let Some(state) = self.of(watch.kind) {
            state.interest.change(state.watches.set(watch.serial, names));
        }
    }

    fn unsubscribe(&mut self, watch: WatchId) {
        if let Some(state) = self.of(watch.kind) {
            state.interest.change(state.watches.remove(watch.serial));
        }
    }

    fn pause(&mut self, kind: ResourceType) {
        self.pauses.pause(kind);
    }

    fn resume(&mut self, kind: ResourceType) {
        self.pauses.resume(kind);
    }

    fn opened(&mut self) {
        self.open = true;
        self.node.stream_opened();
        self.answers.clear();
        for state in &mut self.types {
            state.interest.stream_opened();
        }
    }

    fn closed(&mut self) {
        self.open = false;
        self.answers.clear();
    }

    fn has_request(&self) -> bool {
        self.open && (self.next_answer().is_some() || self.next_change().is_some())
    }

    fn next_request(&mut self) -> Option<Bytes> {
        if !self.open {
            return None;
        }
        let answer = self.next_answer().and_then(|at| self.answers.remove(at));
        let kind = answer.as_ref().map(|answer| answer.kind).or_else(|| self.next_change())?;
        let node = self.node.next();
        let Told { subscribe, unsubscribe, initial } = self.of(kind)?.interest.tell();
        let (response_nonce, error_detail) = answer.map(|answer| (answer.nonce, answer.error)).unwrap_or_default();
        let request = DeltaDiscoveryRequest {
            node,
            type_url: kind.type_url().to_owned(),
            resource_names_subscribe: subscribe,
            resource_names_unsubscribe: unsubscribe,
            initial_resource_versions: initial,
            response_nonce,
            error_detail,
        };
        Some(request.encode_to_vec().into())
    }

    fn queued(&self) -> usize {
        self.answers.len()
    }

    fn receive(&mut self, message: Bytes) -> Result<Received, DecodeError> {
        let message = DeltaDiscoveryResponse::decode(message)?;
        let kind = ResourceType::from_type_url(&message.type_url);
        let Some(state) = kind.and_then(|kind| self.of(kind)) else {
            return Ok(Received { control_plane: None, response: None });
        };
        let control_plane = message.control_plane.map(|control_plane| control_plane.identifier);
        let kind = state.kind;
        let mut response = Response {
            kind,
            deliveries: Vec::new(),
            refused: None,
            nonce: message.nonce,
            version: message.system_version_info,
            taken: Vec::new(),
            removed: message.removed_resources,
        };
        match read(state, message.resources, &response.removed) {
            Ok((resources, taken)) => {
                let nothing = resources.is_empty() && response.removed.is_empty();
                let mut deliveries = Deliveries::differences(&state.watches, resources, &response.removed);
                if nothing {
                    deliveries = deliveries.with_wildcards(&state.watches);
                }
                response.taken = taken;
                response.deliveries = deliveries.into_list(kind, &response.version, true);
            }
            Err(detail) => response.refused = Some(detail),
        }
        Ok(Received { control_plane, response: Some(response) })
    }

    fn finish(&mut self, response: Response, result: Result<(), String>, now: Instant) {
        let (kind, nonce) = (response.kind, response.nonce);
        if let Some(state) = self.of(kind)
            && result.is_ok()
        {
            for Taken { name, version, ttl } in response.taken {
                state.lifetimes.set(&name, ttl, now);
                state.interest.taken(name, version);
            }
            for name in &response.removed {
                state.lifetimes.clear(name);
                state.interest.gone(name);
            }
        }
        self.answers.push_back(Answer { kind, nonce, error: result.err().map(nack) });
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
            over.iter().for_each(|name| state.interest.gone(name));
            Deliveries::differences(&state.watches, Vec::new(), &over).into_list(state.kind, "", true)
        });
        each.collect()
    }
}

// === impl TypeState ===

impl TypeState {
    fn new(kind: ResourceType) -> Self {
        Self { kind, watches: Watches::default(), interest: Interest::default(), lifetimes: Lifetimes::default() }
    }

    fn watch_ids(&self) -> impl Iterator<Item = WatchId> {
        self.watches.serials().map(|serial| WatchId { kind: self.kind, serial })
    }
}

/// The resources to tell of, and what is to be remembered of all. Nobody is told of heartbeats, nor of other names of something else.
fn read(
    state: &TypeState,
    wrappers: Vec<ResourceWrapper>,
    removed: &[String],
) -> Result<(Vec<Resource>, Vec<Taken>), String> {
    let url = state.kind.type_url();
    let (mut resources, mut taken) = (Vec::with_capacity(wrappers.len()), Vec::with_capacity(wrappers.len()));
    let mut seen = HashSet::with_capacity(wrappers.len());
    for ResourceWrapper { version, resource, name, aliases, ttl } in wrappers {
        if !seen.insert(name.clone()) {
            return Err(format!("duplicate name {name} found among added/updated resources"));
        }
        let ttl = ttl.and_then(|ttl| ttl.duration());
        taken.push(Taken { name: name.clone(), version: version.clone(), ttl });
        let body = match resource {
            None if state.interest.has(&name, &version) || !aliases.is_empty() => continue,
            Some(any) if any.type_url == url => any.value,
            other => {
                let found = other.map(|any| any.type_url).unwrap_or_default();
                return Err(format!(
                    "type URL {found} embedded in an individual Any does not match the message-wide type URL {url} in \
                     DeltaDiscoveryResponse"
                ));
            }
        };
        resources.push(Resource { name, version, body: Some(body), type_url: url.to_owned(), ttl });
    }
    match removed.iter().find(|name| !seen.insert((*name).clone())) {
        Some(name) => Err(format!("duplicate name {name} found in the union of added+removed resources")),
        None => Ok((resources, taken)),
    }
}

#[cfg(test)]
mod tests;
