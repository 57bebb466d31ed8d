//! What the `log` crate's macros and panics in plugins become: lines of the plugin's VM.

use std::panic;
use std::sync::Once;

use log::{Level, LevelFilter};
use sandgate_vm::Stdio;

use crate::instance::{self, Instance};
use crate::types::LogLevel;

/// The records that become lines at this level.
pub(crate) fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Trace => LevelFilter::Trace,
        LogLevel::Debug => LevelFilter::Debug,
        LogLevel::Info => LevelFilter::Info,
        LogLevel::Warn => LevelFilter::Warn,
        LogLevel::Error => LevelFilter::Error,
        LogLevel::Critical => LevelFilter::Off,
    }
}

/// Whether plugin code runs on this thread and made this record, in which case it is dealt with.
pub(crate) fn take(record: &log::Record<'_>) -> bool {
    instance::try_with(|instance| {
        if !wants(instance, record.level()) {
            return;
        }
        let level = match record.level() {
            Level::Trace => sandgate_abi::LogLevel::Trace,
            Level::Debug => sandgate_abi::LogLevel::Debug,
            Level::Info => sandgate_abi::LogLevel::Info,
            Level::Warn => sandgate_abi::LogLevel::Warn,
            Level::Error => sandgate_abi::LogLevel::Error,
        };
        let result = match record.args().as_str() {
            Some(message) => instance.host.log(level, message.as_bytes()),
            None => instance.host.log(level, record.args().to_string().as_bytes()),
        };
        // Nobody is there to be told, and the host takes lines of all these levels.
        result.unwrap_or_default();
    })
    .is_some()
        || instance::has_ended()
}

/// Whether the plugin whose code runs on this thread wants records of that level; `None` if none runs.
pub(crate) fn enabled(level: Level) -> Option<bool> {
    instance::try_with(|instance| wants(instance, level))
}

fn wants(instance: &Instance, level: Level) -> bool {
    instance.level.get().is_some_and(|wanted| level <= wanted)
}

/// Once in the process: where panics of plugins are told. Those of others are told as before.
pub(crate) fn hook_panics() {
    static HOOKED: Once = Once::new();
    HOOKED.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let told = instance::try_with(|instance| {
                let text = info.to_string();
                if instance.level.get().is_some() {
                    instance.host.log(sandgate_abi::LogLevel::Critical, text.as_bytes()).unwrap_or_default();
                } else {
                    // What Rust's own hook writes, which WASI hands to the host.
                    instance.host.write_stdio(Stdio::Err, text.as_bytes());
                }
            });
            if told.is_none() && !instance::has_ended() {
                others(info);
            }
        }));
    });
}
