//! How hosts are connected to for checks.

use std::io;
use std::sync::Arc;

use sandgate_load_balancing::Host;
use tokio::net::TcpStream;

use crate::stats::StatsStore;
use crate::transport::Transport;
use crate::upstream_tls::{Alpn, Handshake, UpstreamTls, WorkerTls};

/// Connects as requests do: over TLS, if the cluster has it.
pub(crate) struct Connector {
    tls: Option<WorkerTls>,
    /// `tls_options`: offered in place of the context's protocols, if there are any.
    alpn: Vec<String>,
}

// === impl Connector ===

impl Connector {
    /// `stat_name` is the cluster's.
    pub(crate) fn new(tls: Option<&Arc<UpstreamTls>>, alpn: &[String], store: &StatsStore, stat_name: &str) -> Self {
        Self { tls: tls.map(|tls| WorkerTls::new(tls, store, stat_name)), alpn: alpn.to_vec() }
    }

    /// Connects to the address for checks.
    ///
    /// # Errors
    /// There is no connection, or no handshake.
    pub(super) async fn connect(&self, host: &Host) -> io::Result<Transport> {
        let address = host.health_check_address();
        let stream = TcpStream::connect(address).await?;
        let Some(tls) = &self.tls else { return Ok(Transport::tcp(stream)) };
        let alpn = if self.alpn.is_empty() { Alpn::OfContext } else { Alpn::Instead(&self.alpn) };
        let handshake = Handshake { peer: address, hostname: &host.hostname, names: None, alpn };
        let secured = tls.handshake(stream, handshake).await;
        secured.map(|secured| secured.transport).map_err(|failure| io::Error::other(failure.reason))
    }
}
