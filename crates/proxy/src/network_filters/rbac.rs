//! `envoy.filters.network.rbac`: lets connections in, or closes them.

use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use prost_types::Struct;
use sandgate_config::model;
use sandgate_filter::dynamic_metadata;
use sandgate_rbac::{Engine, Subject, denial_details};

use super::delay::DelayedClose;
use crate::network::{
    CloseType, ConnectionEvent, NetworkCallbacks, NetworkFilter, NetworkFilterFactory, NetworkStatus,
};
use crate::rbac_filter::{hint, result, stats_prefix, tell};
use crate::stats::{RbacShadowStats, RbacStats, StatsStore};

/// Of the dynamic metadata in which the result stands.
const NAMESPACE: &str = "envoy.filters.network.rbac";

/// In logs.
const REASON: &str = "rbac_deny_close";

/// What the filters of one entry share on a worker.
struct Settings {
    rules: Option<Engine>,
    shadow_rules: Option<Engine>,
    shadow_rules_prefix: String,
    continuous: bool,
    delay_deny: Option<Duration>,
    stats: RbacStats,
    shadow_stats: RbacShadowStats,
}

/// The filter of one connection.
pub(crate) struct NetworkRbacFilter {
    settings: Rc<Settings>,
    callbacks: NetworkCallbacks,
    /// It was let in, and is not asked again.
    allowed: bool,
    denied: bool,
    delay: Option<DelayedClose>,
}

// === impl NetworkRbacFilter ===

impl NetworkRbacFilter {
    /// What makes filters on one worker for an entry.
    pub(crate) fn factory(config: &model::NetworkRbac, store: &StatsStore) -> NetworkFilterFactory {
        let prefix = format!("{}rbac.", stats_prefix("", &config.stat_prefix));
        let shadow_prefix = stats_prefix(&prefix, &config.shadow_rules_stat_prefix);
        let settings = Rc::new(Settings {
            rules: config.rules.as_ref().map(Engine::new),
            shadow_rules: config.shadow_rules.as_ref().map(Engine::new),
            shadow_rules_prefix: config.shadow_rules_stat_prefix.clone(),
            continuous: config.continuous,
            delay_deny: config.delay_deny,
            stats: RbacStats::new(store, &prefix),
            shadow_stats: RbacShadowStats::new(store, &shadow_prefix),
        });
        Box::new(move |callbacks| {
            let settings = Rc::clone(&settings);
            Box::new(Self { settings, callbacks, allowed: false, denied: false, delay: None })
        })
    }

    /// Why the connection is turned away, if it is.
    fn judge(&self) -> Option<String> {
        let connection = self.callbacks.connection();
        let info = connection.info();
        let mut stream_info = connection.stream_info().borrow_mut();
        let Settings { rules, shadow_rules, shadow_rules_prefix: prefix, stats, shadow_stats, .. } = &*self.settings;
        let subject = Subject { headers: None, connection: &info, info: &stream_info, source: info.source_address() };
        let shadow = shadow_rules.as_ref().map(|rules| rules.decide(&subject));
        if let Some(shadow) = shadow {
            if shadow.allowed { shadow_stats.shadow_allowed() } else { shadow_stats.shadow_denied() }.inc();
            let mut told = Struct::default();
            tell(&mut told, format!("{prefix}shadow_engine_result"), result(shadow.allowed));
            if let Some(policy) = shadow.policy.filter(|policy| !policy.is_empty()) {
                tell(&mut told, format!("{prefix}shadow_effective_policy_id"), policy);
            }
            dynamic_metadata::merge(&mut stream_info.dynamic_metadata, NAMESPACE, told);
        }
        let subject = Subject { headers: None, connection: &info, info: &stream_info, source: info.source_address() };
        let decision = rules.as_ref()?.decide(&subject);
        if decision.allowed { stats.allowed() } else { stats.denied() }.inc();
        if let Some(log) = decision.log {
            hint(&mut stream_info, log);
        }
        (!decision.allowed).then(|| denial_details(decision.policy.filter(|policy| !policy.is_empty())))
    }
}

impl NetworkFilter for NetworkRbacFilter {
    fn on_data(&mut self, _: &mut BytesMut, _: bool) -> NetworkStatus {
        if self.denied {
            return NetworkStatus::Stop;
        }
        if self.allowed {
            return NetworkStatus::Continue;
        }
        let Some(details) = self.judge() else {
            self.allowed = !self.settings.continuous;
            return NetworkStatus::Continue;
        };
        self.denied = true;
        let connection = self.callbacks.connection();
        match self.settings.delay_deny {
            Some(delay) => {
                connection.disable_reading();
                self.delay = Some(DelayedClose::start(connection, delay, REASON));
            }
            None => connection.close(CloseType::NoFlush, REASON),
        }
        connection.stream_info().borrow_mut().connection_termination_details = Some(details);
        NetworkStatus::Stop
    }

    fn on_event(&mut self, event: ConnectionEvent) {
        if event != ConnectionEvent::Connected {
            self.delay = None;
        }
    }
}
