//! The drain of a filter chain that an update has replaced or removed, on one worker.

use std::cell::Cell;
use std::time::Instant;

use crate::drain::{DrainOptions, DrainStrategy};

/// Whether the connections of a filter chain are to end, and whether their time is over.
#[derive(Debug, Default)]
pub(crate) struct ChainDrain {
    began: Cell<Option<Instant>>,
    over: Cell<bool>,
}

impl ChainDrain {
    /// From now on responses end their connections: all of them, or the more the longer it lasts.
    pub(crate) fn begin(&self, now: Instant) {
        if self.began.get().is_none() {
            self.began.set(Some(now));
        }
    }

    /// What is still there ends at once. Who calls this wakes the connections.
    pub(crate) fn end(&self) {
        self.over.set(true);
    }

    /// Whether the connection ends now, whatever goes on in it.
    pub(crate) fn is_over(&self) -> bool {
        self.over.get()
    }

    /// Whether a response is to end its connection. As in Envoy, with a probability of the part of the drain time that has passed, in
    /// whole seconds.
    pub(crate) fn drain_close(&self, options: DrainOptions) -> bool {
        let Some(began) = self.began.get() else { return false };
        let total = options.time.as_secs();
        options.strategy == DrainStrategy::Immediate || total == 0 || began.elapsed().as_secs() > fastrand::u64(..total)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn nothing_ends_before_the_drain_has_begun() {
        let at_once = DrainOptions { strategy: DrainStrategy::Immediate, ..DrainOptions::default() };
        let drain = ChainDrain::default();
        assert!(!drain.drain_close(at_once) && !drain.is_over());
        drain.begin(Instant::now());
        assert!(drain.drain_close(at_once) && !drain.is_over());
        assert!(!drain.drain_close(DrainOptions::default()), "a gradual drain begins with nothing");
        assert!(drain.drain_close(DrainOptions { time: Duration::ZERO, ..DrainOptions::default() }));
        drain.end();
        assert!(drain.is_over());
    }
}
