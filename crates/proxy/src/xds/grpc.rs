//! A stream to a control plane, by gRPC.

use std::cell::OnceCell;
use std::rc::{Rc, Weak};

use sandgate_config::model::{ApiConfig, GrpcTarget};
use sandgate_http::BodyBuffer;

use super::channel::Channel;
use super::receiver::Receiver;
use crate::async_client::{AsyncOptions, AsyncStream};
use crate::callouts::grpc::{INTERNAL, UNAVAILABLE, call_headers, encode_binary, end_of};
use crate::callouts::grpc_frames::frame;
use crate::worker::Worker;

/// How a stream ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Closed {
    /// A gRPC status.
    pub(super) status: u32,
    pub(super) message: String,
}

/// The sending half of a stream. Dropped, it ends the stream.
pub(super) struct Outgoing(Rc<AsyncStream>);

/// Begins a stream, of which the channel hears under that number.
///
/// # Errors
/// There is none.
pub(super) fn connect(
    worker: &Rc<Worker>,
    config: &ApiConfig,
    path: &str,
    (channel, generation): (&Rc<Channel>, u64),
) -> Result<Outgoing, Closed> {
    let failed = |status, message: &str| Closed { status, message: message.to_owned() };
    let Some((service, GrpcTarget::Envoy(target))) = config.services.first().map(|service| (service, &service.target))
    else {
        return Err(failed(INTERNAL, "not a service of envoy_grpc"));
    };
    let Some(cluster) = worker.clusters.get(&target.cluster_name) else {
        return Err(failed(UNAVAILABLE, "Cluster not available"));
    };
    let mut headers = call_headers(target, service, path.as_bytes(), None);
    encode_binary(&mut headers);
    let options = AsyncOptions {
        // Envoy's own back-off takes the place of retries.
        send_internal: !target.skip_envoy_headers,
        ..AsyncOptions::default()
    };
    let begun = Rc::new(OnceCell::<Weak<AsyncStream>>::new());
    let limit = target.max_receive_message_length as usize;
    let receiver = Receiver::new(channel, generation, limit, &begun);
    let stream =
        AsyncStream::start(worker, &cluster, headers, false, options, Box::new(receiver)).map_err(|reply| {
            let end = end_of(*reply);
            Closed { status: end.status, message: end.message }
        })?;
    let stream = Rc::new(stream);
    // Nobody else sets it.
    let _ = begun.set(Rc::downgrade(&stream));
    Ok(Outgoing(stream))
}

impl Outgoing {
    pub(super) fn send(&self, message: &[u8]) {
        let mut data = BodyBuffer::new();
        data.push(frame(message));
        self.0.send_data(data, false);
    }
}
