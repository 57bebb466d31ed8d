//! What is sent on: values of histograms one by one, and all stats now and then.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use crate::{StatKind, Unit};

/// Something for sinks.
#[derive(Clone, Debug)]
pub enum SinkMessage {
    /// A histogram has taken a value.
    Value {
        /// The histogram.
        name: Arc<str>,
        /// What the value is.
        unit: Unit,
        /// As recorded.
        value: u64,
    },
    /// Stats as they are now.
    Flush(Vec<FlushedStat>),
}

/// A stat as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlushedStat {
    /// Its name.
    pub name: String,
    /// Counter or gauge.
    pub kind: StatKind,
    /// Its value; of a counter what it has counted since it was reset.
    pub value: u64,
    /// Of a counter what was added since the last flush.
    pub added: u64,
}

/// Where that goes. Workers never wait: a value that finds the queue full is lost, and nobody but the sinks misses it.
pub type SinkSender = SyncSender<SinkMessage>;

/// One histogram's way there.
#[derive(Debug)]
pub(crate) struct Tap {
    name: Arc<str>,
    unit: Unit,
    sender: SinkSender,
}

// === impl Tap ===

impl Tap {
    pub(crate) fn new(name: &str, unit: Unit, sender: &SinkSender) -> Self {
        Self { name: name.into(), unit, sender: sender.clone() }
    }

    pub(crate) fn pass(&self, value: u64) {
        let _ = self.sender.try_send(SinkMessage::Value { name: Arc::clone(&self.name), unit: self.unit, value });
    }
}
