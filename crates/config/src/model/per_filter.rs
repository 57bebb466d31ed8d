//! Settings of HTTP filters at a route or above.

/// One entry of a `typed_per_filter_config`. The filters that exist take no configuration there, so all that can be said is whether they run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerFilterConfig {
    /// The filter's name in the chain.
    pub filter: String,
    /// Envoy's `FilterConfig.disabled`: it does not run, or runs though the chain has it disabled.
    pub disabled: bool,
}
