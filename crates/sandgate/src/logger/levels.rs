//! Levels by component, as `-l` and `--component-log-level` give them.

use log::{Level, LevelFilter};
use sandgate_abi::LogLevel;

/// Envoy 1.40's components, as its `/logging` page lists them. Those that we never log under may be named all the same.
const COMPONENTS: [&str; 73] = [
    "a2a",
    "admin",
    "ai_protocol_manager",
    "alternate_protocols_cache",
    "assert",
    "aws",
    "backtrace",
    "basic_auth",
    "cache_filter",
    "client",
    "compression",
    "config",
    "conn_handler",
    "connection",
    "credential_injector",
    "decompression",
    "dns",
    "dubbo",
    "dynamic_modules",
    "envoy_bug",
    "ext_authz",
    "ext_proc",
    "file",
    "filter",
    "forward_proxy",
    "geolocation",
    "golang",
    "grpc",
    "happy_eyeballs",
    "hc",
    "health_checker",
    "http",
    "http2",
    "hystrix",
    "init",
    "io",
    "ip_tagging",
    "json_rpc",
    "jwt",
    "kafka",
    "key_value_store",
    "local_rate_limit",
    "lua",
    "main",
    "matcher",
    "mcp",
    "misc",
    "mongo",
    "multi_connection",
    "notification",
    "oauth2",
    "pool",
    "quic",
    "quic_stream",
    "rate_limit_quota",
    "rbac",
    "rds",
    "redis",
    "rocketmq",
    "router",
    "runtime",
    "secret",
    "sse",
    "stats",
    "stats_sinks",
    "tap",
    "testing",
    "thrift",
    "tracing",
    "udp",
    "upstream",
    "wasm",
    "websocket",
];
const OFF: u32 = 6;

/// The least level that each component writes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Levels {
    default: u32,
    components: Vec<(&'static str, u32)>,
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
        let mut levels = Self { default: level(default)?, components: Vec::new() };
        for item in components.split(',').filter(|item| !item.is_empty()) {
            let (name, text) = item.split_once(':').ok_or_else(|| LevelError::Form(item.to_owned()))?;
            let value = level(text)?;
            match COMPONENTS.iter().find(|known| **known == name) {
                Some(known) => levels.components.push((known, value)),
                None => return Err(LevelError::Component(name.to_owned())),
            }
        }
        Ok(levels)
    }

    /// The least level of a component that is written; 6 for none. The last setting counts. A library's own lines (their
    /// target is a module path) are written from warnings on: a compiler's traces would drown everything else.
    pub(crate) fn threshold(&self, target: &str) -> u32 {
        let name = component(target);
        let level =
            self.components.iter().rev().find(|(known, _)| *known == name).map_or(self.default, |(_, level)| *level);
        if name == target { level } else { level.max(LogLevel::Warn as u32) }
    }

    /// What the `log` crate need not even format.
    pub(crate) fn max(&self) -> LevelFilter {
        let least = self.components.iter().map(|(_, level)| *level).chain([self.default]).min().unwrap_or(OFF);
        match least {
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

fn number(text: &str) -> Option<u32> {
    Some(match text {
        "trace" => 0,
        "debug" => 1,
        "info" => 2,
        "warning" | "warn" => 3,
        "error" => 4,
        "critical" => 5,
        "off" => OFF,
        _ => return None,
    })
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
    }

    #[test]
    fn unknown_names_are_refused_in_envoys_words() {
        let error = |level, components| Levels::parse(level, components).unwrap_err().to_string();
        assert_eq!(error("loud", ""), "error: invalid log level specified 'loud'");
        assert_eq!(error("info", "wasm=trace"), "error: component log level not correctly specified 'wasm=trace'");
        assert_eq!(error("info", "wsam:trace"), "error: invalid component specified 'wsam'");
    }
}
