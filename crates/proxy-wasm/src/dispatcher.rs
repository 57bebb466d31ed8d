//! The contexts of a VM, and whose callback is called.

use std::cell::RefCell;
use std::collections::HashMap;

use sandgate_abi::{Callback, LogLevel, Status as AbiStatus};

use crate::hostcalls;
use crate::instance::{Instance, fail};
use crate::traits::{Context, HttpContext, RootContext, StreamContext};
use crate::types::{Action, ContextType, PeerType};

/// The contexts, by their ids, which are different over all kinds.
#[derive(Default)]
pub(crate) struct Dispatcher {
    contexts: HashMap<u32, AnyContext>,
}

pub(crate) enum AnyContext {
    Root(Box<dyn RootContext>),
    Stream(Box<dyn StreamContext>),
    Http(Box<dyn HttpContext>),
}

/// What a VM without `set_root_context` has for roots.
struct NoRoot;

impl Context for NoRoot {}
impl RootContext for NoRoot {}

// === impl AnyContext ===

impl AnyContext {
    fn log(&mut self) {
        match self {
            Self::Root(root) => root.on_log(),
            Self::Stream(stream) => stream.on_log(),
            Self::Http(stream) => stream.on_log(),
        }
    }

    /// What is common to all kinds.
    fn context(&mut self) -> &mut dyn Context {
        match self {
            Self::Root(root) => &mut **root,
            Self::Stream(stream) => &mut **stream,
            Self::Http(stream) => &mut **stream,
        }
    }
}

// === impl Dispatcher ===

impl Dispatcher {
    /// Calls the plugin. Ids that it cannot know are a panic, as in the SDK; the host has none of them.
    pub(crate) fn call(&mut self, instance: &Instance, callback: Callback) -> Option<u32> {
        let (mut result, is) = (None, usize_of);
        match callback {
            Callback::ContextCreate { context, parent } => self.create(instance, context, parent),
            Callback::VmStart { root, config_size } => {
                result = Some(self.root(instance, root).on_vm_start(is(config_size)).into());
            }
            Callback::Configure { root, config_size } => {
                result = Some(self.root(instance, root).on_configure(is(config_size)).into());
            }
            Callback::Tick { root } => self.root(instance, root).on_tick(),
            Callback::QueueReady { root, queue } => self.root(instance, root).on_queue_ready(queue),
            Callback::NewConnection { context } => {
                result = action(self.stream(instance, context).on_new_connection());
            }
            Callback::DownstreamData { context, size, end_of_stream } => {
                result = action(self.stream(instance, context).on_downstream_data(is(size), end_of_stream));
            }
            Callback::UpstreamData { context, size, end_of_stream } => {
                result = action(self.stream(instance, context).on_upstream_data(is(size), end_of_stream));
            }
            Callback::DownstreamConnectionClose { context, peer } => {
                self.stream(instance, context).on_downstream_close(PeerType::from_number(peer));
            }
            Callback::UpstreamConnectionClose { context, peer } => {
                self.stream(instance, context).on_upstream_close(PeerType::from_number(peer));
            }
            Callback::RequestHeaders { context, count, end_of_stream } => {
                result = action(self.http(instance, context).on_http_request_headers(is(count), end_of_stream));
            }
            Callback::RequestBody { context, size, end_of_stream } => {
                result = action(self.http(instance, context).on_http_request_body(is(size), end_of_stream));
            }
            Callback::RequestTrailers { context, count } => {
                result = action(self.http(instance, context).on_http_request_trailers(is(count)));
            }
            Callback::ResponseHeaders { context, count, end_of_stream } => {
                result = action(self.http(instance, context).on_http_response_headers(is(count), end_of_stream));
            }
            Callback::ResponseBody { context, size, end_of_stream } => {
                result = action(self.http(instance, context).on_http_response_body(is(size), end_of_stream));
            }
            Callback::ResponseTrailers { context, count } => {
                result = action(self.http(instance, context).on_http_response_trailers(is(count)));
            }
            Callback::Done { context } => result = Some(self.any(instance, context).context().on_done().into()),
            Callback::Log { context } => self.any(instance, context).log(),
            Callback::Delete { context } => match self.contexts.remove(&context) {
                Some(context) => drop(context),
                None => unknown(context),
            },
            Callback::ForeignFunction { root, function, size } => {
                self.addressed(instance, root, |context| context.on_foreign_function(function, is(size)));
            }
            Callback::HttpCallResponse { .. }
            | Callback::GrpcReceiveInitialMetadata { .. }
            | Callback::GrpcReceive { .. }
            | Callback::GrpcReceiveTrailingMetadata { .. }
            | Callback::GrpcClose { .. } => self.answer(instance, callback),
            // Not among the callbacks that were registered.
            Callback::ValidateConfiguration { .. }
            | Callback::RequestMetadata { .. }
            | Callback::ResponseMetadata { .. }
            | Callback::ResolveDns { .. }
            | Callback::StatsUpdate { .. } => {}
        }
        result
    }

    /// A callout's answer goes to the context that made it, if that still is; the host addresses it to the root.
    fn answer(&mut self, instance: &Instance, callback: Callback) {
        let is = usize_of;
        let of = |calls: &RefCell<HashMap<u32, u32>>, token| calls.borrow().get(&token).copied();
        let taken = |calls: &RefCell<HashMap<u32, u32>>, token| calls.borrow_mut().remove(&token);
        match callback {
            Callback::HttpCallResponse { token, headers, body_size, trailers, .. } => {
                let id = taken(&instance.http_calls, token).unwrap_or_else(|| fail("invalid token_id"));
                self.addressed(instance, id, |context| {
                    context.on_http_call_response(token, is(headers), is(body_size), is(trailers));
                });
            }
            Callback::GrpcReceiveInitialMetadata { token, count, .. } => match of(&instance.grpc_streams, token) {
                Some(id) => {
                    self.addressed(instance, id, |context| context.on_grpc_stream_initial_metadata(token, count));
                }
                None => stray(instance, token),
            },
            Callback::GrpcReceive { token, size, .. } => {
                if let Some(id) = taken(&instance.grpc_calls, token) {
                    self.addressed(instance, id, |context| context.on_grpc_call_response(token, 0, is(size)));
                } else if let Some(id) = of(&instance.grpc_streams, token) {
                    self.addressed(instance, id, |context| context.on_grpc_stream_message(token, is(size)));
                } else {
                    stray(instance, token);
                }
            }
            Callback::GrpcReceiveTrailingMetadata { token, count, .. } => match of(&instance.grpc_streams, token) {
                Some(id) => {
                    self.addressed(instance, id, |context| context.on_grpc_stream_trailing_metadata(token, count));
                }
                None => stray(instance, token),
            },
            Callback::GrpcClose { token, status, .. } => {
                if let Some(id) = taken(&instance.grpc_calls, token) {
                    self.addressed(instance, id, |context| context.on_grpc_call_response(token, status, 0));
                } else if let Some(id) = taken(&instance.grpc_streams, token) {
                    self.addressed(instance, id, |context| context.on_grpc_stream_close(token, status));
                } else {
                    stray(instance, token);
                }
            }
            _ => {}
        }
    }

    fn create(&mut self, instance: &Instance, id: u32, parent: u32) {
        let made = if parent == 0 {
            AnyContext::Root(instance.new_root.get().map_or_else(|| Box::new(NoRoot) as _, |make| make(id)))
        } else {
            let Some(AnyContext::Root(root)) = self.contexts.get(&parent) else { fail("invalid root_context_id") };
            let http = || root.create_http_context(id).unwrap_or_else(|| fail("create_http_context returned None"));
            let stream =
                || root.create_stream_context(id).unwrap_or_else(|| fail("create_stream_context returned None"));
            if let Some(make) = instance.new_http.get() {
                AnyContext::Http(make(id, parent))
            } else if let Some(make) = instance.new_stream.get() {
                AnyContext::Stream(make(id, parent))
            } else {
                match root.get_type() {
                    Some(ContextType::HttpContext) => AnyContext::Http(http()),
                    Some(ContextType::StreamContext) => AnyContext::Stream(stream()),
                    None => fail("missing ContextType on root_context"),
                }
            }
        };
        if self.contexts.insert(id, made).is_some() {
            fail("duplicate context_id");
        }
    }

    fn any(&mut self, instance: &Instance, id: u32) -> &mut AnyContext {
        instance.active.set(id);
        self.contexts.get_mut(&id).unwrap_or_else(|| unknown(id))
    }

    fn root(&mut self, instance: &Instance, id: u32) -> &mut dyn RootContext {
        match self.any(instance, id) {
            AnyContext::Root(root) => &mut **root,
            _ => unknown(id),
        }
    }

    fn stream(&mut self, instance: &Instance, id: u32) -> &mut dyn StreamContext {
        match self.any(instance, id) {
            AnyContext::Stream(stream) => &mut **stream,
            _ => unknown(id),
        }
    }

    fn http(&mut self, instance: &Instance, id: u32) -> &mut dyn HttpContext {
        match self.any(instance, id) {
            AnyContext::Http(stream) => &mut **stream,
            _ => unknown(id),
        }
    }

    /// Calls a context that is not the one the host called, if it still is.
    fn addressed(&mut self, instance: &Instance, id: u32, call: impl FnOnce(&mut dyn Context)) {
        if let Some(context) = self.contexts.get_mut(&id) {
            instance.active.set(id);
            hostcalls::must(hostcalls::set_effective_context(id));
            call(context.context());
        }
    }

    /// Any of what is left.
    pub(crate) fn take_any(&mut self) -> Option<AnyContext> {
        let id = self.contexts.keys().next().copied()?;
        self.contexts.remove(&id)
    }
}

fn usize_of(size: u32) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

fn action(action: Action) -> Option<u32> {
    Some(action as u32)
}

fn unknown(id: u32) -> ! {
    fail(format_args!("invalid context_id {id}"))
}

/// An answer to a callout that nobody made, or that was cancelled.
fn stray(instance: &Instance, token: u32) {
    let line = format!("an answer for token {token}, which is no gRPC call or stream");
    let result: Result<(), AbiStatus> = instance.host.log(LogLevel::Trace, line.as_bytes());
    result.unwrap_or_default();
}
