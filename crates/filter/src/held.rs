//! The body that the filters of a chain hold back in one direction, with its watermark.

use sandgate_http::BodyBuffer;

/// What each filter holds back. Together they have one limit: above it the watermark is high, and low again at half of
/// it. A limit of 0 is none.
///
/// Envoy has one buffer for all filters of a direction. There a filter that goes on takes with it what an earlier filter
/// holds, past that filter; here each has its own part.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// By the filter's index. As long as it has to be.
    parts: Vec<BodyBuffer>,
    /// Some filter has held something back by now. From then on a filter that goes on passes on at least an empty piece,
    /// as Envoy's does, whose buffer then exists.
    pub(crate) begun: bool,
    limit: usize,
    above_high: bool,
}

impl Held {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// What a filter holds back; nothing before any filter did.
    pub(crate) fn part(&mut self, filter: usize) -> Option<&mut BodyBuffer> {
        if !self.begun {
            return None;
        }
        if self.parts.len() <= filter {
            self.parts.resize_with(filter + 1, BodyBuffer::new);
        }
        self.parts.get_mut(filter)
    }

    /// Moves `data` behind what the filter holds back. `true` if that took all together above the limit.
    pub(crate) fn keep(&mut self, filter: usize, data: &mut BodyBuffer) -> bool {
        self.begun = true;
        if let Some(part) = self.part(filter) {
            part.append(data);
        }
        self.update()
    }

    /// Takes what the filter holds back.
    pub(crate) fn release(&mut self, filter: usize) -> BodyBuffer {
        let data = self.parts.get_mut(filter).map(std::mem::take).unwrap_or_default();
        self.update();
        data
    }

    /// Whether the source should not be read.
    pub(crate) fn is_above_high(&self) -> bool {
        self.above_high
    }

    fn update(&mut self) -> bool {
        let len: usize = self.parts.iter().map(BodyBuffer::len).sum();
        if self.above_high {
            self.above_high = len > self.limit / 2;
            return false;
        }
        self.above_high = self.limit > 0 && len > self.limit;
        self.above_high
    }
}
