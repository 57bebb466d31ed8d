//! `envoy.filters.http.rbac`: lets requests in, or answers them with 403.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use prost_types::value::Kind;
use prost_types::{Struct, Value};
use sandgate_config::model;
use sandgate_filter::{FilterCallbacks, HttpFilter, StreamInfo, dynamic_metadata};
use sandgate_http::{Direction, HeadersStatus, LocalReply};
use sandgate_rbac::{Engine, Subject, denial_details};

use crate::hcm::FilterFactory;
use crate::stats::{
    RbacPolicyAllowedStats, RbacPolicyDeniedStats, RbacPolicyShadowAllowedStats, RbacPolicyShadowDeniedStats,
    RbacShadowStats, RbacStats, StatsStore,
};

/// Of the dynamic metadata in which the result stands, whatever the filter is called.
const NAMESPACE: &str = "envoy.filters.http.rbac";

/// What of its settings a filter has, or a route says instead.
pub(crate) struct RbacRouteConfig {
    rules: Option<Engine>,
    shadow_rules: Option<Engine>,
    rules_prefix: Box<str>,
    shadow_rules_prefix: Box<str>,
    track_policies: bool,
}

/// What the filters of one entry share on a worker.
struct Settings {
    name: Box<str>,
    config: RbacRouteConfig,
    stats: RbacStats,
    shadow_stats: RbacShadowStats,
    policies: PolicyStats,
}

/// Counters of policies, made when they first count.
struct PolicyStats {
    store: Arc<StatsStore>,
    prefix: String,
    shadow_prefix: String,
    made: RefCell<HashMap<Box<str>, [Option<PolicyCounter>; 4]>>,
}

enum PolicyCounter {
    Allowed(RbacPolicyAllowedStats),
    Denied(RbacPolicyDeniedStats),
    ShadowAllowed(RbacPolicyShadowAllowedStats),
    ShadowDenied(RbacPolicyShadowDeniedStats),
}

/// The filter of one stream.
pub(crate) struct RbacFilter(Rc<Settings>);

// === impl RbacRouteConfig ===

impl RbacRouteConfig {
    pub(crate) fn new(config: &model::HttpRbac) -> Self {
        Self {
            rules: config.rules.as_ref().map(Engine::new),
            shadow_rules: config.shadow_rules.as_ref().map(Engine::new),
            rules_prefix: config.rules_stat_prefix.as_str().into(),
            shadow_rules_prefix: config.shadow_rules_stat_prefix.as_str().into(),
            track_policies: config.track_per_rule_stats,
        }
    }
}

// === impl PolicyStats ===

impl PolicyStats {
    fn count(&self, policy: &str, allowed: bool, shadow: bool) {
        let mut made = self.made.borrow_mut();
        let counters = match made.get_mut(policy) {
            Some(counters) => counters,
            None => made.entry(policy.into()).or_default(),
        };
        let Some(slot) = counters.get_mut(usize::from(allowed) + 2 * usize::from(shadow)) else { return };
        slot.get_or_insert_with(|| self.counter(policy, allowed, shadow)).inc();
    }

    fn counter(&self, policy: &str, allowed: bool, shadow: bool) -> PolicyCounter {
        let prefix = if shadow { &self.shadow_prefix } else { &self.prefix };
        let prefix = format!("{prefix}policy.{policy}.");
        match (allowed, shadow) {
            (true, false) => PolicyCounter::Allowed(RbacPolicyAllowedStats::new(&self.store, &prefix)),
            (false, false) => PolicyCounter::Denied(RbacPolicyDeniedStats::new(&self.store, &prefix)),
            (true, true) => PolicyCounter::ShadowAllowed(RbacPolicyShadowAllowedStats::new(&self.store, &prefix)),
            (false, true) => PolicyCounter::ShadowDenied(RbacPolicyShadowDeniedStats::new(&self.store, &prefix)),
        }
    }
}

// === impl PolicyCounter ===

impl PolicyCounter {
    fn inc(&self) {
        match self {
            Self::Allowed(stats) => stats.allowed().inc(),
            Self::Denied(stats) => stats.denied().inc(),
            Self::ShadowAllowed(stats) => stats.shadow_allowed().inc(),
            Self::ShadowDenied(stats) => stats.shadow_denied().inc(),
        }
    }
}

// === impl RbacFilter ===

impl RbacFilter {
    /// What makes filters on one worker for an entry of a connection manager with that prefix of its stats.
    pub(crate) fn factory(
        name: &str,
        config: &model::HttpRbac,
        stat_prefix: &str,
        store: &Arc<StatsStore>,
    ) -> FilterFactory {
        let both = format!("http.{stat_prefix}.rbac.");
        let prefix = stats_prefix(&both, &config.rules_stat_prefix);
        let shadow_prefix = stats_prefix(&both, &config.shadow_rules_stat_prefix);
        let settings = Rc::new(Settings {
            name: name.into(),
            config: RbacRouteConfig::new(config),
            stats: RbacStats::new(store, &prefix),
            shadow_stats: RbacShadowStats::new(store, &shadow_prefix),
            policies: PolicyStats { store: Arc::clone(store), prefix, shadow_prefix, made: RefCell::default() },
        });
        Box::new(move || Box::new(Self(Rc::clone(&settings))))
    }

    /// What the shadow rules say, which is only told.
    fn shadow(&self, config: &RbacRouteConfig, subject: &Subject<'_>, told: &mut Struct) {
        let Some(rules) = &config.shadow_rules else { return };
        let decision = rules.decide(subject);
        let stats = &self.0.shadow_stats;
        if decision.allowed { stats.shadow_allowed() } else { stats.shadow_denied() }.inc();
        let prefix = self.prefix(&config.shadow_rules_prefix, &self.0.config.shadow_rules_prefix);
        if let Some(policy) = decision.policy.filter(|policy| !policy.is_empty()) {
            if config.track_policies {
                self.0.policies.count(policy, decision.allowed, true);
            }
            tell(told, format!("{prefix}shadow_effective_policy_id"), policy);
        }
        tell(told, format!("{prefix}shadow_engine_result"), result(decision.allowed));
    }

    /// A route's prefix counts if it has one.
    fn prefix<'a>(&self, of_route: &'a str, own: &'a str) -> &'a str {
        if of_route.is_empty() { own } else { of_route }
    }
}

/// What metadata says of a decision.
pub(crate) fn result(allowed: bool) -> &'static str {
    if allowed { "allowed" } else { "denied" }
}

/// Puts a text into what metadata is to have.
pub(crate) fn tell(told: &mut Struct, key: String, text: &str) {
    told.fields.insert(key, Value { kind: Some(Kind::StringValue(text.to_owned())) });
}

/// Tells access logs whether rules want them to have the stream or the connection.
pub(crate) fn hint(info: &mut StreamInfo, log: bool) {
    let mut told = Struct::default();
    told.fields.insert("access_log_hint".to_owned(), Value { kind: Some(Kind::BoolValue(log)) });
    dynamic_metadata::merge(&mut info.dynamic_metadata, "envoy.common", told);
}

/// The prefix of stats of rules that may have a part of their own.
pub(crate) fn stats_prefix(prefix: &str, part: &str) -> String {
    match part {
        "" => prefix.to_owned(),
        part => format!("{prefix}{}.", part.strip_suffix('.').unwrap_or(part)),
    }
}

impl HttpFilter for RbacFilter {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn decode_headers(&mut self, callbacks: &FilterCallbacks, _: bool) -> HeadersStatus {
        let stream = callbacks.stream();
        let of_route: Option<Rc<dyn Any>> = stream.route_config(&self.0.name);
        let of_route = of_route.as_ref().and_then(|config| config.downcast_ref::<RbacRouteConfig>());
        let config = of_route.unwrap_or(&self.0.config);
        let mut told = Struct::default();
        let mut log = None;
        let denied = {
            let (headers, info) = (stream.headers(Direction::Request), stream.info());
            let subject = Subject {
                headers: headers.as_deref(),
                connection: stream.connection(),
                info: &info,
                source: stream.connection().source_address(),
            };
            self.shadow(config, &subject, &mut told);
            config.rules.as_ref().and_then(|rules| {
                let decision = rules.decide(&subject);
                log = decision.log;
                let prefix = self.prefix(&config.rules_prefix, &self.0.config.rules_prefix);
                let policy = decision.policy.filter(|policy| !policy.is_empty());
                if let Some(policy) = policy {
                    if config.track_policies {
                        self.0.policies.count(policy, decision.allowed, false);
                    }
                    tell(&mut told, format!("{prefix}enforced_effective_policy_id"), policy);
                }
                tell(&mut told, format!("{prefix}enforced_engine_result"), result(decision.allowed));
                if decision.allowed { self.0.stats.allowed() } else { self.0.stats.denied() }.inc();
                (!decision.allowed).then(|| denial_details(policy))
            })
        };
        if let Some(log) = log {
            hint(&mut stream.info_mut(), log);
        }
        if !told.fields.is_empty() {
            dynamic_metadata::merge(&mut stream.info_mut().dynamic_metadata, NAMESPACE, told);
        }
        let Some(details) = denied else { return HeadersStatus::Continue };
        callbacks.send_local_reply(LocalReply {
            status: 403,
            body: b"RBAC: access denied".to_vec(),
            details,
            ..LocalReply::default()
        });
        HeadersStatus::StopIteration
    }
}
