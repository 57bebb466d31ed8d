//! One question to one server, over UDP, and over TCP if the answer is too long for that.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::Family;
use super::message::{Answer, answer, question};

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    BadName,
    NoAnswer,
}

/// Longer datagrams are not asked for.
const MAX_DATAGRAM: usize = 4096;

/// Asks, and waits no longer than `timeout`.
pub(super) async fn ask(
    server: SocketAddr,
    name: &str,
    family: Family,
    timeout: Duration,
    use_tcp: bool,
) -> Result<Answer, Failure> {
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(|_| Failure::NoAnswer)?;
    let id = u16::from_ne_bytes(id);
    let question = question(id, name, family).ok_or(Failure::BadName)?;
    let parse = |bytes: &[u8]| answer(bytes, id, name, family);
    let asked = async {
        if !use_tcp {
            match over_udp(server, &question, &parse).await? {
                Answer::Truncated => {}
                answer => return Ok(answer),
            }
        }
        over_tcp(server, &question, &parse).await
    };
    match tokio::time::timeout(timeout, asked).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            log::debug!(target: "dns", "{server} does not answer for {name}: {error}");
            Err(Failure::NoAnswer)
        }
        Err(_) => Err(Failure::NoAnswer),
    }
}

/// Each question has a socket of its own, so that the system chooses a port that nobody can guess. What is no answer to it is dropped.
async fn over_udp(server: SocketAddr, question: &[u8], parse: &impl Fn(&[u8]) -> Option<Answer>) -> io::Result<Answer> {
    let local: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(local).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if let Some(answer) = parse(buffer.get(..length).unwrap_or_default()) {
            return Ok(answer);
        }
    }
}

/// Messages have their length in front (RFC 1035 section 4.2.2).
async fn over_tcp(server: SocketAddr, question: &[u8], parse: &impl Fn(&[u8]) -> Option<Answer>) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(question.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), question].concat()).await?;
    let length = stream.read_u16().await?;
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await?;
    match parse(&message) {
        Some(Answer::Truncated) | None => Err(io::ErrorKind::InvalidData.into()),
        Some(answer) => Ok(answer),
    }
}
