//! Bytes of one direction, from one connection to the other.

use std::io;
use std::task::{Context, Poll};

use bytes::BytesMut;
use sandgate_http::WriteBuffer;

use crate::socket::{ReadOutcome, Socket, owned, recycle};

/// What waits where no limit is set.
const DEFAULT_LIMIT: usize = 1024 * 1024;
/// Reads before others run.
const READS_PER_ROUND: usize = 16;

/// How far one direction is.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// The sender will send no more.
    pub(super) read_end: bool,
    /// The receiver knows.
    pub(super) shut: bool,
    /// The sender is not read from, since the receiver is slow.
    paused: bool,
    /// Reads and writes left the task something to do at once.
    pub(super) more: bool,
}

/// What a round has done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moved {
    pub(super) read: usize,
    pub(super) written: usize,
    /// Reading was paused, or went on again.
    pub(super) pause: Option<bool>,
}

/// Which of the two connections failed.
#[derive(Debug)]
pub(super) enum RelayError {
    Read(io::Error),
    Write(io::Error),
}

/// The buffers between two connections.
pub(super) struct Buffers<'a> {
    pub(super) input: &'a mut BytesMut,
    pub(super) output: &'a mut WriteBuffer,
    /// When reading is paused; 0 is no limit.
    pub(super) limit: usize,
}

// === impl Flow ===

impl Flow {
    /// Whether nothing will be moved any more.
    pub(super) fn is_over(&self) -> bool {
        self.read_end && self.shut
    }

    /// Moves what can be moved now.
    pub(super) fn relay(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Socket,
        to: &mut Socket,
        buffers: Buffers<'_>,
    ) -> (Moved, Result<(), RelayError>) {
        let mut moved = Moved::default();
        let result = self.relay_inner(cx, from, to, buffers, &mut moved);
        (moved, result)
    }

    fn relay_inner(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Socket,
        to: &mut Socket,
        buffers: Buffers<'_>,
        moved: &mut Moved,
    ) -> Result<(), RelayError> {
        let Buffers { input, output, limit } = buffers;
        let limit = if limit == 0 { DEFAULT_LIMIT } else { limit };
        self.more = false;
        if self.shut {
            return Ok(());
        }
        for round in 0..=READS_PER_ROUND {
            write(cx, to, output, moved).map_err(RelayError::Write)?;
            self.set_paused(output.len(), limit, moved);
            if self.read_end || self.paused {
                break;
            }
            if round == READS_PER_ROUND {
                self.more = true;
                break;
            }
            match from.poll_read(cx, input) {
                Poll::Pending => break,
                Poll::Ready(Ok(ReadOutcome::Closed)) => self.read_end = true,
                Poll::Ready(Ok(ReadOutcome::More(count) | ReadOutcome::Drained(count))) => {
                    moved.read += count;
                    output.push(owned(input.split().freeze()));
                }
                Poll::Ready(Err(error)) => {
                    recycle(input);
                    return Err(RelayError::Read(error));
                }
            }
        }
        recycle(input);
        if self.read_end && output.is_empty() && !to.holds_back() {
            match to.poll_shutdown(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.shut = true,
                Poll::Ready(Err(error)) => return Err(RelayError::Write(error)),
            }
        }
        Ok(())
    }

    /// Envoy's watermarks: paused above the limit, until half of that is left.
    fn set_paused(&mut self, waiting: usize, limit: usize, moved: &mut Moved) {
        let paused = if self.paused { waiting > limit / 2 } else { waiting > limit };
        if paused != self.paused {
            self.paused = paused;
            moved.pause = Some(paused);
        }
    }
}

fn write(cx: &mut Context<'_>, to: &mut Socket, output: &mut WriteBuffer, moved: &mut Moved) -> io::Result<()> {
    if output.is_empty() && !to.holds_back() {
        return Ok(());
    }
    let before = output.len();
    let result = to.poll_write(cx, output);
    moved.written += before - output.len();
    match result {
        Poll::Ready(Err(error)) => Err(error),
        Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
    }
}
