//! Peers that send too many of what costs them nothing.
//!
//! The rules are those of Envoy's `ProtocolConstraints`; the `h2` crate has none for these frames.

use sandgate_config::model::Http2Options;

use super::frame_head::{FrameHead, kind};
use crate::stats::Http2CodecStats;

const ACK: u8 = 0x1;

/// Too many frames of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flood {
    /// Frames without content.
    Empty,
    Priority,
    WindowUpdates,
    /// Answers and resets that wait to be written.
    Control,
}

/// What one side of a connection has sent.
#[derive(Debug)]
pub(crate) struct Constraints {
    most_empty: u32,
    most_priority: u64,
    most_window_updates: u64,
    most_control: u32,
    opened: u64,
    empty: u32,
    priority: u64,
    window_updates: u64,
    data_sent: u64,
    /// Answers and resets since all was written.
    control: u32,
}

// === impl Constraints ===

impl Constraints {
    pub(crate) fn new(options: &Http2Options) -> Self {
        Self {
            most_empty: options.max_consecutive_inbound_frames_with_empty_payload,
            most_priority: options.max_inbound_priority_frames_per_stream.into(),
            most_window_updates: options.max_inbound_window_update_frames_per_data_frame_sent.into(),
            most_control: options.max_outbound_control_frames,
            opened: 0,
            empty: 0,
            priority: 0,
            window_updates: 0,
            data_sent: 0,
            control: 0,
        }
    }

    /// A stream was opened, by whichever side.
    pub(crate) fn opened(&mut self) {
        self.opened += 1;
    }

    /// A frame goes out; whether it is one too many for a client to be told.
    pub(crate) fn sent(&mut self, head: FrameHead) -> Option<Flood> {
        match head.kind {
            kind::DATA => self.data_sent += 1,
            kind::RST_STREAM => self.control += 1,
            kind::PING | kind::SETTINGS if head.flags & ACK != 0 => self.control += 1,
            _ => {}
        }
        (self.control > self.most_control).then_some(Flood::Control)
    }

    /// All that went out is written.
    pub(crate) fn written(&mut self) {
        self.control = 0;
    }

    /// A frame comes in; whether it is one too many.
    pub(crate) fn received(&mut self, head: FrameHead) -> Option<Flood> {
        match head.kind {
            kind::DATA | kind::HEADERS | kind::CONTINUATION => {
                let is_empty = head.len == 0 && !head.ends_stream();
                self.empty = if is_empty { self.empty + 1 } else { 0 };
                (self.empty > self.most_empty).then_some(Flood::Empty)
            }
            kind::PRIORITY => {
                self.priority += 1;
                let most = self.most_priority.saturating_mul(1 + self.opened);
                (self.priority > most).then_some(Flood::Priority)
            }
            kind::WINDOW_UPDATE => {
                self.window_updates += 1;
                let per_data = self.most_window_updates.saturating_mul(self.data_sent);
                let most = 5 + 2 * self.opened.saturating_add(per_data);
                (self.window_updates > most).then_some(Flood::WindowUpdates)
            }
            _ => None,
        }
    }
}

// === impl Flood ===

impl Flood {
    pub(crate) fn count(self, stats: &Http2CodecStats) {
        match self {
            Self::Empty => stats.inbound_empty_frames_flood().inc(),
            Self::Priority => stats.inbound_priority_frames_flood().inc(),
            Self::WindowUpdates => stats.inbound_window_update_frames_flood().inc(),
            Self::Control => stats.outbound_control_flood().inc(),
        }
    }

    /// Details of a request that ends with its connection, as observed in Envoy 1.40.
    pub(super) fn details(self) -> &'static str {
        match self {
            Self::Empty => "http2.inbound_empty_frames_flood",
            Self::Priority => "codec_error:Too_many_PRIORITY_frames",
            Self::WindowUpdates => "codec_error:Too_many_WINDOW_UPDATE_frames",
            Self::Control => "codec_error:Too_many_control_frames_in_the_outbound_queue.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floods_are_told() {
        let flood = |kind, len, times: usize| {
            let mut constraints = Constraints::new(&Http2Options::default());
            let head = FrameHead { len, kind, flags: 0, stream: 1, code: 0 };
            (0..times).find_map(|_| constraints.received(head))
        };
        assert_eq!(flood(kind::PRIORITY, 5, 100), None);
        assert_eq!(flood(kind::PRIORITY, 5, 101), Some(Flood::Priority));
        assert_eq!(flood(kind::WINDOW_UPDATE, 4, 5), None);
        assert_eq!(flood(kind::WINDOW_UPDATE, 4, 6), Some(Flood::WindowUpdates));
        assert_eq!(flood(kind::DATA, 0, 1), None);
        assert_eq!(flood(kind::DATA, 0, 2), Some(Flood::Empty));
    }

    #[test]
    fn answers_wait_in_numbers() {
        let mut constraints =
            Constraints::new(&Http2Options { max_outbound_control_frames: 3, ..Http2Options::default() });
        let head = |kind, flags| FrameHead { len: 8, kind, flags, stream: 0, code: 0 };
        for _ in 0..2 {
            for (kind, flags) in [(kind::PING, ACK), (kind::PING, 0), (kind::SETTINGS, ACK), (kind::RST_STREAM, 0)] {
                assert_eq!(constraints.sent(head(kind, flags)), None);
            }
            constraints.written();
        }
        assert!((0..3).all(|_| constraints.sent(head(kind::PING, ACK)).is_none()));
        assert_eq!(constraints.sent(head(kind::PING, ACK)), Some(Flood::Control));
    }

    #[test]
    fn streams_and_data_allow_more() {
        let mut constraints = Constraints::new(&Http2Options::default());
        let head = |kind| FrameHead { len: 4, kind, flags: 0, stream: 1, code: 0 };
        constraints.opened();
        assert!((0..2).all(|_| constraints.sent(head(kind::DATA)).is_none()));
        // 5, 2 for the stream, 2 * 10 for each DATA.
        assert!((0..47).all(|_| constraints.received(head(kind::WINDOW_UPDATE)).is_none()));
        assert_eq!(constraints.received(head(kind::WINDOW_UPDATE)), Some(Flood::WindowUpdates));
        assert!((0..200).all(|_| constraints.received(head(kind::PRIORITY)).is_none()));
        assert_eq!(constraints.received(head(kind::PRIORITY)), Some(Flood::Priority));
    }
}
