//! A request of our own with a body that is there, whose response is waited for as a whole.

use std::rc::Rc;

use sandgate_http::{BodyBuffer, HeaderMap};

use super::{AsyncCallbacks, AsyncOptions, AsyncReply, AsyncStream};
use crate::cluster::WorkerCluster;
use crate::worker::Worker;

/// A request with its body. Request trailers are not sent, as in Envoy.
pub(crate) struct BufferedRequest {
    /// With `:method`, `:path` and `:authority`.
    pub(crate) headers: HeaderMap,
    pub(crate) body: BodyBuffer,
    pub(crate) options: AsyncOptions,
}

/// A response as a whole.
#[derive(Debug)]
pub(crate) struct AsyncResponse {
    /// With `:status`.
    pub(crate) headers: HeaderMap,
    pub(crate) body: BodyBuffer,
    pub(crate) trailers: Option<HeaderMap>,
}

/// Why there is no response. That no host could be reached, and that it took too long, are responses: 503 and 504.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AsyncFailure {
    /// The response had begun.
    Reset,
    /// The body was larger than the runtime's `http.async_response_buffer_limit`.
    ExceedResponseBufferLimit,
}

/// The most that is kept of a response, unless the runtime has another number.
const RESPONSE_BUFFER_LIMIT: u64 = 32 * 1024 * 1024;

struct Collector<F> {
    limit: u64,
    response: Option<AsyncResponse>,
    done: Option<F>,
}

impl BufferedRequest {
    /// Sends it. `done` hears the answer once, later, unless the result was dropped before. Call inside a `LocalSet`.
    ///
    /// # Errors
    /// As [`AsyncStream::start`].
    pub(crate) fn send(
        self,
        worker: &Rc<Worker>,
        cluster: &Rc<WorkerCluster>,
        done: impl FnOnce(Result<AsyncResponse, AsyncFailure>) + 'static,
    ) -> Result<AsyncStream, Box<AsyncReply>> {
        let limit = worker.runtime.integer("http.async_response_buffer_limit", RESPONSE_BUFFER_LIMIT);
        let collector = Collector { limit, response: None, done: Some(done) };
        let end = self.body.is_empty();
        let stream = AsyncStream::start(worker, cluster, self.headers, end, self.options, Box::new(collector))?;
        if !end {
            stream.send_data(self.body, true);
        }
        Ok(stream)
    }
}

// === impl Collector ===

impl<F: FnOnce(Result<AsyncResponse, AsyncFailure>)> Collector<F> {
    fn finish(&mut self, result: Result<AsyncResponse, AsyncFailure>) {
        if let Some(done) = self.done.take() {
            done(result);
        }
    }
}

impl<F: FnOnce(Result<AsyncResponse, AsyncFailure>)> AsyncCallbacks for Collector<F> {
    fn on_headers(&mut self, headers: HeaderMap, _end_stream: bool) {
        self.response = Some(AsyncResponse { headers, body: BodyBuffer::new(), trailers: None });
    }

    fn on_data(&mut self, mut data: BodyBuffer, _end_stream: bool) {
        let Some(response) = &mut self.response else { return };
        if response.body.len() as u64 + data.len() as u64 > self.limit {
            self.response = None;
            return self.finish(Err(AsyncFailure::ExceedResponseBufferLimit));
        }
        response.body.append(&mut data);
    }

    fn on_trailers(&mut self, trailers: HeaderMap) {
        if let Some(response) = &mut self.response {
            response.trailers = Some(trailers);
        }
    }

    fn on_complete(&mut self) {
        if let Some(response) = self.response.take() {
            self.finish(Ok(response));
        }
    }

    fn on_reset(&mut self) {
        self.finish(Err(AsyncFailure::Reset));
    }
}
