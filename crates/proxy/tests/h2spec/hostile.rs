//! Clients and upstreams that mean harm. Whatever they send: nothing hangs, nothing grows without a bound, others are served, all
//! streams end, and it is counted where Envoy counts it.

mod floods;
mod header_blocks;
mod noise;
mod streams;
mod upstream_floods;
mod upstream_responses;
mod upstreams;
mod windows;

use std::io::{ErrorKind, Write as _};
use std::time::Duration;

use crate::connection::Connection;

/// What became of somebody who sends much and reads nothing.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Everything was taken.
    Taken,
    /// The server takes no more.
    Blocked,
    /// The server has closed.
    Closed,
}

/// Sends `part` again and again, up to `limit` bytes in all.
fn flood(connection: &mut Connection, part: &[u8], limit: usize) -> Outcome {
    let chunk = part.repeat((64 * 1024 / part.len()).max(1));
    connection.stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    for _ in 0..limit.div_ceil(chunk.len()) {
        match connection.stream.write_all(&chunk) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Outcome::Blocked;
            }
            Err(_) => return Outcome::Closed,
        }
    }
    Outcome::Taken
}
