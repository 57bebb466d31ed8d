//! One plugin in one HTTP stream.

use std::fmt;
use std::rc::Rc;

use sandgate_abi::Callback;
use sandgate_http::{BodyBuffer, DataStatus, Direction, HeadersStatus, LocalReply, TrailersStatus};

use crate::StreamMap;
use crate::plugin_handle::PluginInstance;
use crate::vm::context::{Access, Context, Phase, StreamState};
use crate::vm::instance::{Outcome, fail_stream};

/// What a plugin answers when a stream begins.
#[derive(Debug)]
pub enum ContextOutcome {
    /// The plugin takes part in the stream.
    Context(HttpContext),
    /// The plugin's VM has failed and its policy is closed: the stream must get [`fail_stream_reply`].
    FailClosed,
    /// The plugin's VM has failed and its policy is open: the stream goes on without it.
    Bypass,
}

/// What a stream gets whose plugin has failed: 503, no body, gRPC status 14, details `wasm_fail_stream`.
#[must_use]
pub fn fail_stream_reply() -> LocalReply {
    LocalReply {
        status: 503,
        body: Vec::new(),
        headers: Vec::new(),
        grpc_status: Some(14),
        details: "wasm_fail_stream".to_owned(),
    }
}

/// A plugin's stream context. The guest hears of it with the first headers, or with `on_log` if there are none.
///
/// Before request headers have been shown every other callback answers "continue" without calling the guest. Once the
/// plugin's VM has failed, the stream is told to send [`fail_stream_reply`] (once) and every answer is a stop; with the
/// old `fail_open` every answer is "continue". Dropping it does what [`HttpContext::on_destroy`] does.
pub struct HttpContext {
    instance: Rc<PluginInstance>,
    context: Rc<Context>,
}

impl HttpContext {
    pub(crate) fn new(instance: Rc<PluginInstance>, context: Rc<Context>) -> Self {
        Self { instance, context }
    }

    /// The id the guest knows it by.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.context.id
    }

    /// Shows the request headers, which the stream has by now.
    pub fn on_request_headers(&self, end_stream: bool) -> HeadersStatus {
        self.create();
        self.headers(Direction::Request, end_stream)
    }

    /// Shows a piece of the request body; the guest may change `data`. While the plugin buffers, `data` is moved to the
    /// filter chain's buffer first and the guest sees all of it.
    pub fn on_request_body(&self, data: &mut BodyBuffer, end_stream: bool) -> DataStatus {
        self.body(Direction::Request, data, end_stream)
    }

    /// Shows the request trailers, which the stream has by now.
    pub fn on_request_trailers(&self) -> TrailersStatus {
        self.trailers(Direction::Request)
    }

    /// Shows the response headers, which the stream has by now. Not to be called for 1xx.
    pub fn on_response_headers(&self, end_stream: bool) -> HeadersStatus {
        self.headers(Direction::Response, end_stream)
    }

    /// Shows a piece of the response body; as [`HttpContext::on_request_body`].
    pub fn on_response_body(&self, data: &mut BodyBuffer, end_stream: bool) -> DataStatus {
        self.body(Direction::Response, data, end_stream)
    }

    /// Shows the response trailers, which the stream has by now.
    pub fn on_response_trailers(&self) -> TrailersStatus {
        self.trailers(Direction::Response)
    }

    /// `proxy_on_log`: once, when the stream is complete, before [`HttpContext::on_destroy`].
    pub fn on_log(&self) {
        let Some(state) = self.state() else { return };
        self.create();
        if state.phase.get() == Phase::Open {
            state.phase.set(Phase::Log);
            // A failed VM logs nothing, and has said so.
            let _ = self.instance.vm.call(&self.context, Callback::Log { context: self.context.id });
            state.phase.set(Phase::Open);
        }
    }

    /// `proxy_on_done` and `proxy_on_delete`; then the context is gone. Later calls do nothing.
    pub fn on_destroy(&self) {
        let Some(state) = self.state() else { return };
        let context = self.context.id;
        let vm = &self.instance.vm;
        let phase = state.phase.replace(Phase::Ending);
        if phase == Phase::Open {
            // What a stream context answers to the first is ignored (as in Envoy).
            let _ = vm.call(&self.context, Callback::Done { context });
            let _ = vm.call(&self.context, Callback::Delete { context });
        }
        state.phase.set(if phase == Phase::Log { Phase::Log } else { Phase::Ended });
        if matches!(phase, Phase::New | Phase::Open) {
            vm.state.remove(&self.context);
        }
    }

    fn state(&self) -> Option<&StreamState> {
        self.context.as_stream()
    }

    /// Tells the guest of the context, the first time.
    fn create(&self) {
        let Some(state) = self.state() else { return };
        if state.phase.get() == Phase::New {
            state.phase.set(Phase::Open);
            let callback = Callback::ContextCreate { context: self.context.id, parent: state.root.id };
            // If this kills the VM, the next callback finds it dead.
            let _ = self.instance.vm.call(&self.context, callback);
        }
    }

    /// The state, if this callback is to be made: the guest knows the stream, and this is not the answer to its failure.
    fn ready(&self, direction: Direction) -> Option<&StreamState> {
        let state = self.state()?;
        let failing = state.failed.get() && direction == Direction::Response;
        (state.phase.get() == Phase::Open && !failing).then_some(state)
    }

    /// The VM is dead: `go` for the old `fail_open`, else the stream ends and this half stops.
    fn dead<T>(&self, go: T, stop: T) -> T {
        fail_stream(&self.context);
        if self.context.plugin.config().legacy_fail_open { go } else { stop }
    }

    fn headers(&self, direction: Direction, end_stream: bool) -> HeadersStatus {
        let Some(state) = self.ready(direction) else { return HeadersStatus::Continue };
        let Some(stream) = state.stream() else { return HeadersStatus::Continue };
        let map = match direction {
            Direction::Request => StreamMap::RequestHeaders,
            Direction::Response => StreamMap::ResponseHeaders,
        };
        let count = stream.map(map).map_or(0, |headers| to_u32(headers.len()));
        drop(stream);
        if direction == Direction::Response {
            // Whoever answers, the request waits for nobody any more.
            state.stopped_request.set(false);
        }
        state.allow(Access::headers(direction));
        state.end_of_stream.set(end_stream);
        state.stopped(direction).set(true);
        let context = self.context.id;
        let result = self.instance.vm.call(
            &self.context,
            match direction {
                Direction::Request => Callback::RequestHeaders { context, count, end_of_stream: end_stream },
                Direction::Response => Callback::ResponseHeaders { context, count, end_of_stream: end_stream },
            },
        );
        let status = match result {
            Ok(outcome) => headers_status(outcome, self.context.plugin.config().allow_on_headers_stop_iteration),
            Err(_) => self.dead(HeadersStatus::Continue, HeadersStatus::StopAllIterationAndWatermark),
        };
        if status == HeadersStatus::Continue {
            state.stopped(direction).set(false);
            state.forbid(Access::headers(direction));
        }
        status
    }

    fn body(&self, direction: Direction, data: &mut BodyBuffer, end_stream: bool) -> DataStatus {
        let Some(state) = self.ready(direction) else { return DataStatus::Continue };
        let Some(stream) = state.stream() else { return DataStatus::Continue };
        let vm = &self.instance.vm;
        if vm.has_failed() {
            return self.dead(DataStatus::Continue, DataStatus::StopIterationNoBuffer);
        }
        let size = if state.buffering(direction).get() {
            if !stream.buffer_body(direction, data) {
                return DataStatus::StopIterationAndBuffer;
            }
            stream.buffered_body(direction).map_or(0, |body| body.len())
        } else {
            data.len()
        };
        drop(stream);
        state.allow(Access::body(direction));
        state.end_of_stream.set(end_stream);
        state.stopped(direction).set(true);
        let (context, size) = (self.context.id, to_u32(size));
        std::mem::swap(&mut *state.chunk.borrow_mut(), data);
        state.showing.set(Some(direction));
        let result = vm.call(
            &self.context,
            match direction {
                Direction::Request => Callback::RequestBody { context, size, end_of_stream: end_stream },
                Direction::Response => Callback::ResponseBody { context, size, end_of_stream: end_stream },
            },
        );
        state.showing.set(None);
        std::mem::swap(&mut *state.chunk.borrow_mut(), data);
        let status = match result {
            Ok(outcome) => data_status(outcome),
            Err(_) => self.dead(DataStatus::Continue, DataStatus::StopIterationNoBuffer),
        };
        state.buffering(direction).set(status == DataStatus::StopIterationAndBuffer);
        if status == DataStatus::Continue {
            state.stopped(direction).set(false);
            state.forbid(Access::body(direction));
        }
        status
    }

    fn trailers(&self, direction: Direction) -> TrailersStatus {
        let Some(state) = self.ready(direction) else { return TrailersStatus::Continue };
        let Some(stream) = state.stream() else { return TrailersStatus::Continue };
        let map = match direction {
            Direction::Request => StreamMap::RequestTrailers,
            Direction::Response => StreamMap::ResponseTrailers,
        };
        let count = stream.map(map).map_or(0, |trailers| to_u32(trailers.len()));
        drop(stream);
        state.allow(Access::trailers(direction));
        state.stopped(direction).set(true);
        let context = self.context.id;
        let result = self.instance.vm.call(
            &self.context,
            match direction {
                Direction::Request => Callback::RequestTrailers { context, count },
                Direction::Response => Callback::ResponseTrailers { context, count },
            },
        );
        let status = match result {
            Ok(Outcome { value: None | Some(0), stop: false }) => TrailersStatus::Continue,
            Ok(_) => TrailersStatus::StopIteration,
            Err(_) => self.dead(TrailersStatus::Continue, TrailersStatus::StopIteration),
        };
        if status == TrailersStatus::Continue {
            state.stopped(direction).set(false);
            state.forbid(Access::trailers(direction));
        }
        status
    }
}

impl Drop for HttpContext {
    fn drop(&mut self) {
        self.on_destroy();
    }
}

impl fmt::Debug for HttpContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpContext").field(&self.context).finish()
    }
}

/// As Envoy 1.40 reads the number. "Continue and end the stream" (2) is not supported there and continues.
fn headers_status(outcome: Outcome, stop_iteration: bool) -> HeadersStatus {
    if outcome.stop {
        return HeadersStatus::StopAllIterationAndWatermark;
    }
    match outcome.value {
        None | Some(0 | 2) => HeadersStatus::Continue,
        Some(1) if stop_iteration => HeadersStatus::StopIteration,
        Some(3) => HeadersStatus::StopAllIterationAndBuffer,
        Some(_) => HeadersStatus::StopAllIterationAndWatermark,
    }
}

fn data_status(outcome: Outcome) -> DataStatus {
    if outcome.stop {
        return DataStatus::StopIterationNoBuffer;
    }
    match outcome.value {
        None | Some(0) => DataStatus::Continue,
        Some(1) => DataStatus::StopIterationAndBuffer,
        Some(2) => DataStatus::StopIterationAndWatermark,
        Some(_) => DataStatus::StopIterationNoBuffer,
    }
}

fn to_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
