//! What the host can call in a guest.

use crate::{AbiVersion, Signature};

/// One call into the guest, with its arguments.
///
/// The 28 callbacks of the spec and of `proxy-wasm-cpp-host`, and Envoy's two own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the arguments carry the names of the spec")]
pub enum Callback {
    ContextCreate {
        context: u32,
        parent: u32,
    },
    VmStart {
        root: u32,
        config_size: u32,
    },
    ValidateConfiguration {
        root: u32,
        config_size: u32,
    },
    Configure {
        root: u32,
        config_size: u32,
    },
    Tick {
        root: u32,
    },
    NewConnection {
        context: u32,
    },
    DownstreamData {
        context: u32,
        size: u32,
        end_of_stream: bool,
    },
    UpstreamData {
        context: u32,
        size: u32,
        end_of_stream: bool,
    },
    DownstreamConnectionClose {
        context: u32,
        peer: u32,
    },
    UpstreamConnectionClose {
        context: u32,
        peer: u32,
    },
    RequestHeaders {
        context: u32,
        count: u32,
        end_of_stream: bool,
    },
    RequestBody {
        context: u32,
        size: u32,
        end_of_stream: bool,
    },
    RequestTrailers {
        context: u32,
        count: u32,
    },
    RequestMetadata {
        context: u32,
        count: u32,
    },
    ResponseHeaders {
        context: u32,
        count: u32,
        end_of_stream: bool,
    },
    ResponseBody {
        context: u32,
        size: u32,
        end_of_stream: bool,
    },
    ResponseTrailers {
        context: u32,
        count: u32,
    },
    ResponseMetadata {
        context: u32,
        count: u32,
    },
    HttpCallResponse {
        root: u32,
        token: u32,
        headers: u32,
        body_size: u32,
        trailers: u32,
    },
    GrpcReceiveInitialMetadata {
        root: u32,
        token: u32,
        count: u32,
    },
    GrpcReceive {
        root: u32,
        token: u32,
        size: u32,
    },
    GrpcReceiveTrailingMetadata {
        root: u32,
        token: u32,
        count: u32,
    },
    GrpcClose {
        root: u32,
        token: u32,
        status: u32,
    },
    QueueReady {
        root: u32,
        queue: u32,
    },
    ForeignFunction {
        root: u32,
        function: u32,
        size: u32,
    },
    Done {
        context: u32,
    },
    Log {
        context: u32,
    },
    Delete {
        context: u32,
    },
    /// Envoy only: `envoy_on_resolve_dns`.
    ResolveDns {
        root: u32,
        token: u32,
        size: u32,
    },
    /// Envoy only: `envoy_on_stats_update`.
    StatsUpdate {
        root: u32,
        size: u32,
    },
}

macro_rules! kinds {
    ($($variant:ident { $($field:ident),+ } $result:ident => $name:literal,)+) => {
        /// A callback without its arguments.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "each variant is the callback of the same name")]
        pub enum CallbackKind { $($variant,)+ }

        impl CallbackKind {
            /// Every kind, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name of the export.
            #[must_use]
            pub const fn export(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// How many `i32` the export takes, and whether it returns one, in ABI 0.2.0 and later.
            const fn shape(self) -> (usize, bool) {
                match self { $(Self::$variant => ([$(stringify!($field)),+].len(), kinds!(@has_result $result)),)+ }
            }
        }

        impl Callback {
            /// Which callback this is.
            #[must_use]
            pub const fn kind(&self) -> CallbackKind {
                match self { $(Self::$variant { .. } => CallbackKind::$variant,)+ }
            }

            /// The arguments as they go over the ABI, in order, with zeros behind the last.
            #[must_use]
            pub fn arguments(&self) -> [u32; MAX_ARGUMENTS] {
                let mut words = [0; MAX_ARGUMENTS];
                match *self {
                    $(Self::$variant { $($field),+ } => {
                        for (word, value) in words.iter_mut().zip([$(u32::from($field)),+]) {
                            *word = value;
                        }
                    })+
                }
                words
            }
        }
    };
    (@has_result word) => { true };
    (@has_result void) => { false };
}

kinds! {
    ContextCreate { context, parent } void => "proxy_on_context_create",
    VmStart { root, config_size } word => "proxy_on_vm_start",
    ValidateConfiguration { root, config_size } word => "proxy_validate_configuration",
    Configure { root, config_size } word => "proxy_on_configure",
    Tick { root } void => "proxy_on_tick",
    NewConnection { context } word => "proxy_on_new_connection",
    DownstreamData { context, size, end_of_stream } word => "proxy_on_downstream_data",
    UpstreamData { context, size, end_of_stream } word => "proxy_on_upstream_data",
    DownstreamConnectionClose { context, peer } void => "proxy_on_downstream_connection_close",
    UpstreamConnectionClose { context, peer } void => "proxy_on_upstream_connection_close",
    RequestHeaders { context, count, end_of_stream } word => "proxy_on_request_headers",
    RequestBody { context, size, end_of_stream } word => "proxy_on_request_body",
    RequestTrailers { context, count } word => "proxy_on_request_trailers",
    RequestMetadata { context, count } word => "proxy_on_request_metadata",
    ResponseHeaders { context, count, end_of_stream } word => "proxy_on_response_headers",
    ResponseBody { context, size, end_of_stream } word => "proxy_on_response_body",
    ResponseTrailers { context, count } word => "proxy_on_response_trailers",
    ResponseMetadata { context, count } word => "proxy_on_response_metadata",
    HttpCallResponse { root, token, headers, body_size, trailers } void => "proxy_on_http_call_response",
    GrpcReceiveInitialMetadata { root, token, count } void => "proxy_on_grpc_receive_initial_metadata",
    GrpcReceive { root, token, size } void => "proxy_on_grpc_receive",
    GrpcReceiveTrailingMetadata { root, token, count } void => "proxy_on_grpc_receive_trailing_metadata",
    GrpcClose { root, token, status } void => "proxy_on_grpc_close",
    QueueReady { root, queue } void => "proxy_on_queue_ready",
    ForeignFunction { root, function, size } void => "proxy_on_foreign_function",
    Done { context } word => "proxy_on_done",
    Log { context } void => "proxy_on_log",
    Delete { context } void => "proxy_on_delete",
    ResolveDns { root, token, size } void => "envoy_on_resolve_dns",
    StatsUpdate { root, size } void => "envoy_on_stats_update",
}

/// The most arguments that a callback has.
pub const MAX_ARGUMENTS: usize = 5;

impl CallbackKind {
    /// The type that the export must have; `None` where this version of the ABI has no such callback.
    ///
    /// The headers callbacks of 0.1.0 lack the last parameter, and 0.1.0 has no
    /// `proxy_on_foreign_function` (observed in Envoy 1.40: other types are refused).
    #[must_use]
    pub fn signature(self, abi: AbiVersion) -> Option<Signature> {
        let (mut parameters, result) = self.shape();
        if abi == AbiVersion::V0_1_0 {
            match self {
                Self::RequestHeaders | Self::ResponseHeaders => parameters = 2,
                Self::ForeignFunction => return None,
                _ => {}
            }
        }
        Some(Signature::words(parameters, result))
    }
}

/// A set of callbacks, such as those a module exports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallbackSet(u32);

impl CallbackSet {
    /// Adds a callback.
    pub const fn insert(&mut self, kind: CallbackKind) {
        self.0 |= 1 << kind as u8;
    }

    /// Whether the callback is in the set.
    #[must_use]
    pub const fn contains(self, kind: CallbackKind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }
}

impl FromIterator<CallbackKind> for CallbackSet {
    fn from_iter<I: IntoIterator<Item = CallbackKind>>(kinds: I) -> Self {
        let mut set = Self::default();
        kinds.into_iter().for_each(|kind| set.insert(kind));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_in_abi_order() {
        let callback = Callback::RequestHeaders { context: 7, count: 3, end_of_stream: true };
        assert_eq!(callback.arguments(), [7, 3, 1, 0, 0]);
        let callback = Callback::HttpCallResponse { root: 1, token: 4, headers: 3, body_size: 20, trailers: 2 };
        assert_eq!(callback.arguments(), [1, 4, 3, 20, 2]);
    }

    #[test]
    fn abi_0_1_0_differs_in_three_callbacks() {
        let differing: Vec<_> = CallbackKind::ALL
            .iter()
            .filter(|kind| kind.signature(AbiVersion::V0_1_0) != kind.signature(AbiVersion::V0_2_1))
            .collect();
        assert_eq!(
            differing,
            [&CallbackKind::RequestHeaders, &CallbackKind::ResponseHeaders, &CallbackKind::ForeignFunction]
        );
        let old = CallbackKind::RequestHeaders.signature(AbiVersion::V0_1_0).map(|s| s.to_string());
        assert_eq!(old.as_deref(), Some("i32 i32 -> i32"));
    }

    #[test]
    fn a_set_holds_what_was_inserted() {
        let set: CallbackSet = [CallbackKind::ContextCreate, CallbackKind::StatsUpdate].into_iter().collect();
        let held: Vec<_> = CallbackKind::ALL.iter().filter(|kind| set.contains(**kind)).collect();
        assert_eq!(held, [&CallbackKind::ContextCreate, &CallbackKind::StatsUpdate]);
    }
}
