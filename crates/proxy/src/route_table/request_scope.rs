//! What is counted of requests by virtual cluster, and by routes that want it.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use sandgate_config::model;
use sandgate_http::HeaderMap;
use sandgate_matcher::{HeaderMatcher, all_match};
use smallvec::SmallVec;

use crate::stats::{CodeStats, StatsStore, VirtualClusterStats};

/// The stats of a virtual cluster, or of a route with a `stat_prefix`.
pub(crate) struct RequestScope {
    pub(crate) stats: VirtualClusterStats,
    pub(crate) codes: CodeStats,
}

/// The scopes that a request belongs to: mostly none.
pub(crate) type RequestScopes = SmallVec<[Rc<RequestScope>; 2]>;

/// The virtual clusters of a virtual host.
pub(crate) struct VirtualClusters {
    clusters: Vec<VirtualCluster>,
    other: VirtualCluster,
}

/// One of them.
pub(crate) struct VirtualCluster {
    pub(crate) name: Arc<str>,
    headers: Vec<HeaderMatcher>,
    pub(crate) scope: Rc<RequestScope>,
}

// === impl RequestScope ===

impl RequestScope {
    /// The scope `vhost.<name>.`.
    pub(super) fn new(store: &StatsStore, name: &str) -> Rc<Self> {
        let codes = CodeStats::new(store, format!("vhost.{name}."));
        Rc::new(Self { stats: VirtualClusterStats::new(store, name), codes })
    }
}

impl fmt::Debug for RequestScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestScope").finish_non_exhaustive()
    }
}

// === impl VirtualClusters ===

impl VirtualClusters {
    /// Those of a virtual host, if it has any. What is none of them counts as `other`.
    pub(super) fn new(store: &StatsStore, host: &model::VirtualHost) -> Option<Rc<Self>> {
        let make = |name: &str, headers: &[model::HeaderMatcher]| VirtualCluster {
            name: name.into(),
            headers: headers.iter().map(HeaderMatcher::new).collect(),
            scope: RequestScope::new(store, &format!("{}.vcluster.{name}", host.name)),
        };
        (!host.virtual_clusters.is_empty()).then(|| {
            let clusters = host.virtual_clusters.iter().map(|cluster| make(&cluster.name, &cluster.headers));
            Rc::new(Self { clusters: clusters.collect(), other: make("other", &[]) })
        })
    }

    /// The one that a request belongs to: the first that matches.
    pub(super) fn of(&self, headers: &HeaderMap) -> &VirtualCluster {
        self.clusters.iter().find(|cluster| all_match(&cluster.headers, headers)).unwrap_or(&self.other)
    }
}

impl fmt::Debug for VirtualClusters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clusters.iter().map(|cluster| &cluster.name)).finish()
    }
}
