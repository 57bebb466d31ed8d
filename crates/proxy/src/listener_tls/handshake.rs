//! A handshake with a client.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use rustls::ProtocolVersion;
use rustls::server::Acceptor;
use sandgate_filter::TlsInfo;
use sandgate_tls::outcome::{self, Outcome};
use sandgate_tls::{Failure, FailureKind, HandshakeFacts, ServerContext, tls_info};
use tokio_rustls::StartHandshake;

use super::WorkerTls;
use crate::transport::{Tcp, Transport};

/// A connection whose handshake is done.
pub(crate) struct Secured {
    pub(crate) transport: Transport,
    pub(crate) info: Arc<TlsInfo>,
    /// When the first bytes came.
    pub(crate) start: Instant,
    pub(crate) complete: Instant,
}

/// A handshake that came to nothing. The connection is closed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HandshakeError {
    /// The client's doing; why, in Envoy's words (empty if it just went away).
    Failed(String),
    /// A secret is not there yet.
    NotReady,
}

/// Answers a client that has just connected. Everything is counted.
pub(crate) async fn handshake(tls: &WorkerTls, tcp: Tcp) -> Result<Secured, HandshakeError> {
    let context = tls.shared.context.load_full();
    let Some(context) = context else {
        tls.factory.downstream_context_secrets_not_ready().inc();
        return Err(HandshakeError::NotReady);
    };
    match run(&context, tcp).await {
        Ok((secured, outcome)) => {
            if outcome.as_ref().is_some_and(|outcome| outcome.failure.is_some()) {
                // A peer that is not trusted and accepted nevertheless.
                tls.count_failure(FailureKind::VerifyError);
            }
            tls.count_handshake(&secured.info, outcome.and_then(|outcome| outcome.scheme));
            Ok(secured)
        }
        Err(failure) => {
            tls.count_failure(failure.kind);
            Err(HandshakeError::Failed(failure.reason))
        }
    }
}

async fn run(context: &ServerContext, mut tcp: Tcp) -> Result<(Secured, Option<Outcome>), Failure> {
    tcp.readable().await.map_err(|error| Failure::new(&error, None))?;
    let start = Instant::now();
    let accepted = hello(&mut tcp).await?;
    tcp.hold();
    let begun = StartHandshake::from_parts(accepted, tcp);
    let hello = begun.client_hello();
    let sni: Box<str> = hello.server_name().unwrap_or_default().into();
    let chosen = match context.choose(&hello) {
        Ok(chosen) => chosen,
        Err(rejected) => {
            // If it cannot be told at once it is not told.
            let _ = io::Write::write(&mut begun.io.try_io(), rejected.alert());
            return Err(Failure::rejected());
        }
    };
    let mut accept = begun.into_stream(chosen.config);
    let mut found: Option<Outcome> = None;
    // The check of a certificate happens within one poll, in which no other connection of this thread does anything.
    let stream = poll_fn(|cx| {
        outcome::restore(found.take());
        let mut polled = Pin::new(&mut accept).poll(cx);
        found = outcome::take();
        let written = match &mut polled {
            // It is the client's turn.
            Poll::Pending => accept.get_mut(),
            Poll::Ready(Ok(stream)) => {
                let (tcp, session) = stream.get_mut();
                tcp.stop_holding();
                // The last that TLS 1.3 has to say are tickets, which go with the first response, as BoringSSL's do.
                (session.protocol_version() != Some(ProtocolVersion::TLSv1_3)).then_some(tcp)
            }
            Poll::Ready(Err(_)) => None,
        };
        if let Some(tcp) = written
            && let Poll::Ready(Err(error)) = tcp.poll_release(cx)
        {
            return Poll::Ready(Err(error));
        }
        polled
    })
    .await;
    let stream = stream.map_err(|error| Failure::new(&error, found.as_ref()))?;
    let connection = stream.get_ref().1;
    let facts = HandshakeFacts {
        sni: &sni,
        peer_validated: found.as_ref().is_some_and(|found| found.validated),
        local: chosen.local,
    };
    let info = Arc::new(tls_info(connection, facts));
    let transport = Transport::TlsServer(Box::new(stream));
    Ok((Secured { transport, info, start, complete: Instant::now() }, found))
}

/// Reads the client's first message.
async fn hello(tcp: &mut Tcp) -> Result<rustls::server::Accepted, Failure> {
    let mut acceptor = Acceptor::default();
    loop {
        match acceptor.read_tls(&mut tcp.try_io()) {
            Ok(0) => return Err(Failure::new(&io::ErrorKind::UnexpectedEof.into(), None)),
            Ok(_) => match acceptor.accept() {
                Ok(Some(accepted)) => return Ok(accepted),
                Ok(None) => {}
                Err((error, mut alert)) => {
                    // A peer that does not speak TLS is told nothing (observed in Envoy 1.40). If an alert cannot be told at once it
                    // is not told.
                    if !matches!(error, rustls::Error::InvalidMessage(_)) {
                        let _ = alert.write_all(&mut tcp.try_io());
                    }
                    return Err(Failure::of_tls(&error, None));
                }
            },
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                tcp.readable().await.map_err(|error| Failure::new(&error, None))?;
            }
            Err(error) => return Err(Failure::new(&error, None)),
        }
    }
}
