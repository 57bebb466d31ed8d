//! Redirects.

use sandgate_formatter::Format;

use super::RegexRewrite;

/// Envoy's `envoy.config.route.v3.RedirectAction`.
#[derive(Clone, Debug, PartialEq)]
pub struct RedirectAction {
    /// `https_redirect` and `scheme_redirect`; `None` keeps the request's.
    pub scheme: Option<String>,
    /// `host_redirect`; `None` keeps the request's, whose port goes if another one is set or if it is the old scheme's.
    pub host: Option<String>,
    /// `port_redirect`.
    pub port: Option<u32>,
    /// What happens to the path.
    pub path: RedirectPath,
    /// 301 by default.
    pub status: u16,
    /// Leave out the query; one that `path_redirect` brings stays.
    pub strip_query: bool,
}

/// What a redirect does to the path.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum RedirectPath {
    /// Nothing.
    #[default]
    Keep,
    /// `path_redirect`: this; the request's query stays, unless there is one in this.
    Replace(String),
    /// `prefix_rewrite`: this instead of what the route matched.
    Prefix(String),
    /// `regex_rewrite`, before the query.
    Regex(RegexRewrite),
    /// `path_rewrite`, instead of all before the query.
    Format(Format),
}
