//! The times that a stream may take.

use std::time::{Duration, Instant};

use sandgate_config::model::HttpConnectionManager;

use crate::stats::HttpStats;

/// Which time has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamTimeout {
    /// `stream_idle_timeout`, or the route's.
    Idle,
    /// `request_timeout`.
    Request,
    /// `request_headers_timeout`.
    Headers,
    /// `max_stream_duration`.
    MaxDuration,
}

/// Deadlines of one stream.
#[derive(Clone, Debug)]
pub(crate) struct StreamTimers {
    idle_timeout: Option<Duration>,
    idle: Option<Instant>,
    request: Option<Instant>,
    max_duration: Option<Instant>,
    last_moved: Instant,
    start: Instant,
}

impl StreamTimeout {
    /// The reply's body, observed in Envoy 1.40.
    pub(crate) fn body(self) -> &'static str {
        match self {
            Self::Idle => "stream timeout",
            Self::Request => "request timeout",
            Self::Headers => "request header timeout",
            Self::MaxDuration => "downstream duration timeout",
        }
    }

    /// `%RESPONSE_CODE_DETAILS%`.
    pub(crate) fn details(self) -> &'static str {
        match self {
            Self::Idle => "stream_idle_timeout",
            Self::Request => "request_overall_timeout",
            Self::Headers => "request_header_timeout",
            Self::MaxDuration => "max_duration_timeout",
        }
    }

    /// Always 408, whatever of the request has come.
    pub(crate) fn is_the_clients_fault(self) -> bool {
        matches!(self, Self::Request | Self::Headers)
    }

    pub(crate) fn count(self, stats: &HttpStats) {
        match self {
            Self::Idle => stats.downstream_rq_idle_timeout().inc(),
            Self::Request => stats.downstream_rq_timeout().inc(),
            Self::Headers => stats.downstream_rq_header_timeout().inc(),
            Self::MaxDuration => stats.downstream_rq_max_duration_reached().inc(),
        }
    }
}

impl StreamTimers {
    /// Timers of a stream whose first byte came at `start`.
    pub(crate) fn new(config: &HttpConnectionManager, start: Instant, now: Instant) -> Self {
        let nonzero = |timeout: &Duration| !timeout.is_zero();
        Self {
            idle_timeout: config.stream_idle_timeout.filter(nonzero),
            idle: config.stream_idle_timeout.filter(nonzero).map(|timeout| now + timeout),
            request: config.request_timeout.filter(nonzero).map(|timeout| start + timeout),
            max_duration: config.max_stream_duration.filter(nonzero).map(|timeout| start + timeout),
            last_moved: now,
            start,
        }
    }

    /// Something moved.
    pub(crate) fn moved(&mut self, now: Instant) {
        self.last_moved = now;
        self.idle = self.idle_timeout.map(|timeout| now + timeout);
    }

    /// The route has another idle timeout; zero is none.
    pub(crate) fn set_idle_timeout(&mut self, timeout: Duration) {
        self.idle_timeout = (!timeout.is_zero()).then_some(timeout);
        self.moved(self.last_moved);
    }

    /// The route has another time for the whole stream; zero is none.
    pub(crate) fn set_max_duration(&mut self, timeout: Duration) {
        self.max_duration = (!timeout.is_zero()).then(|| self.start + timeout);
    }

    /// The request has come whole.
    pub(crate) fn request_complete(&mut self) {
        self.request = None;
    }

    /// One of them has passed and was answered. Idleness goes on to count, so that a filter that holds the answer back
    /// does not hold the stream for ever: the second answer goes past the filters.
    pub(crate) fn answered(&mut self, now: Instant) {
        (self.request, self.max_duration) = (None, None);
        self.moved(now);
    }

    /// Every deadline with its timeout.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Instant, StreamTimeout)> + use<> {
        let with = |deadline: Option<Instant>, timeout| deadline.map(|deadline| (deadline, timeout));
        [
            with(self.request, StreamTimeout::Request),
            with(self.max_duration, StreamTimeout::MaxDuration),
            with(self.idle, StreamTimeout::Idle),
        ]
        .into_iter()
        .flatten()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        [self.idle, self.request, self.max_duration].into_iter().flatten().min()
    }

    pub(crate) fn expired(&self, now: Instant) -> Option<StreamTimeout> {
        self.all().find(|(deadline, _)| *deadline <= now).map(|(_, timeout)| timeout)
    }
}
