//! A cluster as one worker sees it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use sandgate_config::model::Cluster;
use sandgate_http::h1::ResponseOptions;

use sandgate_load_balancing::{Choice, LoadBalancer, RuntimeValues};

use super::{LbContext, PrioritySet, Resources};
use crate::pool::{HostPool, Sweeper};
use crate::stats::{ClusterCodeStats, ClusterStats, Http1CodecStats, StatsStore, TransportSocketMatchStats};

/// A cluster's hosts with this worker's connections to them, its turns, and its stats.
pub(crate) struct WorkerCluster {
    pub(crate) config: Arc<Cluster>,
    /// The name, for stream infos; this worker's own, so that counting references to it stays on this core.
    pub(crate) name: Arc<str>,
    /// Serialized metadata; empty if there is none.
    pub(crate) metadata: Bytes,
    pub(crate) resources: Arc<Resources>,
    pub(crate) stats: ClusterStats,
    pub(crate) codes: ClusterCodeStats,
    pub(crate) codec_stats: Http1CodecStats,
    /// Hosts ever made, which all use the one transport socket there is; written by the main thread alone.
    pub(crate) transport_stats: TransportSocketMatchStats,
    pub(crate) response_options: ResponseOptions,
    pools: RefCell<Vec<Rc<HostPool>>>,
    balancer: RefCell<LoadBalancer>,
    host_count: Cell<usize>,
    sweeper: Rc<Sweeper>,
}

impl WorkerCluster {
    pub(crate) fn new(
        config: &Arc<Cluster>,
        resources: &Arc<Resources>,
        sweeper: &Rc<Sweeper>,
        store: &StatsStore,
    ) -> Rc<Self> {
        let stat_name = config.stat_name();
        let http = &config.http;
        let balancing = &config.load_balancing;
        let runtime = RuntimeValues::of(balancing);
        let balancer = LoadBalancer::new(balancing, &Arc::default(), runtime, fastrand::Rng::new(), Instant::now());
        Rc::new(Self {
            name: config.name.as_str().into(),
            metadata: config.metadata.as_deref().map(Bytes::copy_from_slice).unwrap_or_default(),
            resources: Arc::clone(resources),
            stats: ClusterStats::new(store, stat_name),
            transport_stats: TransportSocketMatchStats::new(store, stat_name),
            codes: ClusterCodeStats::new(store, stat_name),
            codec_stats: Http1CodecStats::hidden(store, &format!("cluster.{stat_name}.")),
            response_options: ResponseOptions {
                max_head_bytes: http.max_response_headers_kb as usize * 1024,
                max_headers: http.max_headers_count as usize,
                enable_trailers: http.http1.enable_trailers,
                allow_chunked_length: http.http1.allow_chunked_length,
            },
            config: Arc::clone(config),
            pools: RefCell::default(),
            balancer: RefCell::new(balancer),
            host_count: Cell::new(0),
            sweeper: Rc::clone(sweeper),
        })
    }

    /// Who watches idle connections.
    pub(crate) fn sweeper(&self) -> &Sweeper {
        &self.sweeper
    }

    /// How many hosts there are.
    pub(crate) fn host_count(&self) -> usize {
        self.host_count.get()
    }

    /// The pool of the host that load balancing chooses; nothing if there is no host to use.
    pub(crate) fn choose(&self, context: &mut LbContext<'_>, now: Instant) -> Option<Rc<HostPool>> {
        let Choice { host, panic } = self.balancer.borrow_mut().choose(context, now);
        if panic {
            self.stats.lb_healthy_panic().inc();
        }
        self.pools.borrow().get(host?).cloned()
    }

    /// Takes over new hosts. Pools of hosts that stay are kept; idle connections of others are closed.
    pub(crate) fn update(self: &Rc<Self>, set: &Arc<PrioritySet>) {
        let old = std::mem::take(&mut *self.pools.borrow_mut());
        let pool = |host| match old.iter().find(|pool| Arc::ptr_eq(pool.host(), host)) {
            Some(pool) => Rc::clone(pool),
            None => HostPool::new(Rc::downgrade(self), Arc::clone(host)),
        };
        let pools: Vec<_> = set.hosts.iter().map(pool).collect();
        for pool in old {
            if !pools.iter().any(|kept| Rc::ptr_eq(kept, &pool)) {
                pool.retire();
            }
        }
        let runtime = RuntimeValues::of(&self.config.load_balancing);
        self.balancer.borrow_mut().update(set, runtime, Instant::now());
        self.host_count.set(set.hosts.len());
        *self.pools.borrow_mut() = pools;
    }

    /// Closes idle connections that the host has closed or that have been idle for too long, and says when to look
    /// again.
    pub(crate) fn sweep(&self, cx: &mut std::task::Context<'_>, now: std::time::Instant) -> Option<std::time::Instant> {
        let pools: Vec<_> = self.pools.borrow().clone();
        pools.iter().filter_map(|pool| pool.sweep(cx, now)).min()
    }

    /// Counts a response, also one made here for want of one. `internal` is who asked, `canary` who answered.
    pub(crate) fn count_response(&self, code: u32, internal: bool, canary: bool) {
        self.stats.upstream_rq_completed().inc();
        self.codes.count(code, internal, canary);
    }

    /// Counts a response that was not passed on: the request is tried again.
    pub(crate) fn count_retried(&self, code: u32) {
        self.codes.count_retried(code);
    }
}
