//! Mirrors: copies of a request that go to another cluster, and whose answers nobody waits for.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use sandgate_config::model::{MirrorCluster, RequestMirrorPolicy};
use sandgate_filter::{DecodeEvent, Stream, StreamOptions};
use sandgate_http::{BodyBuffer, Direction, HeaderMap};

use super::{Router, RouterEvent};
use crate::cluster::WorkerCluster;
use crate::worker::{Worker, guarded};

/// A mirror as its request sees it. Dropped before the end of the request, it ends the mirror, too.
pub(super) struct Mirror(Rc<Input>);

/// What is on the way from the request to its mirror.
struct Input {
    stream: Rc<Stream>,
    /// The request's own, to wake it when there is room again.
    origin: Rc<Stream>,
    events: RefCell<VecDeque<DecodeEvent>>,
    waker: RefCell<Option<Waker>>,
    complete: Cell<bool>,
    cancelled: Cell<bool>,
    /// The mirror takes no more for now.
    full: Cell<bool>,
}

/// Whether a request that `policy` speaks of is mirrored, and where to.
pub(super) fn cluster(
    worker: &Worker,
    policy: &RequestMirrorPolicy,
    headers: &HeaderMap,
    random: u64,
) -> Option<Rc<WorkerCluster>> {
    if policy.runtime_fraction.as_ref().is_some_and(|fraction| !worker.runtime.feature_enabled(fraction, random)) {
        return None;
    }
    let name = match &policy.cluster {
        MirrorCluster::Name(name) => name,
        MirrorCluster::Header(name) => std::str::from_utf8(headers.get(name.as_bytes())?).ok()?,
    };
    worker.clusters.get(name)
}

/// The headers of a mirror.
pub(super) fn headers(worker: &Worker, policy: &RequestMirrorPolicy, request: &HeaderMap) -> HeaderMap {
    let mut headers = request.clone();
    if !policy.host_rewrite_literal.is_empty() {
        headers.set(b":authority", policy.host_rewrite_literal.as_bytes());
    } else if !policy.disable_shadow_host_suffix_append {
        let host = shadow_host(headers.get(b":authority").unwrap_or_default());
        headers.set(b":authority", &host);
    }
    // What Envoy's own requests have.
    headers.set(b"x-envoy-internal", b"true");
    worker.append_to_forwarded_for(&mut headers);
    headers
}

/// `a.com:80` becomes `a.com-shadow:80`.
fn shadow_host(host: &[u8]) -> Vec<u8> {
    let after_bracket = host.iter().rposition(|byte| *byte == b']').unwrap_or(0);
    let colon = host.iter().skip(after_bracket).position(|byte| *byte == b':').map(|at| at + after_bracket);
    let (name, port) = host.split_at(colon.unwrap_or(host.len()));
    [name, b"-shadow", port].concat()
}

// === impl Mirror ===

impl Mirror {
    /// Starts a mirror with these headers; `make` makes its router.
    pub(super) fn start(
        origin: &Rc<Stream>,
        headers: HeaderMap,
        end_stream: bool,
        make: impl FnOnce(&Rc<Stream>) -> (Router, Rc<WorkerCluster>, Option<Duration>),
    ) -> Self {
        let options = StreamOptions {
            buffer_limit: origin.buffer_limit(),
            protocol: origin.info().protocol,
            start_time: SystemTime::now(),
            start: Instant::now(),
        };
        // It came on no connection, as in Envoy.
        let stream = Stream::new(Rc::default(), &options);
        stream.set_headers(Direction::Request, headers);
        let (mut router, cluster, timeout) = make(&stream);
        let input = Rc::new(Input {
            stream,
            origin: Rc::clone(origin),
            events: RefCell::default(),
            waker: RefCell::default(),
            complete: Cell::new(end_stream),
            cancelled: Cell::new(false),
            full: Cell::new(false),
        });
        let task = Rc::clone(&input);
        tokio::task::spawn_local(guarded("mirror", async move {
            poll_fn(|cx| {
                router.begin_mirror(cx, &cluster, timeout, end_stream, Instant::now());
                Poll::Ready(())
            })
            .await;
            task.run(router).await;
        }));
        Self(input)
    }

    /// Whether it can take more of the request.
    pub(super) fn can_take(&self) -> bool {
        !self.0.full.get()
    }

    pub(super) fn data(&self, data: &BodyBuffer, end_stream: bool) {
        let copy = data.clone();
        self.push(DecodeEvent::Data { data: copy, end_stream }, end_stream);
    }

    pub(super) fn trailers(&self, trailers: HeaderMap) {
        self.0.stream.set_trailers(Direction::Request, trailers);
        self.push(DecodeEvent::Trailers, true);
    }

    fn push(&self, event: DecodeEvent, end: bool) {
        self.0.complete.set(end);
        self.0.events.borrow_mut().push_back(event);
        self.0.wake();
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        if !self.0.complete.get() {
            self.0.cancelled.set(true);
            self.0.wake();
        }
    }
}

// === impl Input ===

impl Input {
    fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Runs until there is an answer, or the request was given up.
    async fn run(self: Rc<Self>, mut router: Router) {
        let mut sleep = pin!(tokio::time::sleep(Duration::ZERO));
        poll_fn(|cx| {
            *self.waker.borrow_mut() = Some(cx.waker().clone());
            self.stream.register_waker(cx.waker());
            if self.cancelled.get() || self.poll(cx, &mut router).is_ready() {
                self.full.set(false);
                self.origin.wake();
                return Poll::Ready(());
            }
            if let Some(deadline) = router.deadline() {
                sleep.as_mut().reset(deadline.into());
                if sleep.as_mut().poll(cx).is_ready() {
                    cx.waker().wake_by_ref();
                }
            }
            Poll::Pending
        })
        .await;
    }

    fn poll(&self, cx: &mut Context<'_>, router: &mut Router) -> Poll<()> {
        let now = Instant::now();
        loop {
            while router.can_take()
                && let Some(event) = self.events.borrow_mut().pop_front()
            {
                router.on_decode_event(cx, event, None, now);
            }
            match router.poll(cx, now, true) {
                Poll::Pending if router.can_take() && !self.events.borrow().is_empty() => {}
                Poll::Pending => break,
                Poll::Ready(RouterEvent::LocalReply(_) | RouterEvent::Reset(_) | RouterEvent::Trailers(_)) => {
                    return Poll::Ready(());
                }
                Poll::Ready(RouterEvent::Headers(_, end) | RouterEvent::Data(_, end)) if end => return Poll::Ready(()),
                Poll::Ready(_) => {}
            }
        }
        let full = !router.can_take();
        if self.full.replace(full) && !full {
            self.origin.wake();
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_get_a_suffix() {
        let shadow = |host: &str| String::from_utf8_lossy(&shadow_host(host.as_bytes())).into_owned();
        assert_eq!(shadow("a.com"), "a.com-shadow");
        assert_eq!(shadow("a.com:80"), "a.com-shadow:80");
        assert_eq!(shadow("[::1]:80"), "[::1]-shadow:80");
        assert_eq!(shadow("[::1]"), "[::1]-shadow");
    }
}
