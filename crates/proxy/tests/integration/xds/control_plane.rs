//! A control plane that speaks the state of the world over one stream.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures_util::stream::{StreamExt as _, unfold};
use prost_reflect::DynamicMessage;
use prost_reflect::prost::Message as _;
use serde_json::Value;
use tokio::sync::watch;
use tonic::codegen::{BoxFuture, BoxStream, Service};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::support::eventually;

#[derive(Clone, PartialEq, prost::Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Rejection {
    #[prost(string, tag = "2")]
    message: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Ask {
    #[prost(string, tag = "1")]
    version_info: String,
    #[prost(string, repeated, tag = "3")]
    resource_names: Vec<String>,
    #[prost(string, tag = "4")]
    type_url: String,
    #[prost(string, tag = "5")]
    response_nonce: String,
    #[prost(message, optional, tag = "6")]
    error_detail: Option<Rejection>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Answer {
    #[prost(string, tag = "1")]
    version_info: String,
    #[prost(message, repeated, tag = "2")]
    resources: Vec<Any>,
    #[prost(string, tag = "4")]
    type_url: String,
    #[prost(string, tag = "5")]
    nonce: String,
}

/// A running control plane. It answers for a type once there is something of it.
pub(super) struct ControlPlane {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    /// Version and resources by type.
    resources: BTreeMap<String, (u64, Vec<Any>)>,
    /// What was refused, and why.
    refusals: Vec<String>,
    /// Versions that were taken, by type.
    taken: BTreeMap<String, String>,
}

/// One stream.
struct Talk {
    shared: Arc<Shared>,
    asks: Streaming<Ask>,
    changed: watch::Receiver<()>,
    /// The version that was sent last, by type, and what is asked for.
    sent: BTreeMap<String, (u64, Vec<String>)>,
    ready: VecDeque<Answer>,
}

#[derive(Clone)]
struct Discovery(Arc<Shared>);

/// The name of a type of resources.
fn type_url(message: &str) -> String {
    format!("type.googleapis.com/{message}")
}

// === impl ControlPlane ===

impl ControlPlane {
    /// On a thread of its own.
    pub(super) fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        let service = Discovery(Arc::clone(&shared));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
                tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming).await.unwrap();
            });
        });
        Self { address, shared }
    }

    /// Sends resources of a message's type; what was sent of it before is gone. Returns at once.
    pub(super) fn push(&self, message: &str, resources: &[Value]) -> u64 {
        let descriptor = sandgate_config::message_types().unwrap().get_message_by_name(message).unwrap();
        let resources = resources.iter().map(|json| {
            let value = DynamicMessage::deserialize(descriptor.clone(), json.clone()).unwrap().encode_to_vec();
            Any { type_url: type_url(message), value }
        });
        let mut state = self.shared.state.lock().unwrap();
        let (version, known) = state.resources.entry(type_url(message)).or_default();
        *version += 1;
        *known = resources.collect();
        let version = *version;
        drop(state);
        let _ = self.shared.changed.send(());
        version
    }

    /// The same, and waits until it was taken.
    pub(super) fn give(&self, message: &str, resources: &[Value]) {
        let version = self.push(message, resources).to_string();
        let taken = || self.shared.state.lock().unwrap().taken.get(&type_url(message)) == Some(&version);
        eventually("taken", taken);
    }

    /// The same, and waits until it was refused; why.
    pub(super) fn refused(&self, message: &str, resources: &[Value]) -> String {
        let before = self.shared.state.lock().unwrap().refusals.len();
        self.push(message, resources);
        eventually("refused", || self.shared.state.lock().unwrap().refusals.len() > before);
        self.shared.state.lock().unwrap().refusals.last().unwrap().clone()
    }
}

// === impl Discovery ===

impl tonic::server::NamedService for Discovery {
    const NAME: &'static str = "envoy.service.discovery.v3.AggregatedDiscoveryService";
}

impl Service<http::Request<tonic::body::Body>> for Discovery {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let method = self.clone();
        let codec = ProstCodec::<Answer, Ask>::default();
        Box::pin(async move { Ok(tonic::server::Grpc::new(codec).streaming(method, request).await) })
    }
}

impl Service<Request<Streaming<Ask>>> for Discovery {
    type Response = Response<BoxStream<Answer>>;
    type Error = Status;
    type Future = BoxFuture<Self::Response, Status>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Streaming<Ask>>) -> Self::Future {
        let shared = Arc::clone(&self.0);
        let changed = shared.changed.subscribe();
        let (sent, ready) = (BTreeMap::new(), VecDeque::new());
        let talk = Talk { shared, asks: request.into_inner(), changed, sent, ready };
        let answers: BoxStream<Answer> = Box::pin(unfold(talk, Talk::next));
        Box::pin(async move { Ok(Response::new(answers)) })
    }
}

// === impl Talk ===

impl Talk {
    async fn next(mut self) -> Option<(Result<Answer, Status>, Self)> {
        loop {
            if let Some(answer) = self.ready.pop_front() {
                return Some((Ok(answer), self));
            }
            tokio::select! {
                ask = self.asks.next() => self.on_ask(ask?.ok()?),
                changed = self.changed.changed() => changed.ok()?,
            }
            let types: Vec<_> = self.sent.keys().cloned().collect();
            types.iter().for_each(|of| self.answer(of));
        }
    }

    fn on_ask(&mut self, ask: Ask) {
        let mut state = self.shared.state.lock().unwrap();
        if let Some(why) = ask.error_detail {
            state.refusals.push(why.message);
        } else if !ask.version_info.is_empty() {
            state.taken.insert(ask.type_url.clone(), ask.version_info);
        }
        let (version, names) = self.sent.entry(ask.type_url).or_default();
        let new = ask.resource_names.iter().any(|name| !names.contains(name));
        // Who asks anew for the same is answered, too: it has forgotten what it had.
        if new || ask.response_nonce != version.to_string() {
            *version = 0;
        }
        *names = ask.resource_names;
    }

    fn answer(&mut self, of: &str) {
        let state = self.shared.state.lock().unwrap();
        let (Some((version, resources)), Some((sent, _))) = (state.resources.get(of), self.sent.get_mut(of)) else {
            return;
        };
        if version != sent {
            *sent = *version;
            let version = version.to_string();
            let resources = resources.clone();
            self.ready.push_back(Answer {
                nonce: version.clone(),
                version_info: version,
                resources,
                type_url: of.to_owned(),
            });
        }
    }
}
