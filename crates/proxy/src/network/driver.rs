//! A connection that ends in one of its filters.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead as _, ReadBuf};

use crate::transport::Transport;

/// Keeps the filters going; what passes all of them has nowhere to go.
pub(crate) struct FilterDriver {
    transport: Transport,
}

// === impl FilterDriver ===

impl FilterDriver {
    pub(crate) fn new(transport: Transport) -> Self {
        Self { transport }
    }
}

impl Future for FilterDriver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let mut room = [0; 1024];
        loop {
            let mut room = ReadBuf::new(&mut room);
            match ready!(Pin::new(&mut this.transport).poll_read(cx, &mut room)) {
                Ok(()) if !room.filled().is_empty() => {}
                Ok(()) | Err(_) => return Poll::Ready(()),
            }
        }
    }
}
