//! A handshake within its time.

use std::rc::Rc;

use super::{HandshakeError, Secured, WorkerTls, handshake};
use crate::hcm::Hcm;
use crate::network::ActiveListener;
use crate::pool::CloseSide;
use crate::transport::Tcp;

/// A connection that could not be secured.
pub(crate) struct Unsecured {
    /// Who ended it.
    pub(crate) side: CloseSide,
    /// Why, in Envoy's words; empty if TLS was not the reason.
    pub(crate) reason: String,
}

/// Secures the connection of that id. What goes wrong is counted.
pub(crate) async fn secure(
    hcm: Option<Rc<Hcm>>,
    listener: Rc<ActiveListener>,
    tls: Rc<WorkerTls>,
    tcp: Tcp,
    id: u64,
) -> Result<Secured, Unsecured> {
    let timeout = tls.shared.timeout;
    // A client that says nothing is an idle one.
    let shortest = [timeout, hcm.as_ref().and_then(|hcm| hcm.config.idle_timeout)].into_iter().flatten().min();
    let handshake = handshake(&tls, tcp);
    let secured = match shortest {
        None => Ok(handshake.await),
        Some(shortest) => tokio::time::timeout(shortest, handshake).await,
    };
    match secured {
        Ok(Ok(secured)) => return Ok(secured),
        Ok(Err(HandshakeError::Failed(reason))) => {
            log::debug!(target: "connection", "[C{id}] the handshake failed: {reason}");
            return Err(Unsecured { side: CloseSide::Remote, reason });
        }
        Ok(Err(HandshakeError::NotReady)) => {
            log::debug!(target: "connection", "[C{id}] TLS error: Secret is not supplied by SDS");
        }
        Err(_) if timeout == shortest => {
            listener.stats.downstream_cx_transport_socket_connect_timeout().inc();
        }
        Err(_) => {
            if let Some(hcm) = hcm {
                hcm.stats.downstream_cx_idle_timeout().inc();
            }
        }
    }
    Err(Unsecured { side: CloseSide::Local, reason: String::new() })
}
