//! Health of all clusters' hosts: active checks and outlier detection, and what follows for the lists of hosts.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};

use sandgate_config::model::{HealthCheckKind, OutlierDetection};
use sandgate_http::h1::ResponseOptions;
use sandgate_load_balancing::{HealthCheckMonitor, HealthFlag, Host};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::merge_window::{MergeWindow, Told};
use crate::cluster::{ClusterCounts, ClusterEntry};
use crate::event_file::EventFile;
use crate::health::{CheckResult, Checker, CheckerParts, Connector, EventLog, Transition};
use crate::outlier::{Detector, HostMonitor, Line, Sign, What};
use crate::runtime::Runtime;
use crate::server::StartError;
use crate::server::main_loop::Shared;
use crate::stats::{HealthCheckStats, OutlierDetectionStats};
use crate::worker::guarded;

/// What the main loop is told of the health of hosts.
pub(super) enum Report {
    /// A check has ended.
    Checked(usize, CheckResult),
    /// A host said that it must not be used.
    ImmediateFailure(usize, Weak<Host>),
    /// A thread saw a sign of an outlier.
    Sign(usize, Weak<Host>, Sign),
    /// An interval of outlier detection is over.
    Interval(usize),
    /// The update of a cluster's hosts with this number has waited long enough.
    Merged(usize, u64),
}

/// What a report means for the threads.
#[derive(Default)]
pub(super) struct HealthUpdate {
    pub(super) cluster: usize,
    /// Lists of hosts are to be made anew.
    pub(super) reload: bool,
    /// Lists that waited are to be told.
    pub(super) merged: bool,
    /// Connections to these are to be drained.
    pub(super) failed: Vec<Arc<Host>>,
}

/// Watches all clusters.
pub(super) struct HealthManager {
    clusters: BTreeMap<usize, ClusterHealth>,
    reports: UnboundedSender<Report>,
    runtime: Arc<Runtime>,
    outlier_log: Option<EventFile>,
}

struct ClusterHealth {
    name: String,
    checker: Option<Checker>,
    detector: Option<Detector>,
    outlier: Option<Arc<OutlierDetection>>,
    window: MergeWindow,
    /// Hosts are not checked yet: what their connections need is not there.
    held: bool,
    /// Those to be checked.
    hosts: Vec<Arc<Host>>,
}

/// Where a host's own word about its health goes.
struct ImmediateFailure {
    cluster: usize,
    host: Weak<Host>,
    reports: UnboundedSender<Report>,
}

// === impl HealthManager ===

impl HealthManager {
    /// Nothing to watch yet; what there is to be told of it comes by the channel.
    pub(super) fn new(shared: &Shared) -> Result<(Self, UnboundedReceiver<Report>), StartError> {
        let (reports, inbox) = unbounded_channel();
        let outlier_log = shared.bootstrap.outlier_event_log_path.as_ref().map(|path| open(path)).transpose()?;
        let manager = Self { clusters: BTreeMap::new(), reports, runtime: Arc::clone(&shared.runtime), outlier_log };
        Ok((manager, inbox))
    }

    /// Begins to watch a cluster; if it is held, no host is checked before its release. Inside a `LocalSet`.
    ///
    /// # Errors
    /// A log of events cannot be opened.
    pub(super) fn add(
        &mut self,
        entry: &ClusterEntry,
        shared: &Shared,
        (options, held): (&ResponseOptions, bool),
    ) -> Result<(), StartError> {
        let (index, stat_name) = (entry.index, entry.config.stat_name());
        let checker = self.checker(index, entry, shared, options)?;
        let outlier = entry.config.outlier_detection.clone().map(Arc::new);
        let detector = outlier.as_ref().map(|config| {
            let stats = OutlierDetectionStats::new(&shared.stats, stat_name);
            Detector::new(config, &self.runtime, stats, Arc::clone(&entry.outlier_rates), || fastrand::u64(..))
        });
        let (name, window) = (entry.config.name.clone(), MergeWindow::default());
        self.clusters
            .insert(index, ClusterHealth { name, checker, detector, outlier, window, held, hosts: Vec::new() });
        self.set_hosts(index, &entry.hosts().hosts);
        self.arm(index);
        Ok(())
    }

    /// The cluster is no more: what is still reported of it is not heard.
    pub(super) fn remove(&mut self, index: usize) {
        self.clusters.remove(&index);
    }

    /// Whether the first check of a host of the cluster is still to come.
    pub(super) fn is_waiting(&self, index: usize) -> bool {
        let checker = self.clusters.get(&index).and_then(|cluster| cluster.checker.as_ref());
        checker.is_some_and(Checker::is_waiting)
    }

    /// The cluster's hosts are checked from now on.
    pub(super) fn release(&mut self, index: usize) {
        let Some(cluster) = self.clusters.get_mut(&index).filter(|cluster| cluster.held) else { return };
        cluster.held = false;
        let hosts = std::mem::take(&mut cluster.hosts);
        if let Some(checker) = &mut cluster.checker {
            checker.set_hosts(&hosts);
        }
    }

    fn checker(
        &self,
        index: usize,
        entry: &ClusterEntry,
        shared: &Shared,
        options: &ResponseOptions,
    ) -> Result<Option<Checker>, StartError> {
        let Some(config) = &entry.config.health_check else { return Ok(None) };
        let files = config.event_log_paths.iter().map(|path| open(path)).collect::<Result<_, _>>()?;
        let event_log = EventLog {
            files,
            cluster: entry.config.name.clone(),
            checker_type: match config.kind {
                HealthCheckKind::Http(_) => "HTTP",
                HealthCheckKind::Tcp(_) => "TCP",
                HealthCheckKind::Grpc(_) => "GRPC",
            },
            always_failures: config.always_log_failures,
            always_success: config.always_log_success,
        };
        let reports = self.reports.clone();
        Ok(Some(Checker::new(CheckerParts {
            config: config.clone(),
            cluster: entry.config.name.clone(),
            options: options.clone(),
            runtime: Arc::clone(&self.runtime),
            connector: Connector::new(
                entry.tls.as_ref(),
                &config.alpn_protocols,
                &shared.stats,
                entry.config.stat_name(),
            ),
            stats: HealthCheckStats::new(&shared.stats, entry.config.stat_name()),
            event_log,
            // A main loop that is gone needs no news.
            report: Box::new(move |result| drop(reports.send(Report::Checked(index, result)))),
        })))
    }

    /// Takes over a cluster's hosts. To be done before any worker has them.
    pub(super) fn set_hosts(&mut self, index: usize, hosts: &[Arc<Host>]) {
        let Some(cluster) = self.clusters.get_mut(&index) else { return };
        if let Some(checker) = &mut cluster.checker {
            for host in hosts {
                let (host_ref, reports) = (Arc::downgrade(host), self.reports.clone());
                // Only the first one counts.
                host.set_health_checker(Arc::new(ImmediateFailure { cluster: index, host: host_ref, reports }));
            }
            if cluster.held {
                cluster.hosts = hosts.to_vec();
            } else {
                checker.set_hosts(hosts);
            }
        }
        if let (Some(detector), Some(config)) = (&mut cluster.detector, &cluster.outlier) {
            detector.set_hosts(hosts, |host| {
                let (host, reports) = (Arc::downgrade(host), self.reports.clone());
                let notify = move |sign| drop(reports.send(Report::Sign(index, Weak::clone(&host), sign)));
                HostMonitor::new(config, &self.runtime, Box::new(notify))
            });
        }
    }

    /// Begins the next interval of a cluster's outlier detection.
    fn arm(&self, index: usize) {
        let Some(detector) = self.clusters.get(&index).and_then(|cluster| cluster.detector.as_ref()) else { return };
        let (interval, reports) = (detector.interval(), self.reports.clone());
        tokio::task::spawn_local(guarded("outlier detection", async move {
            tokio::time::sleep(interval).await;
            let _ = reports.send(Report::Interval(index));
        }));
    }

    /// Whether a cluster's hosts may be told to the threads now. If not, a report says when.
    pub(super) fn may_tell(&mut self, index: usize, window: Duration, counts: &ClusterCounts) -> bool {
        let Some(cluster) = self.clusters.get_mut(&index) else { return true };
        match cluster.window.on_health(window, Instant::now()) {
            Told::Now => {
                if !window.is_zero() {
                    counts.out_of_merge_window.inc();
                }
                counts.updated.inc();
                true
            }
            Told::WithAnother => false,
            Told::Later(number) => {
                let reports = self.reports.clone();
                tokio::task::spawn_local(guarded("host update", async move {
                    tokio::time::sleep(window).await;
                    let _ = reports.send(Report::Merged(index, number));
                }));
                false
            }
        }
    }

    /// A cluster's hosts are told to the threads.
    pub(super) fn hosts_told(&mut self, index: usize, counts: &ClusterCounts) {
        counts.updated.inc();
        if let Some(cluster) = self.clusters.get_mut(&index)
            && cluster.window.on_told(Instant::now())
        {
            counts.merge_cancelled.inc();
        }
    }

    pub(super) fn on_report(&mut self, report: Report) -> HealthUpdate {
        let now = Instant::now();
        let (index, mut update) = match report {
            Report::Checked(index, result) => (index, self.on_check(index, &result, now)),
            Report::ImmediateFailure(index, host) => {
                if let (Some(cluster), Some(host)) = (self.clusters.get(&index), host.upgrade())
                    && let Some(checker) = &cluster.checker
                {
                    checker.on_immediate_failure(&host);
                }
                (index, HealthUpdate::default())
            }
            Report::Sign(index, host, sign) => {
                if let Some(detector) = self.detector(index)
                    && let Some(host) = host.upgrade()
                {
                    detector.on_sign(&host, sign, now);
                }
                (index, HealthUpdate::default())
            }
            Report::Interval(index) => {
                if let Some(detector) = self.detector(index) {
                    detector.on_interval(now);
                }
                self.arm(index);
                (index, HealthUpdate::default())
            }
            Report::Merged(index, number) => {
                let cluster = self.clusters.get_mut(&index);
                let merged = cluster.is_some_and(|cluster| cluster.window.is_due(number, now));
                (index, HealthUpdate { merged, ..HealthUpdate::default() })
            }
        };
        update.cluster = index;
        self.note_changes(index, &mut update);
        update
    }

    fn detector(&mut self, index: usize) -> Option<&mut Detector> {
        self.clusters.get_mut(&index)?.detector.as_mut()
    }

    fn on_check(&mut self, index: usize, result: &CheckResult, now: Instant) -> HealthUpdate {
        let mut update = HealthUpdate::default();
        if result.transition == Transition::Changed {
            update.reload = true;
            if result.host.flags.has(HealthFlag::FailedActiveHc) {
                update.failed.push(Arc::clone(&result.host));
            }
        }
        if result.passed
            && let Some(detector) = self.detector(index)
        {
            detector.on_check_passed(&result.host, now);
        }
        update
    }

    /// Writes down what outlier detection did.
    fn note_changes(&mut self, index: usize, update: &mut HealthUpdate) {
        let Some(cluster) = self.clusters.get_mut(&index) else { return };
        let Some(detector) = &mut cluster.detector else { return };
        for change in detector.take_changes() {
            let changed = !matches!(change.what, What::Ejected { enforced: false, .. });
            update.reload |= changed;
            if let Some(file) = &self.outlier_log {
                file.write(&Line::new(&cluster.name, &change, SystemTime::now()));
            }
            if change.host.flags.has(HealthFlag::FailedOutlierCheck) {
                update.failed.push(change.host);
            }
        }
    }
}

impl HealthCheckMonitor for ImmediateFailure {
    fn set_unhealthy_immediately(&self) {
        if let Some(host) = self.host.upgrade() {
            host.flags.set(HealthFlag::ExcludedViaImmediateHcFail);
        }
        // A main loop that is gone needs no news.
        let _ = self.reports.send(Report::ImmediateFailure(self.cluster, Weak::clone(&self.host)));
    }
}

impl std::fmt::Debug for ImmediateFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImmediateFailure").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

fn open(path: &str) -> Result<EventFile, StartError> {
    EventFile::open(path).map_err(|source| StartError::File { path: path.to_owned(), source })
}
