//! One host asked over TCP: a connection, and perhaps bytes.

use std::io;

use bytes::BytesMut;
use sandgate_config::model::TcpHealthCheck;
use sandgate_load_balancing::Host;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::payload;
use super::{Answer, Connector, Failure};
use crate::transport::Transport;

/// What is kept of an answer that does not match yet; a host that sends more without a match has failed.
const BUFFER_LIMIT: usize = 1024 * 1024;

/// Asks one host.
pub(super) struct TcpProbe {
    connection: Option<(Transport, BytesMut)>,
}

// === impl TcpProbe ===

impl TcpProbe {
    pub(super) fn new() -> Self {
        Self { connection: None }
    }

    /// Asks once. Whoever gives up waiting has to call [`Self::close`].
    pub(super) async fn check(
        &mut self,
        config: &TcpHealthCheck,
        connector: &Connector,
        host: &Host,
        reuse: bool,
    ) -> Answer {
        match self.ask(config, connector, host).await {
            Ok(()) => {
                // A connection that was only tried is of no more use.
                if !reuse || config.receive.is_empty() {
                    self.close();
                }
                Answer::Passed { degraded: false }
            }
            Err(error) => {
                log::debug!(target: "hc", "{}: {error}", host.health_check_address());
                self.close();
                Answer::Failed(Failure::Network)
            }
        }
    }

    /// Between checks: returns when the host has closed the connection that was kept, which is a failure.
    pub(super) async fn closed(&mut self, config: &TcpHealthCheck) -> Answer {
        let answer = match &mut self.connection {
            Some((stream, input)) => match receive(config, stream, input).await {
                // It may well answer before it is asked.
                Ok(()) => return Answer::Passed { degraded: false },
                Err(_) => Answer::Failed(Failure::Network),
            },
            None => return std::future::pending().await,
        };
        self.close();
        answer
    }

    /// Lets the connection go.
    pub(super) fn close(&mut self) {
        self.connection = None;
    }

    async fn ask(&mut self, config: &TcpHealthCheck, connector: &Connector, host: &Host) -> io::Result<()> {
        let (stream, input) = match &mut self.connection {
            Some(connection) => connection,
            None => {
                let stream = connector.connect(host).await?;
                self.connection.insert((stream, BytesMut::new()))
            }
        };
        if config.receive.is_empty() {
            return Ok(());
        }
        if let Some(send) = &config.send {
            stream.write_all(send).await?;
        }
        receive(config, stream, input).await
    }
}

/// Reads until what came is what must come.
async fn receive(config: &TcpHealthCheck, stream: &mut Transport, input: &mut BytesMut) -> io::Result<()> {
    loop {
        if stream.read_buf(input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if payload::matches(&config.receive, input) {
            input.clear();
            return Ok(());
        }
        if input.len() > BUFFER_LIMIT {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}
