//! The request as it was sent, to send it again.

use sandgate_http::BodyBuffer;

/// What has come of the request's body. Segments are shared with the request in flight, not copied.
#[derive(Debug)]
pub(super) struct Replay {
    pub(super) body: BodyBuffer,
    /// There was a body, if only an empty one.
    pub(super) has_body: bool,
    /// Bytes it may hold.
    limit: usize,
}

// === impl Replay ===

impl Replay {
    /// A buffer of so many bytes; 0 is no limit.
    pub(super) fn new(limit: usize) -> Box<Self> {
        let limit = if limit == 0 { usize::MAX } else { limit };
        Box::new(Self { body: BodyBuffer::new(), has_body: false, limit })
    }

    /// Adds `data`, or says that there is no room for it.
    pub(super) fn push(&mut self, data: &BodyBuffer) -> bool {
        if self.body.len() + data.len() > self.limit {
            return false;
        }
        data.segments().for_each(|segment| self.body.push(segment.clone()));
        self.has_body = true;
        true
    }
}
