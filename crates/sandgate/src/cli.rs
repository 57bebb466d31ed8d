//! The command line: Envoy's flags where they mean the same.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use sandgate_host::ModuleCache;
use sandgate_proxy::DrainOptions;

/// Runs Proxy-Wasm plugins as Envoy runs them, from Envoy's configuration.
#[derive(Debug, Parser)]
#[command(name = "sandgate", version = crate::version::LONG, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve an Envoy bootstrap configuration.
    Run(RunArgs),
    /// Read a configuration and print everything that is wrong with it.
    Check(CheckArgs),
    /// Compile modules ahead of time, so that no start has to.
    Compile(CompileArgs),
}

/// The same flags without a subcommand, for scripts that call us `envoy`.
#[derive(Debug, Parser)]
#[command(name = "envoy", version = crate::version::LONG)]
struct AsEnvoy {
    #[command(flatten)]
    run: RunArgs,
}

/// Where the configuration comes from.
#[derive(Clone, Debug, Args)]
pub(crate) struct ConfigArgs {
    /// The bootstrap configuration, .yaml, .yml or .json.
    #[arg(short = 'c', long, value_name = "FILE")]
    pub(crate) config_path: Option<PathBuf>,

    /// Configuration as YAML or JSON text, merged over the file.
    #[arg(long, value_name = "YAML")]
    pub(crate) config_yaml: Option<String>,

    /// What to do about fields that Envoy knows and we do not implement.
    #[arg(long, value_enum, default_value_t = Unsupported::Refuse)]
    pub(crate) unsupported: Unsupported,

    /// Refuse a runtime that is not built in instead of running its plugins on Wasmtime.
    #[arg(long)]
    pub(crate) strict_runtime: bool,

    /// Answer plugins that ask for attributes by names that Envoy removed in 1.33, such as `node` or `route_name`.
    #[arg(long)]
    pub(crate) old_attributes: bool,

    /// Log every hostcall that fails: its arguments, which of them is at fault, and why.
    #[arg(long)]
    pub(crate) explain: bool,

    #[command(flatten)]
    pub(crate) cache: CacheArgs,
}

/// Where compiled modules are kept.
#[derive(Clone, Debug, Args)]
pub(crate) struct CacheArgs {
    /// Keep compiled modules in this directory, or nowhere if it is `off`; by default in systemd's cache directory or the user's.
    #[arg(long, value_name = "DIR")]
    pub(crate) wasm_cache: Option<PathBuf>,

    /// How much compiled modules may take there, in MiB; those that were not used for longest go first.
    #[arg(long, value_name = "MIB", default_value_t = ModuleCache::DEFAULT_MAX_BYTES >> 20)]
    pub(crate) wasm_cache_max_mib: u64,
}

/// What to do about fields that Envoy knows and we do not implement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Unsupported {
    /// Do not start.
    Refuse,
    /// List them and go on; fields that touch security are refused all the same.
    Warn,
}

/// Arguments of `check`.
#[derive(Clone, Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    /// The bootstrap configuration, as with -c.
    #[arg(value_name = "FILE", conflicts_with = "config_path")]
    pub(crate) file: Option<PathBuf>,
}

/// Arguments of `compile`.
#[derive(Clone, Debug, Args)]
pub(crate) struct CompileArgs {
    #[command(flatten)]
    pub(crate) cache: CacheArgs,

    /// Modules.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

/// Arguments of `run`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    /// `serve`, or `validate`: load everything, plugins included, and exit.
    #[arg(long, value_enum, default_value_t = Mode::Serve, ignore_case = true)]
    pub(crate) mode: Mode,

    /// Worker threads; by default one per hardware thread.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) concurrency: Option<u32>,

    /// trace, debug, info, warning, error, critical or off.
    #[arg(short = 'l', long, value_name = "LEVEL", default_value = "info")]
    pub(crate) log_level: String,

    /// Levels by component, such as `wasm:trace,http:debug`.
    #[arg(long, value_name = "LIST", default_value = "")]
    pub(crate) component_log_level: String,

    /// Write the log to this file instead of standard error.
    #[arg(long, value_name = "FILE")]
    pub(crate) log_path: Option<PathBuf>,

    /// Write the admin interface's address to this file once it listens.
    #[arg(long, value_name = "FILE")]
    pub(crate) admin_address_path: Option<PathBuf>,

    /// The node's id, over the configuration's.
    #[arg(long, value_name = "ID")]
    pub(crate) service_node: Option<String>,

    /// The node's cluster, over the configuration's.
    #[arg(long, value_name = "NAME")]
    pub(crate) service_cluster: Option<String>,

    /// How long requests in flight may take after SIGTERM or SIGINT, in seconds.
    #[arg(long, value_name = "S", default_value_t = 10)]
    shutdown_grace_s: u64,

    /// How long a drain takes that the admin interface begins, in seconds.
    #[arg(long, value_name = "S", default_value_t = 600)]
    drain_time_s: u64,

    /// How a drain chooses the responses that end their connections.
    #[arg(long, value_enum, default_value_t = DrainStrategy::Gradual)]
    drain_strategy: DrainStrategy,

    /// Accepted and without effect: there is no hot restart.
    #[arg(long, value_name = "S", default_value_t = 900)]
    pub(crate) parent_shutdown_time_s: u64,
    /// Access log entries wait so long for others before they are written, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) file_flush_interval_msec: u64,

    /// Access log entries are written once there are so many KiB of them.
    #[arg(long, value_name = "KIB", default_value_t = 64)]
    pub(crate) file_flush_min_size_kb: u32,

    /// Accepted and without effect: there is no hot restart, so instances need no id.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) base_id: u64,

    /// Accepted and without effect.
    #[arg(long)]
    use_dynamic_base_id: bool,

    /// Accepted and without effect.
    #[arg(long)]
    disable_hot_restart: bool,

    /// 0: there is no hot restart.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=0))]
    pub(crate) restart_epoch: u32,
}

impl RunArgs {
    /// How long requests in flight may take after a signal.
    pub(crate) fn shutdown_grace(&self) -> Duration {
        Duration::from_secs(self.shutdown_grace_s)
    }

    /// How the admin interface drains.
    pub(crate) fn drain(&self) -> DrainOptions {
        DrainOptions {
            time: Duration::from_secs(self.drain_time_s),
            strategy: match self.drain_strategy {
                DrainStrategy::Gradual => sandgate_proxy::DrainStrategy::Gradual,
                DrainStrategy::Immediate => sandgate_proxy::DrainStrategy::Immediate,
            },
        }
    }
}

/// Envoy's `--drain-strategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DrainStrategy {
    /// The longer the drain lasts, the likelier.
    Gradual,
    /// All of them.
    Immediate,
}

/// Envoy's `--mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Serve.
    Serve,
    /// Load everything and exit.
    Validate,
}

/// Reads the command line. Called as `envoy`, the flags of `run` stand without a subcommand.
///
/// # Errors
/// What clap says, which includes `--help` and `--version`.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, clap::Error> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let name = arguments.first().map(PathBuf::from);
    let as_envoy = name.as_deref().and_then(|path| path.file_stem()).is_some_and(|stem| stem == "envoy");
    if as_envoy {
        AsEnvoy::try_parse_from(arguments).map(|envoy| Command::Run(envoy.run))
    } else {
        Cli::try_parse_from(arguments).map(|cli| cli.command)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

    use super::*;

    fn run(line: &str) -> RunArgs {
        match parse(line.split(' ').map(OsString::from)).unwrap() {
            Command::Run(run) => run,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn envoy_flags_mean_the_same_under_both_names() {
        let flags = "-c x.yaml --base-id 3 --concurrency 1 --component-log-level wasm:trace -l warning --mode validate";
        for line in [format!("/usr/bin/envoy {flags}"), format!("sandgate run {flags}")] {
            let run = run(&line);
            assert_eq!(run.config.config_path.unwrap().to_str(), Some("x.yaml"));
            assert_eq!((run.base_id, run.concurrency, run.mode), (3, Some(1), Mode::Validate));
            assert_eq!((&*run.component_log_level, &*run.log_level), ("wasm:trace", "warning"));
        }
    }

    #[test]
    fn a_restart_epoch_other_than_zero_is_refused() {
        assert_eq!(run("envoy --restart-epoch 0").restart_epoch, 0);
        assert!(parse("envoy --restart-epoch 1".split(' ').map(OsString::from)).is_err());
    }

    #[test]
    fn version_lists_the_runtimes() {
        let error = parse(["sandgate", "--version"].map(OsString::from)).unwrap_err();
        assert_eq!(error.kind(), clap::error::ErrorKind::DisplayVersion);
        assert!(error.to_string().contains("envoy.wasm.runtime.wasmtime"));
    }
}
