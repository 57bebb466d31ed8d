//! Sockets that take connections.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use sandgate_config::model;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::Notify;

use crate::accepted::AcceptedConnection;
use crate::downstream::Downstream;
use crate::listener_filters::AcceptedSocket;
use crate::network::ActiveListener;
use crate::transport::Tcp;
use crate::worker::{Worker, guarded};

/// How long an accept that fails for want of resources waits before it tries again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The sockets of one listener, bound and not yet listening: one for each worker that shares it.
#[derive(Debug)]
pub(crate) struct BoundListener {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    sockets: Vec<Socket>,
    backlog: i32,
}

/// What is to be bound.
pub(crate) struct ListenerSpec<'a> {
    pub(crate) name: &'a str,
    pub(crate) address: SocketAddr,
    pub(crate) ipv4_compat: bool,
    pub(crate) reuse_port: bool,
    pub(crate) backlog: Option<u32>,
}

impl<'a> ListenerSpec<'a> {
    pub(crate) fn new(listener: &'a model::Listener) -> Self {
        Self {
            name: &listener.name,
            address: listener.address,
            ipv4_compat: listener.ipv4_compat,
            reuse_port: listener.enable_reuse_port,
            backlog: listener.tcp_backlog_size,
        }
    }
}

impl BoundListener {
    /// Binds for `workers`. Of port 0 the first socket gets one, and the others the same.
    pub(crate) fn bind(spec: &ListenerSpec<'_>, workers: usize) -> io::Result<Self> {
        let first = bind(spec, spec.address)?;
        let address = first.local_addr()?.as_socket().unwrap_or(spec.address);
        let mut sockets = vec![first];
        while sockets.len() < workers {
            let next = match sockets.first() {
                Some(first) if !spec.reuse_port => first.try_clone()?,
                _ => bind(spec, address)?,
            };
            sockets.push(next);
        }
        // The kernel caps it at `net.core.somaxconn`.
        let backlog = spec.backlog.map_or(i32::MAX, |backlog| i32::try_from(backlog).unwrap_or(i32::MAX));
        Ok(Self { name: spec.name.to_owned(), address, sockets, backlog })
    }

    /// Starts to listen; a handle of each worker's socket in turn. The sockets live as long as this and the handles do, so that what
    /// waits to be accepted is not lost when an update hands them on.
    pub(crate) fn listen(&self) -> io::Result<Vec<std::net::TcpListener>> {
        self.sockets
            .iter()
            .map(|socket| {
                socket.listen(self.backlog)?;
                Ok(socket.try_clone()?.into())
            })
            .collect()
    }
}

fn bind(spec: &ListenerSpec<'_>, address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    if spec.reuse_port {
        socket.set_reuse_port(true)?;
    }
    if address.is_ipv6() {
        socket.set_only_v6(!spec.ipv4_compat)?;
    }
    // Only a latency hint; what is accepted inherits it.
    let _ = socket.set_tcp_nodelay(true);
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Ends the taking of connections.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    stopped: Cell<bool>,
    /// Others take what waits.
    handed_on: Cell<bool>,
    notify: Notify,
}

impl Stop {
    /// From now on, no connections.
    pub(crate) fn stop(&self) {
        self.stopped.set(true);
        self.notify.notify_waiters();
    }

    /// The same, when somebody else takes connections of the same socket: what waits is left to them.
    pub(crate) fn hand_on(&self) {
        self.handed_on.set(true);
        self.stop();
    }

    async fn stopped(&self) {
        let stopped = self.notify.notified();
        if !self.stopped.get() {
            stopped.await;
        }
    }
}

/// Takes connections and gives each a task, until stopped. What the system has accepted by then is still taken: those
/// clients think that they are connected.
pub(crate) async fn accept(
    listener: std::net::TcpListener,
    worker: Rc<Worker>,
    active: Rc<ActiveListener>,
    stop: Rc<Stop>,
) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            log::error!(target: "conn_handler", "cannot listen: {error}");
            return;
        }
    };
    // Connections have the address of the socket, unless that stands for many.
    let local = listener.local_addr().ok().filter(|address| !address.ip().is_unspecified());
    while !stop.handed_on.get() {
        let accepted = tokio::select! {
            biased;
            accepted = listener.accept() => accepted,
            () = stop.stopped() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                active.stats.connections_accepted_per_socket_event().record(1);
                active.stats.downstream_pre_cx_active().add(0);
                let Some(counted) = active.gate.admit() else {
                    log::debug!(target: "conn_handler", "closing connection from {peer}: too many connections");
                    active.stats.downstream_global_cx_overflow().inc();
                    continue;
                };
                let socket = AcceptedSocket::new(Tcp::accepted(stream, counted), local, peer);
                if active.listener_filters.is_empty() {
                    if let Some(connection) = start(&worker, &active, socket) {
                        tokio::task::spawn_local(guarded("connection", connection));
                    }
                } else {
                    let inspected = inspect(Rc::clone(&worker), Rc::clone(&active), socket);
                    tokio::task::spawn_local(guarded("connection", inspected));
                }
            }
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                log::error!(target: "conn_handler", "cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Shows a connection to the listener filters, and serves it.
async fn inspect(worker: Rc<Worker>, active: Rc<ActiveListener>, socket: AcceptedSocket) {
    let socket = active.listener_filters.run(socket, &active.stats, &worker).await;
    if let Some(connection) = socket.and_then(|socket| start(&worker, &active, socket)) {
        connection.await;
    }
}

/// The connection on its filter chain; nothing if there is none for it.
fn start(worker: &Rc<Worker>, active: &Rc<ActiveListener>, socket: AcceptedSocket) -> Option<Downstream> {
    let Some(chain) = active.find_chain(&socket) else {
        log::debug!(target: "conn_handler", "closing connection from {}: no matching filter chain found", socket.remote);
        active.stats.no_filter_chain_match().inc();
        return None;
    };
    if chain.lacks_configuration() {
        log::debug!(target: "conn_handler", "closing connection from {}: no filters", socket.remote);
        active.configured_stats.iter().for_each(|stats| stats.network_extension_config_missing().inc());
        // It counts as one that came and went.
        drop(AcceptedConnection::new(worker, active, chain, &socket));
        return None;
    }
    Some(Downstream::new(worker, active, chain, socket))
}

/// Whether the next accept may well succeed at once.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn workers_share_a_port() {
        for reuse_port in [true, false] {
            let spec = ListenerSpec {
                name: "l",
                address: ([127, 0, 0, 1], 0).into(),
                ipv4_compat: false,
                reuse_port,
                backlog: None,
            };
            let bound = BoundListener::bind(&spec, 3).unwrap();
            let address = bound.address;
            assert_ne!(address.port(), 0);
            let sockets = bound.listen().unwrap();
            assert!(sockets.iter().all(|socket| socket.local_addr().unwrap() == address));
            assert_eq!(sockets.len(), 3);
            let _client = std::net::TcpStream::connect(address).unwrap();
            let accepted = loop {
                if let Some(Ok((accepted, _))) = sockets.iter().map(std::net::TcpListener::accept).find(Result::is_ok) {
                    break accepted;
                }
            };
            assert!(accepted.nodelay().unwrap());
        }
    }
}
