//! A gRPC service written by hand, and what calls it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};

use tonic::codegen::tokio_stream::{self, StreamExt as _};
use tonic::codegen::{BoxFuture, BoxStream, Service};
use tonic::metadata::{KeyAndValueRef, MetadataMap};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

/// What is said, both ways.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Note {
    /// The guest `grpc` puts it in upper case.
    #[prost(string, tag = "1")]
    pub(super) text: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) payload: Vec<u8>,
    #[prost(uint64, tag = "3")]
    pub(super) count: u64,
    /// The number that the guest `grpc` gives each note.
    #[prost(uint64, tag = "15")]
    pub(super) number: u64,
}

/// What the service has seen.
#[derive(Default)]
pub(super) struct Seen {
    /// Notes that came.
    pub(super) notes: AtomicUsize,
    /// Notes that `Expand` made.
    pub(super) produced: AtomicUsize,
    /// Calls of `Wait` that began, and those that were given up.
    pub(super) waiting: AtomicUsize,
    pub(super) abandoned: AtomicUsize,
}

/// A running server. Its methods, at any path: `Echo` gives each note back, `Count` one note for all, `Expand` as many as
/// the first says, `Fail` an error, `FailLater` a note and then an error, `Wait` nothing.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) seen: Arc<Seen>,
}

#[derive(Clone)]
struct Notes(Arc<Seen>);

struct Method {
    name: String,
    seen: Arc<Seen>,
}

/// Counts a call that nobody waits for any more.
struct Abandoned(Arc<Seen>);

// === impl Note ===

impl Note {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::default() }
    }
}

// === impl Server ===

impl Server {
    /// On a thread of its own.
    pub(super) fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Seen>::default();
        let notes = Notes(Arc::clone(&seen));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
                tonic::transport::Server::builder().add_service(notes).serve_with_incoming(incoming).await.unwrap();
            });
        });
        Self { address, seen }
    }
}

// === impl Notes ===

impl tonic::server::NamedService for Notes {
    const NAME: &'static str = "test.Notes";
}

impl Service<http::Request<tonic::body::Body>> for Notes {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let name = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        let method = Method { name, seen: Arc::clone(&self.0) };
        let codec = ProstCodec::<Note, Note>::default();
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(codec).max_decoding_message_size(16 << 20);
            Ok(grpc.streaming(method, request).await)
        })
    }
}

// === impl Method ===

impl Service<Request<Streaming<Note>>> for Method {
    type Response = Response<BoxStream<Note>>;
    type Error = Status;
    type Future = BoxFuture<Self::Response, Status>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Streaming<Note>>) -> Self::Future {
        let (name, seen) = (self.name.clone(), Arc::clone(&self.seen));
        Box::pin(async move {
            let metadata = echoed(request.metadata());
            let counter = Arc::clone(&seen);
            let mut notes = request.into_inner().map(move |note| {
                counter.notes.fetch_add(usize::from(note.is_ok()), SeqCst);
                note
            });
            let answer: BoxStream<Note> = match &*name {
                "Echo" => Box::pin(notes),
                "Count" => {
                    let mut total = Note::default();
                    while let Some(note) = notes.next().await {
                        let note = note?;
                        total.count += 1;
                        assert!(note.number == 0 || note.number == total.count, "{note:?} after {}", total.count);
                        total.payload = (note.payload.len() as u64).to_be_bytes().to_vec();
                    }
                    Box::pin(tokio_stream::once(Ok(total)))
                }
                "Expand" => {
                    let first = notes.next().await.ok_or_else(|| Status::invalid_argument("no note"))??;
                    let last = first.count;
                    let produced = Arc::clone(&seen);
                    let expand = move |count| {
                        produced.produced.fetch_add(1, SeqCst);
                        Ok(Note { count, number: 0, ..first.clone() })
                    };
                    Box::pin(tokio_stream::iter(1..=last).map(expand))
                }
                "Fail" => {
                    let message = "100% \u{e9}\n~";
                    return Err(Status::with_details_and_metadata(
                        Code::FailedPrecondition,
                        message,
                        bytes::Bytes::from_static(b"\0details"),
                        metadata,
                    ));
                }
                "FailLater" => {
                    let items = [Ok(Note::new("one")), Err(Status::data_loss("gone"))];
                    Box::pin(tokio_stream::iter(items))
                }
                name if name.starts_with("Wait") => {
                    let abandoned = Abandoned(seen);
                    abandoned.0.waiting.fetch_add(1, SeqCst);
                    std::future::pending::<()>().await;
                    drop(abandoned);
                    Box::pin(tokio_stream::empty())
                }
                _ => return Err(Status::unimplemented(name)),
            };
            let mut response = Response::new(answer);
            *response.metadata_mut() = metadata;
            Ok(response)
        })
    }
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.abandoned.fetch_add(1, SeqCst);
    }
}

/// The metadata that begin with `x-m-`.
fn echoed(metadata: &MetadataMap) -> MetadataMap {
    let mut kept = MetadataMap::new();
    for entry in metadata.iter() {
        match entry {
            KeyAndValueRef::Ascii(key, value) if key.as_str().starts_with("x-m-") => {
                kept.append(key, value.clone());
            }
            KeyAndValueRef::Binary(key, value) if key.as_str().starts_with("x-m-") => {
                kept.append_bin(key, value.clone());
            }
            _ => {}
        }
    }
    kept
}
