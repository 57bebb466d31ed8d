//! A control plane that says what a test tells it to say.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::SendStream;
use sandgate_http::BodyBuffer;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::within;
use crate::callouts::grpc_frames::{FrameDecoder, frame};

/// Dropped, it is gone with all its connections.
pub(super) struct ControlPlane {
    pub(super) address: SocketAddr,
    streams: UnboundedReceiver<ServerStream>,
    task: JoinHandle<()>,
}

/// A stream as the server sees it.
pub(super) struct ServerStream {
    pub(super) path: String,
    requests: UnboundedReceiver<Bytes>,
    response: SendStream<Bytes>,
}

impl ControlPlane {
    pub(super) async fn start(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (found, streams) = unbounded_channel();
        Self { address, streams, task: tokio::task::spawn_local(serve(listener, found)) }
    }

    pub(super) async fn stream(&mut self) -> ServerStream {
        within("a stream", self.streams.recv()).await.unwrap()
    }

    pub(super) fn no_stream(&mut self) {
        assert!(self.streams.try_recv().is_err());
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Connections are parts of this task, so that they end with it.
async fn serve(listener: TcpListener, found: UnboundedSender<ServerStream>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let found = found.clone();
        connections.spawn_local(async move {
            let mut builder = h2::server::Builder::new();
            builder.initial_window_size(1 << 20).initial_connection_window_size(1 << 20);
            let Ok(mut connection) = builder.handshake::<_, Bytes>(socket).await else { return };
            let mut readers = tokio::task::JoinSet::new();
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                let headers = http::Response::builder().header("content-type", "application/grpc").body(()).unwrap();
                let response = respond.send_response(headers, false).unwrap();
                let (requests, inbox) = unbounded_channel();
                let path = request.uri().path().to_owned();
                readers.spawn_local(read(request.into_body(), requests));
                let _ = found.send(ServerStream { path, requests: inbox, response });
            }
        });
    }
}

async fn read(mut body: h2::RecvStream, requests: UnboundedSender<Bytes>) {
    let mut decoder = FrameDecoder::default();
    while let Some(Ok(data)) = body.data().await {
        let _ = body.flow_control().release_capacity(data.len());
        let mut buffer = BodyBuffer::new();
        buffer.push(data);
        for mut message in decoder.decode(buffer).unwrap() {
            let mut all = Vec::new();
            while let Some(piece) = message.data.pop() {
                all.extend_from_slice(&piece);
            }
            let _ = requests.send(all.into());
        }
    }
}

impl ServerStream {
    /// The next request.
    pub(super) async fn request<T: prost::Message + Default>(&mut self) -> T {
        T::decode(within("a request", self.requests.recv()).await.unwrap()).unwrap()
    }

    /// Nothing more has come. Only sure after something that comes later has.
    pub(super) fn no_request(&mut self) {
        assert!(self.requests.try_recv().is_err());
    }

    pub(super) fn send(&mut self, message: &impl prost::Message) {
        self.send_bytes(&message.encode_to_vec());
    }

    pub(super) fn send_bytes(&mut self, message: &[u8]) {
        self.response.send_data(frame(message), false).unwrap();
    }

    /// All requests have come, and the client has ended its half.
    pub(super) async fn no_more_requests(&mut self) {
        assert_eq!(within("the end of the requests", self.requests.recv()).await, None);
    }

    /// Ends it with a status.
    pub(super) fn end(&mut self, status: &'static str) {
        let mut trailers = http::HeaderMap::new();
        trailers.insert("grpc-status", http::HeaderValue::from_static(status));
        self.response.send_trailers(trailers).unwrap();
    }

    /// Waits until the client has given it up.
    pub(super) async fn given_up(&mut self) {
        within("the end of the stream", std::future::poll_fn(|cx| self.response.poll_reset(cx))).await.unwrap();
    }
}
