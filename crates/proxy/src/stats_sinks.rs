//! Sinks: a thread of its own that sends stats away, so that nobody else waits for a network.

mod tcp;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use cadence::prelude::*;
use cadence::{BufferedUdpMetricSink, MetricBuilder, StatsdClient, UdpMetricSink};
use sandgate_config::model::{StatsSink, StatsSinkKind};

use crate::stats::{FlushedStat, SinkMessage, StatKind, StatsStore, TagProducer, Unit};
use tcp::TcpSink;

/// Messages that wait for the thread; each is at most one value of a histogram or one flush.
const QUEUE: usize = 16 * 1024;
/// Millionths of one.
const PERCENT_SCALE: f64 = 1_000_000.0;

/// A host of the cluster of a name, and how long connecting to it may take.
pub(crate) type HostLookup =
    Arc<dyn Fn(&str) -> Option<(SocketAddr, Duration)> + Send + Sync + UnwindSafe + RefUnwindSafe>;

/// One configured sink.
struct Sink {
    client: StatsdClient,
    prefix: String,
    /// Tags are written as tags, not as parts of names.
    tags: Option<Arc<TagProducer>>,
    /// Names as they are written.
    names: HashMap<String, Written>,
}

#[derive(Clone)]
struct Written {
    name: String,
    tags: Vec<(String, String)>,
}

/// Starts the thread, if there are sinks, and lets `store` send to it. It ends with the store.
///
/// # Errors
/// A socket or the thread cannot be made.
pub(crate) fn start(config: &[StatsSink], store: &StatsStore, hosts: &HostLookup) -> io::Result<()> {
    let tags = Arc::new(store.settings().tags().clone());
    let sinks = config.iter().filter_map(|sink| Sink::new(sink, hosts, &tags).transpose());
    let sinks = sinks.collect::<io::Result<Vec<_>>>()?;
    if sinks.is_empty() {
        return Ok(());
    }
    let (sender, inbox) = sync_channel(QUEUE);
    std::thread::Builder::new().name("stats sinks".to_owned()).spawn(move || run(sinks, &inbox))?;
    store.send_to(sender);
    Ok(())
}

fn run(mut sinks: Vec<Sink>, inbox: &Receiver<SinkMessage>) {
    while let Ok(message) = inbox.recv() {
        for sink in &mut sinks {
            match &message {
                SinkMessage::Value { name, unit, value } => sink.value(name, *unit, *value),
                SinkMessage::Flush(stats) => sink.flush(stats),
            }
        }
    }
}

// === impl Sink ===

impl Sink {
    /// Nothing if what is sent does not leave the process.
    fn new(config: &StatsSink, hosts: &HostLookup, tags: &Arc<TagProducer>) -> io::Result<Option<Self>> {
        let client = match &config.kind {
            StatsSinkKind::Wasm(_) => return Ok(None),
            StatsSinkKind::StatsdUdp(address) => datagrams(*address, None)?,
            StatsSinkKind::DogStatsd { address, max_bytes_per_datagram } => {
                datagrams(*address, *max_bytes_per_datagram)?
            }
            StatsSinkKind::StatsdTcp(cluster) => {
                StatsdClient::from_sink("", TcpSink::new(Arc::clone(hosts), cluster.clone()))
            }
        };
        let tags = matches!(config.kind, StatsSinkKind::DogStatsd { .. }).then(|| Arc::clone(tags));
        Ok(Some(Self { client, prefix: config.prefix.clone(), tags, names: HashMap::new() }))
    }

    fn value(&mut self, name: &str, unit: Unit, value: u64) {
        let Written { name, tags } = self.written(name);
        #[expect(clippy::cast_precision_loss, reason = "fractions of one")]
        if unit == Unit::Percent {
            send(self.client.histogram_with_tags(&name, value as f64 / PERCENT_SCALE), &tags);
        } else {
            send(self.client.time_with_tags(&name, value), &tags);
        }
    }

    fn flush(&mut self, stats: &[FlushedStat]) {
        for stat in stats {
            let Written { name, tags } = self.written(&stat.name);
            match stat.kind {
                StatKind::Counter => send(self.client.count_with_tags(&name, stat.added), &tags),
                StatKind::Gauge => send(self.client.gauge_with_tags(&name, stat.value), &tags),
            }
        }
        if let Err(error) = self.client.flush() {
            log::debug!(target: "stats", "stats could not be sent: {error}");
        }
    }

    fn written(&mut self, stat: &str) -> Written {
        if let Some(written) = self.names.get(stat) {
            return written.clone();
        }
        let (name, tags) = self.tags.as_ref().map_or_else(|| (stat.to_owned(), Vec::new()), |tags| tags.extract(stat));
        let tags = tags.into_iter().map(|(tag, value)| (tag.to_owned(), value)).collect();
        let written = Written { name: format!("{}.{name}", self.prefix), tags };
        self.names.insert(stat.to_owned(), written.clone());
        written
    }
}

/// A client that sends datagrams: one for each value, or several values together up to `together` bytes.
fn datagrams(address: SocketAddr, together: Option<u64>) -> io::Result<StatsdClient> {
    let any = if address.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    // Datagrams that find no room are lost, as everywhere else.
    socket.set_nonblocking(true)?;
    match together {
        None => UdpMetricSink::from(address, socket).map(|sink| StatsdClient::from_sink("", sink)),
        Some(most) => {
            let most = usize::try_from(most).unwrap_or(usize::MAX).min(u16::MAX.into());
            let sink = BufferedUdpMetricSink::with_capacity(address, socket, most);
            sink.map(|sink| StatsdClient::from_sink("", sink))
        }
    }
    .map_err(io::Error::other)
}

fn send<'m, T: cadence::Metric + From<String>>(mut metric: MetricBuilder<'m, '_, T>, tags: &'m [(String, String)]) {
    for (tag, value) in tags {
        metric = metric.with_tag(tag, value);
    }
    if let Err(error) = metric.try_send() {
        log::trace!(target: "stats", "a stat could not be sent: {error}");
    }
}

#[cfg(test)]
mod tests;
