//! `envoy.filters.http.health_check`: answers the health checks of whoever is in front, or tells them how it is.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use sandgate_config::model;
use sandgate_filter::{FilterCallbacks, HttpFilter, response_flag};
use sandgate_http::{BodyBuffer, DataStatus, Direction, HeadersStatus, LocalReply, TrailersStatus};
use sandgate_matcher::{HeaderMatcher, all_match};

use crate::cluster::ClusterTable;
use crate::hcm::FilterFactory;
use crate::lifecycle::Lifecycle;

/// What all health check filters of a process share.
pub(crate) struct HealthCheckFilters {
    clusters: Arc<ClusterTable>,
    lifecycle: Arc<Lifecycle>,
    local_cluster: String,
    /// By listener, filter chain and place in that.
    caches: Mutex<HashMap<(usize, usize, usize), Weak<HealthCheckCache>>>,
}

/// What the filters of one entry share on a worker.
struct HealthCheckSettings {
    name: Box<str>,
    pass_through: bool,
    headers: Vec<HeaderMatcher>,
    min_healthy: Vec<(String, u64)>,
    /// Shared by all workers.
    cache: Option<Arc<HealthCheckCache>>,
    clusters: Arc<ClusterTable>,
    lifecycle: Arc<Lifecycle>,
    /// This node's cluster, which a checker may compare.
    local_cluster: String,
}

/// The last answer of the service behind. It is forgotten at fixed times, not so long after it came (as in Envoy).
#[derive(Debug)]
struct HealthCheckCache {
    time: Duration,
    begin: Instant,
    answer: Mutex<Option<Answer>>,
}

#[derive(Clone, Copy, Debug)]
struct Answer {
    period: u128,
    status: u32,
    degraded: bool,
}

/// The filter of one stream.
struct HealthCheckFilter {
    settings: Rc<HealthCheckSettings>,
    is_check: bool,
    /// The request is answered here.
    handling: bool,
}

// === impl HealthCheckCache ===

impl HealthCheckCache {
    fn new(time: Duration) -> Arc<Self> {
        Arc::new(Self { time, begin: Instant::now(), answer: Mutex::default() })
    }

    fn period(&self) -> u128 {
        self.begin.elapsed().as_millis() / self.time.as_millis().max(1)
    }

    fn get(&self) -> Option<Answer> {
        let answer = *self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        answer.filter(|answer| answer.period == self.period())
    }

    fn set(&self, status: u32, degraded: bool) {
        let answer = Answer { period: self.period(), status, degraded };
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }
}

// === impl HealthCheckFilter ===

impl HealthCheckFilter {
    fn new(settings: &Rc<HealthCheckSettings>) -> Self {
        Self { settings: Rc::clone(settings), is_check: false, handling: false }
    }

    /// Code, details, and whether the service is degraded.
    fn judge(&self) -> (u32, &'static str, bool) {
        let settings = &self.settings;
        if settings.lifecycle.health_check_failed() {
            return (503, "health_check_failed", false);
        }
        if let Some(cache) = &settings.cache {
            // The period may have ended since the headers came: what was known then is gone.
            let answer = cache.get();
            return (answer.map_or(200, |a| a.status), "health_check_cached", answer.is_some_and(|a| a.degraded));
        }
        let mut details = "health_check_ok";
        for (name, percent) in &settings.min_healthy {
            let Some(entry) = settings.clusters.active(name) else {
                return (503, "health_check_failed_no_cluster_found", false);
            };
            let membership = entry.hosts().membership();
            details = "health_check_ok_cluster_healthy";
            if membership.total == 0 {
                if *percent == 0 {
                    continue;
                }
                return (503, "health_check_failed_cluster_empty", false);
            }
            let (usable, total) = ((membership.healthy + membership.degraded) as u64, membership.total as u64);
            if 100 * usable < total * percent {
                return (503, "health_check_failed_cluster_unhealthy", false);
            }
        }
        (200, details, false)
    }

    fn answer(&self, callbacks: &FilterCallbacks) {
        let (status, details, degraded) = self.judge();
        if !(200..300).contains(&status) {
            callbacks.stream().info_mut().set_response_flag(response_flag::FAILED_LOCAL_HEALTH_CHECK);
        }
        let headers = if degraded { vec![(b"x-envoy-degraded".to_vec(), Vec::new())] } else { Vec::new() };
        callbacks.send_local_reply(LocalReply {
            status,
            headers,
            details: details.to_owned(),
            ..LocalReply::default()
        });
    }
}

impl HttpFilter for HealthCheckFilter {
    fn name(&self) -> &str {
        &self.settings.name
    }

    fn decode_headers(&mut self, callbacks: &FilterCallbacks, end_stream: bool) -> HeadersStatus {
        let settings = &self.settings;
        let matches = callbacks
            .stream()
            .headers(Direction::Request)
            .is_some_and(|headers| all_match(&settings.headers, &headers));
        if matches {
            self.is_check = true;
            callbacks.stream().info_mut().health_check = true;
            let cached = settings.cache.as_ref().is_some_and(|cache| cache.get().is_some());
            self.handling = !settings.pass_through || settings.lifecycle.health_check_failed() || cached;
        }
        if !self.handling {
            return HeadersStatus::Continue;
        }
        if end_stream {
            self.answer(callbacks);
        }
        HeadersStatus::StopIteration
    }

    fn decode_data(&mut self, callbacks: &FilterCallbacks, _: &mut BodyBuffer, end_stream: bool) -> DataStatus {
        if !self.handling {
            return DataStatus::Continue;
        }
        if end_stream {
            self.answer(callbacks);
        }
        DataStatus::StopIterationNoBuffer
    }

    fn decode_trailers(&mut self, callbacks: &FilterCallbacks) -> TrailersStatus {
        if !self.handling {
            return TrailersStatus::Continue;
        }
        self.answer(callbacks);
        TrailersStatus::StopIteration
    }

    fn encode_headers(&mut self, callbacks: &FilterCallbacks, _: bool) -> HeadersStatus {
        let Some(mut headers) = callbacks.stream().headers_mut(Direction::Response) else {
            return HeadersStatus::Continue;
        };
        if self.is_check {
            if let Some(cache) = &self.settings.cache {
                let status = headers.get(b":status").and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
                cache.set(status.unwrap_or_default(), headers.contains(b"x-envoy-degraded"));
            }
            headers.set(b"x-envoy-upstream-healthchecked-cluster", self.settings.local_cluster.as_bytes());
        }
        if self.settings.lifecycle.health_check_failed() {
            headers.set(b"x-envoy-immediate-health-check-fail", b"true");
        }
        HeadersStatus::Continue
    }
}

// === impl HealthCheckFilters ===

impl HealthCheckFilters {
    pub(crate) fn new(clusters: &Arc<ClusterTable>, lifecycle: &Arc<Lifecycle>, local_cluster: &str) -> Self {
        Self {
            clusters: Arc::clone(clusters),
            lifecycle: Arc::clone(lifecycle),
            local_cluster: local_cluster.to_owned(),
            caches: Mutex::default(),
        }
    }

    /// What makes filters on one worker for an entry, which `key` tells from all others.
    pub(crate) fn factory(
        &self,
        key: (usize, usize, usize),
        name: &str,
        config: &model::HealthCheckFilter,
    ) -> FilterFactory {
        let cache = config.cache_time.map(|time| {
            let mut caches = self.caches.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(cache) = caches.get(&key).and_then(Weak::upgrade) {
                return cache;
            }
            // Listeners come and go.
            caches.retain(|_, cache| cache.strong_count() > 0);
            let cache = HealthCheckCache::new(time);
            caches.insert(key, Arc::downgrade(&cache));
            cache
        });
        let settings = Rc::new(HealthCheckSettings {
            name: name.into(),
            pass_through: config.pass_through_mode,
            headers: config.headers.iter().map(HeaderMatcher::new).collect(),
            min_healthy: config.cluster_min_healthy_percentages.clone(),
            cache,
            clusters: Arc::clone(&self.clusters),
            lifecycle: Arc::clone(&self.lifecycle),
            local_cluster: self.local_cluster.clone(),
        });
        Box::new(move || Box::new(HealthCheckFilter::new(&settings)))
    }
}
