//! Settings of HTTP filters at a route or above.

use std::sync::Arc;

use super::HttpRbac;

/// One entry of a `typed_per_filter_config`.
#[derive(Clone, Debug, PartialEq)]
pub struct PerFilterConfig {
    /// The filter's name in the chain.
    pub filter: String,
    /// Envoy's `FilterConfig.disabled`: it does not run, or runs though the chain has it disabled.
    pub disabled: bool,
    /// What counts instead of the filter's own configuration.
    pub config: Option<PerFilterKind>,
}

/// A filter's configuration at a route.
#[derive(Clone, Debug, PartialEq)]
pub enum PerFilterKind {
    /// `envoy.extensions.filters.http.rbac.v3.RBACPerRoute`.
    Rbac(Arc<HttpRbac>),
}
