//! A cluster as one worker sees it.

use std::cell::{Cell, OnceCell, Ref, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use sandgate_config::model::{Cluster, HashPolicy, LbPolicy, LoadBalancing, RoutingPriority, UpstreamTlsNames};
use sandgate_http::h1::ResponseOptions;

use smallvec::SmallVec;

use sandgate_load_balancing::{ClusterBalancer, LocalHosts, RuntimeValues, SubsetChanges, ZoneCounts};

use super::{ClusterEntry, Host, LbContext, PriorityResources, PrioritySet, Resources};
use crate::hcm::FilterEntry;
use crate::pool::{HostPool, PoolKey, PoolProtocol, Sweeper};
use crate::runtime::Runtime;
use crate::stats::{
    ClusterCodeStats, ClusterStats, Http1CodecStats, Http2CodecStats, StatsStore, TransportSocketMatchStats,
};
use crate::upstream_tls::WorkerTls;

/// A cluster's hosts with this worker's connections to them, its turns, and its stats.
pub(crate) struct WorkerCluster {
    pub(crate) config: Arc<Cluster>,
    /// The name, for stream infos; this worker's own, so that counting references to it stays on this core.
    pub(crate) name: Arc<str>,
    /// The name in logs, if it is another one.
    pub(crate) alt_name: Option<Arc<str>>,
    /// Serialized metadata; empty if there is none.
    pub(crate) metadata: Bytes,
    resources: Arc<PriorityResources>,
    pub(crate) stats: ClusterStats,
    pub(crate) codes: ClusterCodeStats,
    pub(crate) codec_stats: Http1CodecStats,
    pub(crate) http2_stats: Http2CodecStats,
    /// Hosts ever made, which all use the one transport socket there is; written by the main thread alone.
    pub(crate) transport_stats: TransportSocketMatchStats,
    pub(crate) response_options: ResponseOptions,
    /// Nothing for plain text.
    pub(crate) tls: Option<WorkerTls>,
    pools: RefCell<Vec<Pools>>,
    balancer: RefCell<ClusterBalancer>,
    host_count: Cell<usize>,
    /// Who hears of its hosts: this process is one of them.
    local: OnceCell<Rc<LocalHosts>>,
    sweeper: Rc<Sweeper>,
    runtime: Arc<Runtime>,
    /// The runtime key `upstream.maintenance_mode.<cluster>`.
    maintenance_key: String,
    /// What every attempt at a request passes on its way to a host.
    filters: RefCell<Vec<FilterEntry>>,
    /// Removed or replaced: no connection is kept.
    retired: Cell<bool>,
}

/// The pools of one host: requests with different keys do not share connections.
struct Pools {
    host: Arc<Host>,
    /// In the order of their first requests.
    pools: SmallVec<[Rc<HostPool>; 1]>,
}

// === impl Pools ===

impl Pools {
    /// The same with another version of the host.
    fn with_host(mut self, host: &Arc<Host>) -> Self {
        if !Arc::ptr_eq(&self.host, host) {
            self.host = Arc::clone(host);
            self.pools.iter().for_each(|pool| pool.set_host(host));
        }
        self
    }

    fn get(&mut self, cluster: &Rc<WorkerCluster>, key: PoolKey) -> Rc<HostPool> {
        if let Some(pool) = self.pools.iter().find(|pool| *pool.key() == key) {
            return Rc::clone(pool);
        }
        if key.names.is_some() {
            // There could be any number of them.
            self.pools.retain(|pool| pool.is_in_use());
        }
        let pool = HostPool::new(Rc::downgrade(cluster), Arc::clone(&self.host), key);
        if cluster.retired.get() {
            pool.retire();
        }
        self.pools.push(Rc::clone(&pool));
        pool
    }
}

// === impl WorkerCluster ===

impl WorkerCluster {
    pub(crate) fn new(
        entry: &ClusterEntry,
        sweeper: &Rc<Sweeper>,
        store: &StatsStore,
        runtime: &Arc<Runtime>,
    ) -> Rc<Self> {
        let config = &entry.config;
        let stat_name = config.stat_name();
        let http = &config.http;
        let balancing = &config.load_balancing;
        let values = runtime_values(balancing, runtime);
        let balancer = ClusterBalancer::new(balancing, values, fastrand::Rng::new(), Instant::now());
        Rc::new(Self {
            name: config.name.as_str().into(),
            alt_name: (!config.alt_stat_name.is_empty()).then(|| config.alt_stat_name.as_str().into()),
            metadata: config.metadata.as_deref().map(Bytes::copy_from_slice).unwrap_or_default(),
            resources: Arc::clone(&entry.resources),
            stats: ClusterStats::new(store, stat_name),
            transport_stats: TransportSocketMatchStats::new(store, stat_name),
            codes: ClusterCodeStats::new(store, stat_name),
            codec_stats: Http1CodecStats::hidden(store, &format!("cluster.{stat_name}.")),
            http2_stats: Http2CodecStats::hidden(store, &format!("cluster.{stat_name}.")),
            response_options: ResponseOptions {
                max_head_bytes: http.max_response_headers_kb as usize * 1024,
                max_headers: http.max_headers_count as usize,
                enable_trailers: http.http1.enable_trailers,
                allow_chunked_length: http.http1.allow_chunked_length,
            },
            tls: entry.tls.as_ref().map(|tls| WorkerTls::new(tls, store, stat_name)),
            config: Arc::clone(config),
            pools: RefCell::default(),
            balancer: RefCell::new(balancer),
            host_count: Cell::new(0),
            local: OnceCell::new(),
            sweeper: Rc::clone(sweeper),
            runtime: Arc::clone(runtime),
            maintenance_key: format!("upstream.maintenance_mode.{}", config.name),
            filters: RefCell::default(),
            retired: Cell::new(false),
        })
    }

    /// Tells this of its hosts, as this process is one of them. Only the first call counts.
    pub(super) fn tell_hosts_to(&self, local: &Rc<LocalHosts>) {
        let _ = self.local.set(Rc::clone(local));
    }

    /// Requests stay in the zone of this process, one of the `local` ones, as far as there are hosts for them.
    pub(super) fn keep_in_zone(&self, local: &Rc<LocalHosts>) {
        self.balancer.borrow_mut().keep_in_zone(local);
    }

    fn count_zones(&self, balancer: &mut ClusterBalancer) {
        let Some(counts) = balancer.take_zone_counts() else { return };
        let ZoneCounts { recalculated, too_small, all_directly, sampled, cross_zone, no_capacity, local_not_ok } =
            counts;
        self.stats.lb_recalculate_zone_structures().add(recalculated);
        self.stats.lb_zone_cluster_too_small().add(too_small);
        self.stats.lb_zone_routing_all_directly().add(all_directly);
        self.stats.lb_zone_routing_sampled().add(sampled);
        self.stats.lb_zone_routing_cross_zone().add(cross_zone);
        self.stats.lb_zone_no_capacity_left().add(no_capacity);
        self.stats.lb_local_cluster_not_ok().add(local_not_ok);
    }

    /// Says what stands in front of the hosts: what does when the thread starts, and nothing when its plugins end.
    pub(crate) fn set_filters(&self, filters: Vec<FilterEntry>) {
        *self.filters.borrow_mut() = filters;
    }

    /// What stands in front of the hosts.
    pub(crate) fn filters(&self) -> Ref<'_, Vec<FilterEntry>> {
        self.filters.borrow()
    }

    /// Who watches idle connections.
    pub(crate) fn sweeper(&self) -> &Sweeper {
        &self.sweeper
    }

    /// Whether load balancing looks at what requests ask of hosts' metadata.
    pub(crate) fn has_subsets(&self) -> bool {
        self.config.load_balancing.subsets.is_some()
    }

    /// How many hosts there are.
    pub(crate) fn host_count(&self) -> usize {
        self.host_count.get()
    }

    /// What the hash of a request is made of, if load balancing looks at it: the cluster's own policies, else the route's.
    pub(crate) fn hash_policies<'a>(&'a self, of_route: &'a [HashPolicy]) -> &'a [HashPolicy] {
        match self.config.load_balancing.policy.hashing() {
            Some(hashing) if !hashing.hash_policies.is_empty() => &hashing.hash_policies,
            Some(_) => of_route,
            None => &[],
        }
    }

    /// The pool's name for requests of a priority from a client that speaks `downstream`.
    pub(crate) fn pool_key(&self, priority: RoutingPriority, downstream: Option<&str>) -> PoolKey {
        PoolKey { priority, protocol: PoolProtocol::of(self.config.http.protocol, downstream), names: None }
    }

    /// What the headers of requests say of TLS, if they do.
    pub(crate) fn auto_names(&self) -> Option<&UpstreamTlsNames> {
        let names = &self.config.http.tls_names;
        (names.auto_sni || names.auto_san_validation).then_some(names)
    }

    /// A connection is made that speaks HTTP/1.
    pub(crate) fn count_http1_connection(&self) {
        self.stats.upstream_cx_http1_total().inc();
        self.codec_stats.show();
    }

    /// A connection is made that speaks HTTP/2.
    pub(crate) fn count_http2_connection(&self) {
        self.stats.upstream_cx_http2_total().inc();
        self.http2_stats.show();
        self.http2_stats.nghttp2_upstream_connections().inc();
    }

    /// What requests of a priority use, over all workers.
    pub(crate) fn resources(&self, priority: RoutingPriority) -> &Resources {
        self.resources.of(priority)
    }

    /// The pool of the host that load balancing chooses; nothing if there is no host to use, or no room for a pool.
    pub(crate) fn choose(
        self: &Rc<Self>,
        context: &mut LbContext<'_>,
        key: PoolKey,
        now: Instant,
    ) -> Option<Rc<HostPool>> {
        let choice = {
            let mut balancer = self.balancer.borrow_mut();
            let choice = balancer.choose(context, now);
            self.count_zones(&mut balancer);
            choice
        };
        if choice.panic {
            self.stats.lb_healthy_panic().inc();
        }
        if self.has_subsets() {
            self.stats.lb_subsets_selected().add(choice.selected.into());
            self.stats.lb_subsets_fallback().add(choice.fallback.into());
            self.stats.lb_subsets_fallback_panic().add(choice.fallback_panic.into());
        }
        let mut pools = self.pools.borrow_mut();
        let Some(pools) = choice.host.and_then(|host| pools.get_mut(host)) else {
            self.stats.upstream_cx_none_healthy().inc();
            return None;
        };
        let pool = pools.get(self, key);
        if !pool.reserve(self) {
            self.stats.upstream_cx_pool_overflow().inc();
            return None;
        }
        Some(pool)
    }

    /// Takes over new hosts. Pools of hosts that stay are kept; idle connections of others are closed.
    pub(crate) fn update(self: &Rc<Self>, set: &Arc<PrioritySet>) {
        let mut old = std::mem::take(&mut *self.pools.borrow_mut());
        let pools = set.hosts.iter().map(|host| match old.iter().position(|pools| pools.host.is(host)) {
            Some(index) => old.swap_remove(index).with_host(host),
            None => Pools { host: Arc::clone(host), pools: SmallVec::new() },
        });
        let pools: Vec<_> = pools.collect();
        old.iter().flat_map(|pools| &pools.pools).for_each(|pool| pool.retire());
        let values = runtime_values(&self.config.load_balancing, &self.runtime);
        if let Some(local) = self.local.get() {
            local.update(set);
        }
        let changes = {
            let mut balancer = self.balancer.borrow_mut();
            let changes = balancer.update(set, values, Instant::now());
            self.count_zones(&mut balancer);
            changes
        };
        if let Some(SubsetChanges { created, removed, active, .. }) = changes {
            self.stats.lb_subsets_created().add(created);
            self.stats.lb_subsets_removed().add(removed);
            self.stats.lb_subsets_active().set(active);
        }
        self.host_count.set(set.hosts.len());
        *self.pools.borrow_mut() = pools;
    }

    /// The cluster is gone, or another one has its name: idle connections are closed, and the others after their streams.
    pub(crate) fn retire(&self) {
        self.retired.set(true);
        // What is gone shows no hosts, also while the last streams are under way.
        for gauge in [
            self.stats.membership_total(),
            self.stats.membership_healthy(),
            self.stats.membership_degraded(),
            self.stats.membership_excluded(),
            self.stats.lb_subsets_active(),
            self.stats.warming_state(),
        ] {
            if gauge.is_used() {
                gauge.set(0);
            }
        }
        let pools: Vec<_> = self.pools.borrow().iter().flat_map(|pools| &pools.pools).cloned().collect();
        pools.iter().for_each(|pool| pool.retire());
    }

    /// A host was found unhealthy: its connections take no more requests.
    pub(crate) fn drain_host(&self, host: &Arc<Host>, now: Instant) {
        let pools: Vec<_> = self.pools.borrow().iter().flat_map(|pools| &pools.pools).cloned().collect();
        pools.iter().filter(|pool| pool.host().is(host)).for_each(|pool| pool.drain(now));
    }

    /// Closes idle connections that the host has closed or that have been idle for too long, and says when to look
    /// again.
    pub(crate) fn sweep(&self, cx: &mut std::task::Context<'_>, now: Instant) -> Option<Instant> {
        let pools: Vec<_> = self.pools.borrow().iter().flat_map(|pools| &pools.pools).cloned().collect();
        pools.iter().filter_map(|pool| pool.sweep(cx, now)).min()
    }

    /// Counts a response, also one made here for want of one. `internal` is who asked, `canary` who answered.
    pub(crate) fn count_response(&self, code: u32, internal: bool, canary: bool) {
        self.stats.upstream_rq_completed().inc();
        self.codes.count(code, internal, canary);
    }

    /// Counts a response whose code is not to be seen in the cluster's own stats; in those by who asked it is.
    pub(crate) fn count_response_without_code(&self, code: u32, internal: bool, canary: bool) {
        self.stats.upstream_rq_completed().inc();
        self.codes.count_divided(code, internal, canary);
    }

    /// Whether requests are refused for now, as a runtime key says.
    pub(crate) fn is_in_maintenance(&self) -> bool {
        self.runtime.feature(&self.maintenance_key, 0)
    }

    /// Counts a response that was not passed on: the request is tried again.
    pub(crate) fn count_retried(&self, code: u32) {
        self.codes.count_retried(code);
    }
}

/// What load balancing reads of the runtime. Envoy, too, reads it when hosts change.
fn runtime_values(config: &LoadBalancing, runtime: &Runtime) -> RuntimeValues {
    let (bias, slow_start) = match &config.policy {
        LbPolicy::RoundRobin(slow_start) => (None, slow_start.as_ref()),
        LbPolicy::LeastRequest(least) => (Some(&least.active_request_bias), least.slow_start.as_ref()),
        LbPolicy::Random | LbPolicy::RingHash(_) | LbPolicy::Maglev(_) => (None, None),
    };
    let zones = &config.zone_aware;
    let enabled = runtime.integer("upstream.zone_routing.enabled", zones.routing_enabled.into());
    let threshold = runtime.integer("upstream.healthy_panic_threshold", config.panic_threshold.into());
    RuntimeValues {
        panic_threshold: u32::try_from(threshold.min(100)).unwrap_or(100),
        active_request_bias: bias.map_or(0.0, |bias| runtime.double(bias)),
        aggression: slow_start.map_or(1.0, |slow_start| runtime.double(&slow_start.aggression)),
        min_cluster_size: runtime.integer("upstream.zone_routing.min_cluster_size", zones.min_cluster_size),
        zone_routing_enabled: u32::try_from(enabled.min(100)).unwrap_or(100),
    }
}
