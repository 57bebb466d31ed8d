//! A gRPC client.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tonic::client::Grpc;
use tonic::codegen::tokio_stream::{self, Stream, StreamExt as _};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use super::service::Note;
use crate::support::PATIENCE;

/// A channel, and what runs it.
pub(super) struct Caller {
    pub(super) runtime: tokio::runtime::Runtime,
    grpc: Grpc<Channel>,
}

/// The answer to a streaming call.
pub(super) type Answer = Result<Response<Streaming<Note>>, Status>;

// === impl Caller ===

impl Caller {
    pub(super) fn new(address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap().tcp_nodelay(true);
        // A small window, so that it is soon known when nobody reads.
        let endpoint = endpoint.initial_stream_window_size(65_535).initial_connection_window_size(65_535);
        let channel = {
            let _guard = runtime.enter();
            endpoint.connect_lazy()
        };
        Self { runtime, grpc: Grpc::new(channel).max_decoding_message_size(16 << 20) }
    }

    /// Runs it, but not for ever.
    pub(super) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(async { tokio::time::timeout(2 * PATIENCE, future).await.expect("no end in time") })
    }

    /// One note for another.
    pub(super) async fn unary(&self, method: &str, request: Request<Note>) -> Result<Response<Note>, Status> {
        let mut grpc = self.grpc.clone();
        grpc.ready().await.map_err(|error| Status::internal(error.to_string()))?;
        grpc.unary(request, path(method), ProstCodec::<Note, Note>::default()).await
    }

    /// Many notes for many.
    pub(super) async fn stream(&self, method: &str, notes: impl Stream<Item = Note> + Send + 'static) -> Answer {
        let mut grpc = self.grpc.clone();
        grpc.ready().await.map_err(|error| Status::internal(error.to_string()))?;
        grpc.streaming(Request::new(notes), path(method), ProstCodec::<Note, Note>::default()).await
    }

    /// The same, with all that comes back.
    pub(super) fn all(&self, method: &str, notes: Vec<Note>) -> Result<Vec<Note>, Status> {
        self.run(async {
            let mut answer = self.stream(method, tokio_stream::iter(notes)).await?.into_inner();
            let mut all = Vec::new();
            while let Some(note) = answer.next().await {
                all.push(note?);
            }
            Ok(all)
        })
    }

    /// Lets the channel do what it has to, for a moment.
    pub(super) fn breathe(&self) {
        self.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(5)).await });
    }
}

/// Whether it is not done yet, having been given its turn.
pub(super) async fn is_pending(future: &mut (impl Future + Unpin)) -> bool {
    std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *future).poll(context).is_pending())).await
}

fn path(method: &str) -> http::uri::PathAndQuery {
    format!("/test.Notes/{method}").parse().unwrap()
}
