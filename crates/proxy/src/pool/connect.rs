//! Opens a TCP connection to a host.

use std::io;
use std::net::SocketAddr;

use sandgate_config::model::UpstreamSocket;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};

/// Connects to `address` with a socket set up as the cluster says.
pub(super) async fn connect(address: SocketAddr, options: UpstreamSocket) -> io::Result<TcpStream> {
    if options.is_default() {
        return TcpStream::connect(address).await;
    }
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(keepalive) = options.keepalive {
        let mut set = TcpKeepalive::new();
        if let Some(time) = keepalive.time {
            set = set.with_time(time);
        }
        if let Some(interval) = keepalive.interval {
            set = set.with_interval(interval);
        }
        if let Some(probes) = keepalive.probes {
            set = set.with_retries(probes);
        }
        SockRef::from(&socket).set_tcp_keepalive(&set)?;
    }
    if let Some(source) = options.source_address.filter(|source| source.is_ipv4() == address.is_ipv4()) {
        socket.bind(source)?;
    }
    socket.connect(address).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use std::time::Duration;

    use sandgate_config::model;

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn sockets_are_set_up() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let keepalive = model::TcpKeepalive {
            probes: Some(5),
            time: Some(Duration::from_secs(70)),
            interval: Some(Duration::from_secs(9)),
        };
        let options = UpstreamSocket { keepalive: Some(keepalive), source_address: Some(([127, 0, 0, 2], 0).into()) };
        let stream = connect(listener.local_addr().unwrap(), options).await.unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 5);
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(70));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(9));
        let (_, peer) = listener.accept().unwrap();
        assert_eq!(peer.ip().to_string(), "127.0.0.2");
        let plain = connect(listener.local_addr().unwrap(), UpstreamSocket::default()).await.unwrap();
        assert!(!SockRef::from(&plain).keepalive().unwrap());
    }
}
