//! Where a route leads, and what it makes of path and host.

use std::sync::Arc;

use sandgate_formatter::Format;

use super::{HeaderMutations, MetadataCriteria, PerFilterConfig, RegexRewrite};

/// The cluster that a route leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum ClusterSpecifier {
    /// `cluster`. It exists, unless `validate_clusters: false`.
    Cluster(String),
    /// `cluster_header`: the one that this header names, in lower case.
    Header(String),
    /// `weighted_clusters`.
    Weighted(WeightedClusters),
}

/// Envoy's `envoy.config.route.v3.WeightedCluster`.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightedClusters {
    /// In order; the sum of their weights is from 1 to 2³²−1, unless the runtime says otherwise.
    pub clusters: Vec<ClusterWeight>,
    /// Before the name of a cluster, a runtime key with its weight; may be empty.
    pub runtime_key_prefix: String,
    /// `header_name`, in lower case: the number in it decides rather than chance.
    pub header_name: Option<String>,
}

/// Envoy's `envoy.config.route.v3.WeightedCluster.ClusterWeight`.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterWeight {
    /// Either of them is set.
    pub cluster: ClusterWeightTarget,
    /// How much of the sum of weights.
    pub weight: u32,
    /// Applied before those of the route.
    pub request_headers: HeaderMutations,
    /// Applied before those of the route.
    pub response_headers: HeaderMutations,
    /// Over those of the route.
    pub per_filter: Vec<PerFilterConfig>,
    /// What is asked of hosts, with what the route asks for.
    pub metadata_match: Option<Arc<MetadataCriteria>>,
    /// `host_rewrite_literal`; a rewrite of the route goes over it.
    pub host_rewrite: Option<String>,
}

/// Which cluster has a weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterWeightTarget {
    /// `name`.
    Name(String),
    /// `cluster_header`, in lower case.
    Header(String),
}

/// What a route makes of the path, all before the query. If nothing comes of it the path stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum PathRewrite {
    /// Nothing.
    #[default]
    Keep,
    /// `prefix_rewrite`: this instead of what the route matched.
    Prefix(String),
    /// `regex_rewrite`.
    Regex(RegexRewrite),
    /// `path_rewrite`: this.
    Format(Format),
}

/// What a route makes of the host. If nothing comes of it the host stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum HostRewrite {
    /// Nothing.
    #[default]
    Keep,
    /// `host_rewrite_literal`.
    Literal(String),
    /// `auto_host_rewrite`: the name of the chosen upstream host, if it has one.
    Auto,
    /// `host_rewrite_header`: what this header says, in lower case.
    Header(String),
    /// `host_rewrite_path_regex`: what becomes of the path before the query.
    PathRegex(RegexRewrite),
    /// `host_rewrite`: this.
    Format(Format),
}
