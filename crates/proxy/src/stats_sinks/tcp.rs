//! StatsD over a connection.

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cadence::MetricSink;

use super::HostLookup;

/// Bytes that are written at once (Envoy's buffer has this size).
const BUFFER: usize = 16 * 1024;
/// How long a write may take. Only the thread of the sinks waits.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// One line for each value, to the first host of a cluster. What cannot be written is lost.
pub(super) struct TcpSink {
    hosts: HostLookup,
    cluster: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<TcpStream>,
    buffer: Vec<u8>,
}

// === impl TcpSink ===

impl TcpSink {
    pub(super) fn new(hosts: HostLookup, cluster: String) -> Self {
        Self { hosts, cluster, state: Mutex::default() }
    }

    fn write(&self, state: &mut State) -> io::Result<()> {
        let buffer = std::mem::take(&mut state.buffer);
        let mut connection = match state.connection.take() {
            Some(connection) => connection,
            None => {
                let Some((address, timeout)) = (self.hosts)(&self.cluster) else {
                    return Err(io::Error::other(format!("cluster '{}' has no host", self.cluster)));
                };
                let connection = TcpStream::connect_timeout(&address, timeout)?;
                connection.set_write_timeout(Some(WRITE_TIMEOUT))?;
                connection
            }
        };
        connection.write_all(&buffer)?;
        state.connection = Some(connection);
        Ok(())
    }
}

impl MetricSink for TcpSink {
    fn emit(&self, metric: &str) -> io::Result<usize> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.buffer.extend_from_slice(metric.as_bytes());
        state.buffer.push(b'\n');
        if state.buffer.len() >= BUFFER {
            self.write(&mut state)?;
        }
        Ok(metric.len())
    }

    fn flush(&self) -> io::Result<()> {
        self.write(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
