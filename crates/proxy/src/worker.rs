//! One thread with its event loop: its own connections, pools, routes and VMs. The main thread is one, too.

mod environment;
mod guarded;
mod registry;

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use sandgate_http::HeaderMap;

pub(crate) use environment::{HostTask, WorkerEnvironment};
pub(crate) use guarded::{guarded, panic_message};
pub(crate) use registry::ConnectionSlot;

use crate::access_log::LogBuffers;
use crate::cluster::ClusterManager;
use crate::date::DateCache;
use crate::dns::Dns;
use crate::drain::DrainManager;
use crate::router::RouterConfig;
use crate::runtime::Runtime;
use registry::Registry;

/// What the connections of one thread share.
pub(crate) struct Worker {
    pub(crate) clusters: Rc<ClusterManager>,
    pub(crate) date: DateCache,
    /// Stands in for a loopback peer in `x-forwarded-for`.
    pub(crate) local_ip: IpAddr,
    /// Settings that can change while the process runs.
    pub(crate) runtime: Arc<Runtime>,
    /// Which responses are to end their connections.
    pub(crate) drain: Arc<DrainManager>,
    /// Access log entries on their way to the files.
    pub(crate) logs: Rc<LogBuffers>,
    /// What requests of our own go through.
    pub(crate) async_router: Rc<RouterConfig>,
    /// Whom plugins ask for names.
    pub(crate) dns: Arc<Dns>,
    draining: Cell<bool>,
    connections: Registry,
}

impl Worker {
    pub(crate) fn new(
        clusters: Rc<ClusterManager>,
        local_ip: IpAddr,
        runtime: Arc<Runtime>,
        drain: Arc<DrainManager>,
        logs: Rc<LogBuffers>,
        async_router: Rc<RouterConfig>,
        dns: Arc<Dns>,
    ) -> Rc<Self> {
        Rc::new(Self {
            clusters,
            date: DateCache::default(),
            local_ip,
            runtime,
            drain,
            logs,
            async_router,
            dns,
            draining: Cell::new(false),
            connections: Registry::default(),
        })
    }

    /// Names this proxy in `x-forwarded-for`, as Envoy does in requests of its own.
    pub(crate) fn append_to_forwarded_for(&self, headers: &mut HeaderMap) {
        let local = self.local_ip.to_string();
        match headers.get(b"x-forwarded-for").filter(|before| !before.is_empty()) {
            Some(before) => {
                let all = [before, b",", local.as_bytes()].concat();
                headers.set(b"x-forwarded-for", &all);
            }
            None => headers.set(b"x-forwarded-for", local.as_bytes()),
        }
    }

    /// Whether connections are to end with their next response.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Ends every connection with its next response, or soon if it has no request.
    pub(crate) fn end_connections(&self) {
        self.draining.set(true);
        self.connections.wake_all();
    }

    /// Has every connection look whether it is to end.
    pub(crate) fn wake_connections(&self) {
        self.connections.wake_all();
    }

    /// Returns once no connection is left.
    pub(crate) async fn idle(&self) {
        self.connections.empty().await;
    }
}
