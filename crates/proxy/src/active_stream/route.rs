//! Which route a stream has.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use sandgate_filter::{LocalReplyHeaders, RouteChooser, Stream, StreamRoute};
use sandgate_http::Direction;

use super::ActiveStream;
use crate::hcm::Hcm;
use crate::route_table::{Chance, RouteEntry, RouteTable, Target};
use crate::worker::Worker;

/// Chooses a route while the stream is in its filters, for one that needs to know it.
pub(super) struct Chooser {
    worker: Rc<Worker>,
    /// Whether a filter asks for the route, see [`Hcm::filters_ask_for_route`].
    asked: bool,
    routes: Rc<RouteTable>,
    random: u64,
    /// Until the stream's owner takes it.
    chosen: RefCell<Option<Option<Rc<RouteEntry>>>>,
}

impl ActiveStream {
    /// Chooses again if a filter asked for that.
    pub(super) fn refresh_route(&mut self) {
        if let Some(chosen) = self.chooser.as_ref().and_then(|chooser| chooser.chosen.take()) {
            self.route = chosen;
            self.note_timeouts();
        }
        if self.stream.take_route_cleared() {
            self.route = choose(&self.routes, &self.worker, &self.stream, self.random);
            self.note_route();
        }
    }

    /// Tells the stream which route it has.
    pub(super) fn note_route(&mut self) {
        let asked = self.hcm.filters_ask_for_route;
        note((&self.routes, asked), &self.worker, &self.stream, self.route.as_ref());
        self.note_timeouts();
    }

    fn note_timeouts(&mut self) {
        let Some(route) = &self.route else { return };
        if let Target::Cluster { idle_timeout, policy, .. } = &route.target {
            if let Some(max) = policy.max_stream_duration(&self.stream) {
                self.timers.set_max_duration(max);
            }
            if let Some(timeout) = idle_timeout {
                self.timers.set_idle_timeout(*timeout);
            }
        }
    }
}

fn choose(routes: &RouteTable, worker: &Worker, stream: &Stream, random: u64) -> Option<Rc<RouteEntry>> {
    let headers = stream.headers(Direction::Request)?;
    routes.find(&headers, stream, Chance { random, runtime: &worker.runtime })
}

fn note((routes, asked): (&RouteTable, bool), worker: &Worker, stream: &Stream, route: Option<&Rc<RouteEntry>>) {
    let replies = route.filter(|route| route.changes_local_replies());
    stream.set_local_reply_headers(replies.map(|route| Rc::clone(route) as Rc<dyn LocalReplyHeaders>));
    if asked {
        let says = route.filter(|route| route.has_filter_configs());
        stream.set_route(says.map(|route| Rc::clone(route) as Rc<dyn StreamRoute>));
    }
    let without = match route {
        None => stream.headers(Direction::Request).and_then(|headers| routes.virtual_host(&headers)),
        Some(_) => None,
    };
    let mut info = stream.info_mut();
    match route {
        Some(route) => {
            info.route_name = Some(Arc::clone(&route.name));
            info.virtual_host_name = Some(Arc::clone(&route.virtual_host));
            info.route_metadata = route.metadata.clone();
            info.virtual_host_metadata = route.virtual_host_metadata.clone();
            if let Target::Cluster { name, .. } = &route.target {
                let cluster = worker.clusters.get(name);
                info.cluster_name = cluster.as_ref().map(|cluster| Arc::clone(&cluster.name));
                info.upstream.cluster_metadata = cluster.map(|cluster| cluster.metadata.clone()).unwrap_or_default();
            }
        }
        None => {
            (info.route_name, info.cluster_name) = (None, None);
            let metadata;
            (info.virtual_host_name, metadata) = without.unzip();
            info.virtual_host_metadata = metadata.unwrap_or_default();
        }
    }
}

// === impl Chooser ===

impl Chooser {
    /// Nothing if no filter asks.
    pub(super) fn new(worker: &Rc<Worker>, hcm: &Hcm, routes: &Rc<RouteTable>, random: u64) -> Option<Rc<Self>> {
        let asked = hcm.filters_ask_for_route;
        let (worker, routes) = (Rc::clone(worker), Rc::clone(routes));
        asked.then(|| Rc::new(Self { worker, asked, routes, random, chosen: RefCell::default() }))
    }
}

impl fmt::Debug for Chooser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chooser").field("chosen", &self.chosen).finish_non_exhaustive()
    }
}

impl RouteChooser for Chooser {
    fn choose(&self, stream: &Stream) {
        let route = choose(&self.routes, &self.worker, stream, self.random);
        note((&self.routes, self.asked), &self.worker, stream, route.as_ref());
        *self.chosen.borrow_mut() = Some(route);
    }
}
