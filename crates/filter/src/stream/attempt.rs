//! Attempts: streams that stand for one try to have a request answered by a host, as the filters in front of that host see
//! it.

use std::rc::Rc;

use sandgate_http::Direction;

use super::{Side, Stream, StreamOptions};

impl Stream {
    /// A stream for one attempt at the request of `origin`. Both have the same connection, stream info and request headers
    /// (what a filter of the attempt changes there, stays changed for the next one); and its trailers, once they have come
    /// this far. The response is the attempt's own.
    #[must_use]
    pub fn attempt_of(origin: &Rc<Self>) -> Rc<Self> {
        let options = {
            let info = origin.info();
            StreamOptions {
                buffer_limit: origin.buffer_limit(),
                protocol: info.protocol,
                start_time: info.start_time,
                start: info.start,
            }
        };
        Rc::new(Self::build(Some(Rc::clone(origin)), Rc::clone(&origin.connection), &options))
    }

    /// Whether this is one attempt at another stream's request.
    #[must_use]
    pub fn is_attempt(&self) -> bool {
        self.origin.is_some()
    }

    /// Where what attempts share with their origin is kept.
    pub(super) fn home(&self) -> &Self {
        self.origin.as_deref().unwrap_or(self)
    }

    pub(super) fn headers_side(&self, direction: Direction) -> &Side {
        match direction {
            Direction::Request => &self.home().request,
            Direction::Response => &self.response,
        }
    }

    /// An attempt has trailers of its own only if its filters add some.
    pub(super) fn trailers_side(&self, direction: Direction) -> &Side {
        match (direction, &self.origin) {
            (Direction::Request, Some(origin)) if self.trailers_came.get() => &origin.request,
            _ => self.side(direction),
        }
    }
}
