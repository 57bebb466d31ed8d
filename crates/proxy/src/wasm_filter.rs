//! `envoy.filters.http.wasm`: a plugin as a filter of one stream.

mod failed;
mod filter_stream;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use sandgate_filter::{FilterCallbacks, HttpFilter};
use sandgate_host::{ContextOutcome, HttpContext, HttpStream, PluginHandle, fail_stream_reply};
use sandgate_http::{BodyBuffer, DataStatus, HeadersStatus, TrailersStatus};

pub(crate) use self::failed::FailedPlugin;
use self::filter_stream::FilterStream;

/// One plugin in one stream. The plugin's stream context is made with the chain, so that context ids are given in the
/// order of the chain; the guest hears of it with the request's headers.
pub(crate) struct WasmFilter {
    name: Rc<str>,
    handle: Rc<PluginHandle>,
    state: State,
}

enum State {
    /// The chain is being made.
    New,
    /// The plugin takes part. The host holds the stream only weakly, so it lives here.
    Active { context: HttpContext, _stream: Rc<dyn HttpStream> },
    /// The plugin's VM has failed and streams are not to pass without it.
    Closed,
    /// The plugin's VM has failed and streams pass without it; or the stream is over.
    Absent,
}

impl WasmFilter {
    /// A filter of the configured name for a new stream.
    pub(crate) fn new(name: Rc<str>, handle: Rc<PluginHandle>) -> Self {
        Self { name, handle, state: State::New }
    }

    /// The plugin's context, if it takes part.
    fn context(&self) -> Option<&HttpContext> {
        match &self.state {
            State::Active { context, .. } => Some(context),
            _ => None,
        }
    }
}

impl HttpFilter for WasmFilter {
    fn name(&self) -> &str {
        &self.name
    }

    fn on_created(&mut self, callbacks: &FilterCallbacks) {
        let stream: Rc<dyn HttpStream> = Rc::new(FilterStream::new(callbacks.clone()));
        self.state = match self.handle.create_context(Rc::clone(&stream)) {
            ContextOutcome::Context(context) => State::Active { context, _stream: stream },
            ContextOutcome::FailClosed => State::Closed,
            ContextOutcome::Bypass => State::Absent,
        };
    }

    fn decode_headers(&mut self, callbacks: &FilterCallbacks, end_stream: bool) -> HeadersStatus {
        match &self.state {
            State::Active { context, .. } => context.on_request_headers(end_stream),
            State::Closed => {
                callbacks.send_local_reply(fail_stream_reply());
                HeadersStatus::StopAllIterationAndWatermark
            }
            State::New | State::Absent => HeadersStatus::Continue,
        }
    }

    fn decode_data(&mut self, _: &FilterCallbacks, data: &mut BodyBuffer, end_stream: bool) -> DataStatus {
        self.context().map_or(DataStatus::Continue, |context| context.on_request_body(data, end_stream))
    }

    fn decode_trailers(&mut self, _: &FilterCallbacks) -> TrailersStatus {
        self.context().map_or(TrailersStatus::Continue, HttpContext::on_request_trailers)
    }

    fn encode_headers(&mut self, _: &FilterCallbacks, end_stream: bool) -> HeadersStatus {
        self.context().map_or(HeadersStatus::Continue, |context| context.on_response_headers(end_stream))
    }

    fn encode_data(&mut self, _: &FilterCallbacks, data: &mut BodyBuffer, end_stream: bool) -> DataStatus {
        self.context().map_or(DataStatus::Continue, |context| context.on_response_body(data, end_stream))
    }

    fn encode_trailers(&mut self, _: &FilterCallbacks) -> TrailersStatus {
        self.context().map_or(TrailersStatus::Continue, HttpContext::on_response_trailers)
    }

    fn on_log(&mut self, _: &FilterCallbacks) {
        if let Some(context) = self.context() {
            context.on_log();
        }
    }

    fn on_destroy(&mut self, _: &FilterCallbacks) {
        if let State::Active { context, .. } = std::mem::replace(&mut self.state, State::Absent) {
            context.on_destroy();
        }
    }
}
