//! Which requests a route takes.

use std::borrow::Cow;

use sandgate_config::model::{PathMatcher, RouteMatch, RuntimeFractionalPercent, TlsContextMatch};
use sandgate_filter::{Stream, TlsInfo};
use sandgate_http::HeaderMap;
use sandgate_matcher::{CookieMatcher, HeaderMatcher, MetadataMatcher, QueryParameterMatcher, all_match};

use super::cluster_choice::Chance;
use super::rewrite::without_query;
use crate::upgrade::is_connect;

/// What routes look at.
pub(super) struct RouteInput<'a> {
    pub(super) headers: &'a HeaderMap,
    pub(super) stream: &'a Stream,
    /// All of `:path`.
    pub(super) path_and_query: &'a [u8],
    /// `:path` before `?`, without parameters if they do not count.
    pub(super) path: Cow<'a, [u8]>,
    /// CONNECT may have none.
    pub(super) has_path: bool,
    pub(super) chance: Chance<'a>,
}

/// A compiled `RouteMatch`.
#[derive(Debug)]
pub(super) struct RouteMatcher {
    path: PathMatcher,
    case_sensitive: bool,
    grpc: bool,
    /// `None` if the path is all that counts, as it mostly is.
    more: Option<Box<More>>,
}

#[derive(Debug)]
struct More {
    headers: Vec<HeaderMatcher>,
    query_parameters: Vec<QueryParameterMatcher>,
    cookies: Vec<CookieMatcher>,
    dynamic_metadata: Vec<MetadataMatcher>,
    tls_context: Option<TlsContextMatch>,
    runtime_fraction: Option<RuntimeFractionalPercent>,
}

// === impl RouteInput ===

impl<'a> RouteInput<'a> {
    /// Of a request.
    pub(super) fn new(
        headers: &'a HeaderMap,
        stream: &'a Stream,
        ignore_path_parameters: bool,
        chance: Chance<'a>,
    ) -> Self {
        let path = headers.get(b":path");
        let (has_path, path_and_query) = (path.is_some(), path.unwrap_or_default());
        let mut path = Cow::Borrowed(without_query(path_and_query));
        if ignore_path_parameters && path.contains(&b';') {
            path = Cow::Owned(without_parameters(&path));
        }
        Self { headers, stream, path_and_query, path, has_path, chance }
    }
}

// === impl RouteMatcher ===

impl RouteMatcher {
    pub(super) fn new(config: &RouteMatch) -> Self {
        let more = More {
            headers: HeaderMatcher::list(&config.headers),
            query_parameters: config.query_parameters.iter().map(QueryParameterMatcher::new).collect(),
            cookies: config.cookies.iter().map(CookieMatcher::new).collect(),
            dynamic_metadata: config.dynamic_metadata.iter().map(MetadataMatcher::new).collect(),
            tls_context: config.tls_context,
            runtime_fraction: config.runtime_fraction.clone(),
        };
        Self {
            path: config.path.clone(),
            case_sensitive: config.case_sensitive,
            grpc: config.grpc,
            more: (!more.is_empty()).then(|| Box::new(more)),
        }
    }

    pub(super) fn matches(&self, input: &RouteInput<'_>) -> bool {
        self.path_matches(input)
            && (!self.grpc || is_grpc(input.headers))
            && self.more.as_ref().is_none_or(|more| more.matches(input))
    }

    fn path_matches(&self, input: &RouteInput<'_>) -> bool {
        if !input.has_path && self.path != PathMatcher::Connect {
            return false;
        }
        let path: &[u8] = &input.path;
        let same = |a: &[u8], b: &[u8]| if self.case_sensitive { a == b } else { a.eq_ignore_ascii_case(b) };
        match &self.path {
            PathMatcher::Prefix(prefix) => path.get(..prefix.len()).is_some_and(|start| same(start, prefix.as_bytes())),
            PathMatcher::Path(whole) => same(path, whole.as_bytes()),
            PathMatcher::Regex(regex) => regex.is_full_match(path),
            PathMatcher::Connect => is_connect(input.headers),
            PathMatcher::PathSeparatedPrefix(prefix) => {
                path.get(..prefix.len()).is_some_and(|start| same(start, prefix.as_bytes()))
                    && path.get(prefix.len()).is_none_or(|next| *next == b'/')
            }
        }
    }
}

// === impl More ===

impl More {
    fn is_empty(&self) -> bool {
        self.headers.is_empty()
            && self.query_parameters.is_empty()
            && self.cookies.is_empty()
            && self.dynamic_metadata.is_empty()
            && self.tls_context.is_none()
            && self.runtime_fraction.is_none()
    }

    fn matches(&self, input: &RouteInput<'_>) -> bool {
        all_match(&self.headers, input.headers)
            && self.query_parameters.iter().all(|matcher| matcher.matches(input.path_and_query))
            && self.cookies.iter().all(|matcher| matcher.matches(input.headers))
            && (self.dynamic_metadata.is_empty() || {
                let info = input.stream.info();
                self.dynamic_metadata.iter().all(|matcher| matcher.matches(&info.dynamic_metadata))
            })
            && self.tls_context.is_none_or(|wanted| tls_matches(wanted, input.stream.connection().tls.as_deref()))
            && self
                .runtime_fraction
                .as_ref()
                .is_none_or(|percent| input.chance.runtime.feature_enabled(percent, input.chance.random))
    }
}

/// Without TLS, or without a certificate, nothing was presented or verified.
fn tls_matches(wanted: TlsContextMatch, tls: Option<&TlsInfo>) -> bool {
    let presented = tls.is_some_and(|tls| tls.peer().is_some());
    let validated = tls.is_some_and(|tls| tls.peer_validated);
    wanted.presented.is_none_or(|wanted| wanted == presented)
        && wanted.validated.is_none_or(|wanted| wanted == validated)
}

/// A path without what stands between `;` and the next `/` (observed in Envoy 1.40).
fn without_parameters(path: &[u8]) -> Vec<u8> {
    let segments = path.split(|byte| *byte == b'/');
    let bare: Vec<_> = segments.map(|segment| segment.split(|byte| *byte == b';').next().unwrap_or_default()).collect();
    bare.join(&b'/')
}

/// Whether a message is of gRPC, by its content type.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    let rest = headers.get(b"content-type").and_then(|value| value.strip_prefix(b"application/grpc"));
    rest.is_some_and(|rest| rest.first().is_none_or(|next| *next == b'+'))
}
