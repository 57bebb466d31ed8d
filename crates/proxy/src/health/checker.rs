//! The checks of one cluster: a task for each host.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use sandgate_config::model::{HealthCheck, HealthCheckKind};
use sandgate_http::h1::ResponseOptions;
use sandgate_load_balancing::{HealthFlag, Host};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::connector::Connector;
use super::event_log::EventLog;
use super::grpc_probe::{GrpcProbe, GrpcSpec};
use super::http_probe::{HttpProbe, HttpSpec};
use super::schedule::{self, Bounds, LastResult};
use super::tcp_probe::TcpProbe;
use super::{Answer, Event, Failure, Outcome, Session, Thresholds, Transition};
use crate::runtime::Runtime;
use crate::stats::HealthCheckStats;
use crate::worker::guarded;

/// What came of a check, or of what a host said of itself.
#[derive(Clone, Debug)]
pub(crate) struct CheckResult {
    pub(crate) host: Arc<Host>,
    pub(crate) passed: bool,
    pub(crate) transition: Transition,
}

/// What a checker is made of.
pub(crate) struct CheckerParts {
    pub(crate) config: HealthCheck,
    /// The cluster's name.
    pub(crate) cluster: String,
    /// How responses are read.
    pub(crate) options: ResponseOptions,
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) connector: Connector,
    pub(crate) stats: HealthCheckStats,
    pub(crate) event_log: EventLog,
    /// Is told of every result.
    pub(crate) report: Box<dyn Fn(CheckResult)>,
}

/// Checks the hosts of one cluster.
pub(crate) struct Checker {
    shared: Rc<Shared>,
    hosts: Vec<Checked>,
}

struct Shared {
    parts: CheckerParts,
    kind: Kind,
    hosts: RefCell<Vec<Arc<Host>>>,
    /// The cluster has had a connection.
    traffic: Cell<bool>,
}

enum Kind {
    Http(Box<HttpSpec>),
    Tcp,
    Grpc(Box<GrpcSpec>),
}

enum Probe {
    Http(HttpProbe),
    Tcp(TcpProbe),
    Grpc(GrpcProbe),
}

/// A host and its task, which ends with this.
struct Checked {
    host: Arc<Host>,
    session: Rc<RefCell<Session>>,
    task: JoinHandle<()>,
}

// === impl Checker ===

impl Checker {
    /// A checker without hosts. Inside a `LocalSet`.
    pub(crate) fn new(parts: CheckerParts) -> Self {
        let kind = match &parts.config.kind {
            HealthCheckKind::Http(http) => {
                let spec = HttpSpec::new(http, parts.options.clone(), &parts.cluster, &parts.runtime);
                Kind::Http(Box::new(spec))
            }
            HealthCheckKind::Tcp(_) => Kind::Tcp,
            HealthCheckKind::Grpc(grpc) => {
                Kind::Grpc(Box::new(GrpcSpec::new(grpc, parts.config.timeout, &parts.cluster)))
            }
        };
        Self {
            shared: Rc::new(Shared { parts, kind, hosts: RefCell::default(), traffic: Cell::new(false) }),
            hosts: Vec::new(),
        }
    }

    /// Whether the first check of a host is still to come.
    pub(crate) fn is_waiting(&self) -> bool {
        self.hosts.iter().any(|checked| checked.session.borrow().is_first())
    }

    /// Takes over the hosts of the cluster: begins to check new ones, and no longer checks those that are gone.
    pub(crate) fn set_hosts(&mut self, hosts: &[Arc<Host>]) {
        let shared = Rc::clone(&self.shared);
        *shared.hosts.borrow_mut() = hosts.to_vec();
        self.hosts.retain(|checked| {
            let stays = hosts.iter().any(|host| checked.host.is(host));
            if !stays {
                shared.forget(&checked.host);
            }
            stays
        });
        for host in hosts.iter().filter(|host| !host.health_check.disabled) {
            if !self.hosts.iter().any(|checked| checked.host.is(host)) {
                self.hosts.push(Checked::new(&self.shared, host));
            }
        }
    }

    /// A host said that it must not be used.
    pub(crate) fn on_immediate_failure(&self, host: &Arc<Host>) {
        if let Some(checked) = self.hosts.iter().find(|checked| checked.host.is(host)) {
            self.shared.apply(host, &checked.session, Answer::Failed(Failure::Passive));
        }
    }
}

impl Drop for Checker {
    fn drop(&mut self) {
        // What is gone shows no hosts.
        self.hosts.iter().for_each(|checked| self.shared.forget(&checked.host));
    }
}

// === impl Checked ===

impl Checked {
    fn new(shared: &Rc<Shared>, host: &Arc<Host>) -> Self {
        let config = &shared.parts.config;
        let thresholds = Thresholds { healthy: config.healthy_threshold, unhealthy: config.unhealthy_threshold };
        let session = Rc::new(RefCell::new(Session::new(thresholds)));
        if !host.flags.has(HealthFlag::FailedActiveHc) {
            shared.parts.stats.healthy().inc();
        }
        let run = run(Rc::clone(shared), Arc::clone(host), Rc::clone(&session));
        Self { host: Arc::clone(host), session, task: tokio::task::spawn_local(guarded("health check", run)) }
    }
}

impl Drop for Checked {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Checks one host for ever.
async fn run(shared: Rc<Shared>, host: Arc<Host>, session: Rc<RefCell<Session>>) {
    let mut probe = shared.probe();
    let config = &shared.parts.config;
    let delay = schedule::first(config, shared.bounds(), &mut random);
    if !delay.is_zero() {
        sleep(delay).await;
    }
    loop {
        shared.parts.stats.attempt().inc();
        let answer = match timeout(config.timeout, probe.check(&shared, &host)).await {
            Ok(answer) => answer,
            Err(_) => {
                probe.timed_out(config.reuse_connection);
                Answer::Failed(Failure::NetworkTimeout)
            }
        };
        let mut next = shared.apply(&host, &session, answer);
        loop {
            tokio::select! {
                () = sleep_until(next) => break,
                answer = probe.closed(&shared) => next = shared.apply(&host, &session, answer),
            }
        }
    }
}

fn random() -> u64 {
    fastrand::u64(..)
}

// === impl Shared ===

impl Shared {
    fn probe(&self) -> Probe {
        match self.kind {
            Kind::Http(_) => Probe::Http(HttpProbe::new()),
            Kind::Tcp => Probe::Tcp(TcpProbe::new()),
            Kind::Grpc(_) => Probe::Grpc(GrpcProbe::new()),
        }
    }

    /// What a result means; when to check next.
    fn apply(&self, host: &Arc<Host>, session: &RefCell<Session>, answer: Answer) -> Instant {
        let stats = &self.parts.stats;
        let (passed, outcome) = match answer {
            Answer::Passed { degraded } => {
                stats.success().inc();
                if host.flags.has(HealthFlag::FailedActiveHc) {
                    host.set_healthy_since(std::time::Instant::now());
                }
                (true, session.borrow_mut().on_success(&host.flags, degraded))
            }
            Answer::Failed(failure) => {
                stats.failure().inc();
                if failure.is_network() {
                    stats.network_failure().inc();
                } else if failure == Failure::Passive {
                    stats.passive_failure().inc();
                }
                log::debug!(target: "hc", "{} failed its health check: {failure:?}", host.address());
                (false, session.borrow_mut().on_failure(&host.flags, failure))
            }
        };
        self.note(host, &outcome);
        let transition = outcome.transition;
        (self.parts.report)(CheckResult { host: Arc::clone(host), passed, transition });
        let last = LastResult { passed, transition, traffic: self.has_traffic() };
        Instant::now() + schedule::next(&self.parts.config, last, self.bounds(), &mut random)
    }

    fn note(&self, host: &Host, outcome: &Outcome) {
        let stats = &self.parts.stats;
        for event in &outcome.events {
            match event {
                Event::AddHealthy { .. } => stats.healthy().inc(),
                Event::EjectUnhealthy(_) => stats.healthy().dec(),
                Event::DegradedHealthy => stats.degraded().inc(),
                // Envoy 1.40 does not count it back before the host goes.
                Event::NoLongerDegraded | Event::Successful | Event::Failed { .. } => {}
            }
            self.parts.event_log.write(host, event);
        }
    }

    /// A host is gone.
    fn forget(&self, host: &Host) {
        if !host.flags.has(HealthFlag::FailedActiveHc) {
            self.parts.stats.healthy().dec();
        }
        if host.flags.has(HealthFlag::DegradedActiveHc) {
            self.parts.stats.degraded().dec();
        }
    }

    /// Whether the cluster has ever had a connection for requests.
    fn has_traffic(&self) -> bool {
        if !self.traffic.get() {
            self.traffic.set(self.hosts.borrow().iter().any(|host| host.stats.cx_total.load(Relaxed) > 0));
        }
        self.traffic.get()
    }

    fn bounds(&self) -> Bounds {
        let default = Bounds::default();
        Bounds {
            min: self.parts.runtime.integer("health_check.min_interval", default.min),
            max: self.parts.runtime.integer("health_check.max_interval", default.max),
        }
    }
}

// === impl Probe ===

impl Probe {
    async fn check(&mut self, shared: &Shared, host: &Host) -> Answer {
        let reuse = shared.parts.config.reuse_connection;
        let connector = &shared.parts.connector;
        match (self, &shared.kind, &shared.parts.config.kind) {
            (Self::Http(probe), Kind::Http(spec), _) => {
                probe.check(spec, connector, host, reuse, &shared.parts.stats).await
            }
            (Self::Tcp(probe), _, HealthCheckKind::Tcp(config)) => probe.check(config, connector, host, reuse).await,
            (Self::Grpc(probe), Kind::Grpc(spec), _) => probe.check(spec, connector, host, reuse).await,
            // A probe is made of the kind that is configured.
            _ => std::future::pending().await,
        }
    }

    /// Between checks: returns if something happens that is a result by itself.
    async fn closed(&mut self, shared: &Shared) -> Answer {
        match (self, &shared.parts.config.kind) {
            (Self::Tcp(probe), HealthCheckKind::Tcp(config)) => probe.closed(config).await,
            // The host may close: the next check connects anew.
            _ => std::future::pending().await,
        }
    }

    fn timed_out(&mut self, reuse: bool) {
        match self {
            Self::Http(probe) => probe.close(),
            Self::Tcp(probe) => probe.close(),
            Self::Grpc(probe) => probe.timed_out(reuse),
        }
    }
}
