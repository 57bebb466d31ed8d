//! Levels by component, as `-l` and `--component-log-level` give them.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use log::{Level, LevelFilter};
use sandgate_abi::LogLevel;

/// Envoy 1.40's components, as its `/logging` page lists them. Those that we never log under may be named all the same.
const COMPONENTS: [&str; 73] = [
    "a2a",
    "admin",
    "ai_protocol_manager",
    "alternate_protocols_cache",
    "aws",
    "assert",
    "backtrace",
    "basic_auth",
    "cache_filter",
    "client",
    "config",
    "connection",
    "conn_handler",
    "compression",
    "credential_injector",
    "decompression",
    "dns",
    "dubbo",
    "envoy_bug",
    "ext_authz",
    "ext_proc",
    "rocketmq",
    "file",
    "filter",
    "forward_proxy",
    "geolocation",
    "grpc",
    "happy_eyeballs",
    "hc",
    "health_checker",
    "http",
    "http2",
    "hystrix",
    "init",
    "io",
    "jwt",
    "json_rpc",
    "kafka",
    "key_value_store",
    "lua",
    "local_rate_limit",
    "main",
    "matcher",
    "mcp",
    "misc",
    "mongo",
    "multi_connection",
    "notification",
    "oauth2",
    "quic",
    "quic_stream",
    "pool",
    "rate_limit_quota",
    "rbac",
    "rds",
    "redis",
    "router",
    "runtime",
    "stats",
    "secret",
    "sse",
    "tap",
    "testing",
    "thrift",
    "tracing",
    "upstream",
    "udp",
    "wasm",
    "websocket",
    "golang",
    "stats_sinks",
    "dynamic_modules",
    "ip_tagging",
];
/// Names of levels, by number.
const NAMES: [&str; 7] = ["trace", "debug", "info", "warning", "error", "critical", "off"];
const OFF: u8 = 6;

/// The least level that each component writes.
#[derive(Debug)]
pub(crate) struct Levels {
    components: [AtomicU8; COMPONENTS.len()],
}

/// An argument that names no level or component; the texts are Envoy's.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LevelError {
    #[error("error: invalid log level specified '{0}'")]
    Level(String),
    #[error("error: component log level not correctly specified '{0}'")]
    Form(String),
    #[error("error: invalid component specified '{0}'")]
    Component(String),
}

impl Levels {
    /// Reads `-l` and `--component-log-level`.
    pub(crate) fn parse(default: &str, components: &str) -> Result<Self, LevelError> {
        let level = |text: &str| number(text).ok_or_else(|| LevelError::Level(text.to_owned()));
        let levels = Self { components: [const { AtomicU8::new(OFF) }; COMPONENTS.len()] };
        levels.set(None, level(default)?);
        for item in components.split(',').filter(|item| !item.is_empty()) {
            let (name, text) = item.split_once(':').ok_or_else(|| LevelError::Form(item.to_owned()))?;
            let value = level(text)?;
            if !COMPONENTS.contains(&name) {
                return Err(LevelError::Component(name.to_owned()));
            }
            levels.set(Some(name), value);
        }
        Ok(levels)
    }

    /// Sets the level of a component, or of all.
    pub(crate) fn set(&self, component: Option<&str>, level: u8) {
        for (name, value) in COMPONENTS.into_iter().zip(&self.components) {
            if component.is_none_or(|wanted| wanted == name) {
                value.store(level, Relaxed);
            }
        }
    }

    /// The components and their levels.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let name_of = |level: &AtomicU8| NAMES.get(usize::from(level.load(Relaxed))).copied().unwrap_or("off");
        COMPONENTS.into_iter().zip(&self.components).map(move |(name, level)| (name, name_of(level)))
    }

    /// The least level of a component that is written; 6 for none. A library's own lines (their target is a module path)
    /// are written from warnings on: a compiler's traces would drown everything else.
    pub(crate) fn threshold(&self, target: &str) -> u32 {
        let name = component(target);
        let level = COMPONENTS.into_iter().zip(&self.components).find(|(known, _)| *known == name);
        let level = level.map_or(OFF, |(_, level)| level.load(Relaxed)).into();
        if name == target { level } else { level.max(LogLevel::Warn as u32) }
    }

    /// What the `log` crate need not even format.
    pub(crate) fn max(&self) -> LevelFilter {
        match self.components.iter().map(|level| level.load(Relaxed)).min().unwrap_or(OFF) {
            0 => LevelFilter::Trace,
            1 => LevelFilter::Debug,
            2 => LevelFilter::Info,
            3 => LevelFilter::Warn,
            4 | 5 => LevelFilter::Error,
            _ => LevelFilter::Off,
        }
    }
}

/// The component of a `log` target; targets that name none (a library's module path) are `misc`.
pub(super) fn component(target: &str) -> &'static str {
    COMPONENTS.into_iter().find(|known| *known == target).unwrap_or("misc")
}

/// Our level for the `log` crate's.
pub(super) fn of(level: Level) -> LogLevel {
    match level {
        Level::Trace => LogLevel::Trace,
        Level::Debug => LogLevel::Debug,
        Level::Info => LogLevel::Info,
        Level::Warn => LogLevel::Warn,
        Level::Error => LogLevel::Error,
    }
}

/// How Envoy writes a level.
pub(super) fn name(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Trace => "trace",
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warning",
        LogLevel::Error => "error",
        LogLevel::Critical => "critical",
    }
}

/// The number of a level's name; on the command line `warn` is one, too.
fn number(text: &str) -> Option<u8> {
    exact(if text == "warn" { "warning" } else { text })
}

/// The number of a level's name as Envoy writes it.
pub(super) fn exact(text: &str) -> Option<u8> {
    (0..).zip(NAMES).find(|(_, name)| *name == text).map(|(number, _)| number)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn components_override_the_default() {
        let levels = Levels::parse("error", "wasm:trace,http:off,redis:debug,http:info").unwrap();
        assert_eq!(["wasm", "http", "main", "tokio::net"].map(|target| levels.threshold(target)), [0, 2, 4, 4]);
        assert_eq!(Levels::parse("trace", "").unwrap().threshold("cranelift_codegen::timing"), 3);
        assert_eq!(levels.max(), LevelFilter::Trace);
        levels.set(None, 3);
        levels.set(Some("http"), 6);
        assert_eq!(["wasm", "http"].map(|target| levels.threshold(target)), [3, 6]);
        assert_eq!(levels.all().filter(|(_, level)| *level == "off").collect::<Vec<_>>(), [("http", "off")]);
    }

    #[test]
    fn unknown_names_are_refused_in_envoys_words() {
        let error = |level, components| Levels::parse(level, components).unwrap_err().to_string();
        assert_eq!(error("loud", ""), "error: invalid log level specified 'loud'");
        assert_eq!(error("info", "wasm=trace"), "error: component log level not correctly specified 'wasm=trace'");
        assert_eq!(error("info", "wsam:trace"), "error: invalid component specified 'wsam'");
    }
}
