//! Where each filter stands in one direction.

use smallvec::SmallVec;

/// One direction of a chain.
#[derive(Debug)]
pub(super) struct Lane {
    /// In the order in which the direction runs through the filters.
    pub(super) places: SmallVec<[Place; 4]>,
    /// The end has come in.
    pub(super) observed_end: bool,
    /// Headers have gone out.
    pub(super) headers_sent: bool,
    /// The end has gone out.
    pub(super) complete: bool,
}

/// One filter in one direction: Envoy's `ActiveStreamFilterBase`.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) iteration: Iteration,
    /// The headers callback was called.
    pub(super) headers_called: bool,
    /// Headers have gone on to the next filter, or may.
    pub(super) headers_continued: bool,
    /// 1xx headers have gone on.
    pub(super) informational_continued: bool,
    /// Trailers have come this far, or were added here.
    pub(super) trailers_arrived: bool,
    /// They were shown to the filter, or are its own.
    pub(super) trailers_called: bool,
    /// The end has come this far, be it with trailers.
    pub(super) end_arrived: bool,
    /// The filter has left bytes in the piece it was shown, and its answer has yet to take effect.
    pub(super) in_flight: bool,
    /// The filter was told that the direction ends.
    pub(super) end_stream: bool,
    /// After a stop of everything: body and trailers have yet to be shown to this filter itself.
    pub(super) iterate_from_current: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Iteration {
    #[default]
    Continue,
    /// Stopped; what comes is shown to this filter.
    StopSingle,
    /// Stopped; what comes is buffered unseen.
    StopAllBuffer,
    /// The same, pausing the source above the limit.
    StopAllWatermark,
}

// === impl Lane ===

impl Lane {
    pub(super) fn new(filters: usize) -> Self {
        Self {
            places: std::iter::repeat_n(Place::default(), filters).collect(),
            observed_end: false,
            headers_sent: false,
            complete: false,
        }
    }
}

// === impl Place ===

impl Place {
    pub(super) fn can_iterate(&self) -> bool {
        self.iteration == Iteration::Continue
    }

    pub(super) fn stopped_all(&self) -> bool {
        matches!(self.iteration, Iteration::StopAllBuffer | Iteration::StopAllWatermark)
    }
}
