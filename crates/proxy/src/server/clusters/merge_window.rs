//! When threads are told of changed health: many changes in a short time are told as one
//! (`common_lb_config.update_merge_window`).

use std::time::{Duration, Instant};

/// One cluster's updates.
#[derive(Debug, Default)]
pub(super) struct MergeWindow {
    last: Option<Instant>,
    /// Number of the update that waits, if one does.
    waiting: Option<u64>,
    number: u64,
}

/// What to do with an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Tell it.
    Now,
    /// Ask [`MergeWindow::is_due`] with this number after a window.
    Later(u64),
    /// One that waits brings it along.
    WithAnother,
}

// === impl MergeWindow ===

impl MergeWindow {
    /// Health has changed. The first change after a quiet window is told at once, all others a window later.
    pub(super) fn on_health(&mut self, window: Duration, now: Instant) -> Told {
        let quiet = self.last.is_none_or(|last| now.saturating_duration_since(last) > window);
        if window.is_zero() || quiet {
            self.on_told(now);
            return Told::Now;
        }
        if self.waiting.is_some() {
            return Told::WithAnother;
        }
        self.number += 1;
        self.waiting = Some(self.number);
        Told::Later(self.number)
    }

    /// Hosts have come or gone, which is told at once and brings along what waits.
    /// Whether something did.
    pub(super) fn on_told(&mut self, now: Instant) -> bool {
        self.last = Some(now);
        self.waiting.take().is_some()
    }

    /// Whether the update with that number is still to be told; if so, it is now.
    pub(super) fn is_due(&mut self, number: u64, now: Instant) -> bool {
        let due = self.waiting == Some(number);
        if due {
            self.on_told(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(1);

    #[test]
    fn the_first_is_told_at_once_and_the_rest_as_one() {
        let (mut window, start) = (MergeWindow::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(window.on_health(WINDOW, at(0)), Told::Now);
        assert_eq!(window.on_health(WINDOW, at(300)), Told::Later(1));
        assert_eq!(window.on_health(WINDOW, at(500)), Told::WithAnother);
        assert!(window.is_due(1, at(1300)) && !window.is_due(1, at(1300)));
        assert_eq!(window.on_health(WINDOW, at(2000)), Told::Later(2));
        window.on_told(at(2100));
        assert!(!window.is_due(2, at(3000)), "it was brought along");
        assert_eq!(window.on_health(WINDOW, at(3101)), Told::Now);
    }

    #[test]
    fn no_window_is_no_delay() {
        let (mut window, now) = (MergeWindow::default(), Instant::now());
        assert_eq!([window.on_health(Duration::ZERO, now), window.on_health(Duration::ZERO, now)], [Told::Now; 2]);
    }
}
