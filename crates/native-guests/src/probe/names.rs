//! What scripts call the callbacks and their arguments.

use sandgate_abi::CallbackKind;

/// A callback's name, and those of its arguments in order.
pub(super) fn of(kind: CallbackKind) -> (&'static str, &'static [&'static str]) {
    use CallbackKind as K;
    let arguments: &[_] = match kind {
        K::ContextCreate => &["context", "parent"],
        K::VmStart | K::Configure | K::ValidateConfiguration | K::StatsUpdate => &["context", "size"],
        K::Tick | K::NewConnection | K::Done | K::Log | K::Delete => &["context"],
        K::RequestHeaders | K::ResponseHeaders => &["context", "count", "eos"],
        K::RequestBody | K::ResponseBody | K::DownstreamData | K::UpstreamData => &["context", "size", "eos"],
        K::RequestTrailers | K::ResponseTrailers | K::RequestMetadata | K::ResponseMetadata => &["context", "count"],
        K::DownstreamConnectionClose | K::UpstreamConnectionClose => &["context", "peer"],
        K::HttpCallResponse => &["context", "token", "count", "size", "trailers"],
        K::GrpcReceiveInitialMetadata | K::GrpcReceiveTrailingMetadata => &["context", "token", "count"],
        K::GrpcReceive | K::ResolveDns => &["context", "token", "size"],
        K::GrpcClose => &["context", "token", "code"],
        K::QueueReady => &["context", "token"],
        K::ForeignFunction => &["context", "function", "size"],
    };
    let export = kind.export();
    let name = ["proxy_on_", "envoy_on_", "proxy_"].into_iter().find_map(|prefix| export.strip_prefix(prefix));
    (name.unwrap_or(export), arguments)
}

/// The callback of that name.
pub(super) fn named(name: &[u8]) -> Option<CallbackKind> {
    CallbackKind::ALL.iter().copied().find(|kind| of(*kind).0.as_bytes() == name)
}
