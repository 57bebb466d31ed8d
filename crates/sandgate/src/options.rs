//! The command line as `/server_info` shows it.

use sandgate_proxy::DrainStrategy;
use serde_json::{Value, json};

use crate::cli::{Mode, RunArgs};

/// `command_line_options` with Envoy's names.
pub(crate) fn command_line(args: &RunArgs, concurrency: usize) -> Value {
    let text =
        |path: &Option<std::path::PathBuf>| path.as_deref().map_or_else(String::new, |p| p.display().to_string());
    let drain = args.drain();
    json!({
        "base_id": args.base_id.to_string(),
        "concurrency": concurrency,
        "config_path": text(&args.config.config_path),
        "config_yaml": args.config.config_yaml.as_deref().unwrap_or_default(),
        "allow_unknown_static_fields": false,
        "admin_address_path": text(&args.admin_address_path),
        "local_address_ip_version": "v4",
        "log_level": args.log_level,
        "component_log_level": args.component_log_level,
        "log_format": "[%Y-%m-%d %T.%e][%t][%l][%n] [%g:%#] %v",
        "log_path": text(&args.log_path),
        "service_cluster": args.service_cluster.as_deref().unwrap_or_default(),
        "service_node": args.service_node.as_deref().unwrap_or_default(),
        "service_zone": "",
        "drain_time": format!("{}s", drain.time.as_secs()),
        "parent_shutdown_time": format!("{}s", args.parent_shutdown_time_s),
        "mode": match args.mode { Mode::Serve => "Serve", Mode::Validate => "Validate" },
        "disable_hot_restart": true,
        "enable_mutex_tracing": false,
        "restart_epoch": args.restart_epoch,
        "cpuset_threads": false,
        "reject_unknown_dynamic_fields": false,
        "log_format_escaped": false,
        "disabled_extensions": [],
        "ignore_unknown_dynamic_fields": false,
        "drain_strategy": match drain.strategy {
            DrainStrategy::Gradual => "Gradual",
            DrainStrategy::Immediate => "Immediate",
        },
        "file_flush_interval": format!("{}s", args.file_flush_interval_msec as f64 / 1000.0),
        "file_flush_min_size": args.file_flush_min_size_kb,
        "shutdown_grace": format!("{}s", args.shutdown_grace().as_secs()),
    })
}
