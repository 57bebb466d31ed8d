//! `sandgate run`: load, serve until told to end.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use sandgate_config::model::Bootstrap;
use sandgate_host::{Host, NativeEngine};
use sandgate_proxy::{LogOptions, Server, ServerError, ServerOptions, StartError, validate};

use crate::cli::{Mode, RunArgs};
use crate::configuration::{ConfigurationError, HostError};
use crate::{configuration, logger, options};

/// Why the program ends with 1.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error("{0}")]
    Configuration(#[from] ConfigurationError),
    #[error("{0}")]
    Start(#[from] StartError),
    #[error("{0}")]
    Host(#[from] HostError),
    #[error("{0}")]
    Server(#[from] ServerError),
    #[error("cannot write the admin address to {path}: {error}")]
    AdminAddress { path: String, error: std::io::Error },
}

/// Serves, or with `--mode validate` stops short of it.
pub(crate) fn run(args: &RunArgs, native: &NativeEngine) -> ExitCode {
    if let Err(error) = logger::install(&args.log_level, &args.component_log_level, args.log_path.as_deref()) {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let result = load(args, native).and_then(|(bootstrap, host)| match args.mode {
        Mode::Validate => match validate(&bootstrap, &host).into_iter().next() {
            Some(error) => Err(error.into()),
            None => {
                println!("configuration '{}' OK", name(args));
                Ok(())
            }
        },
        Mode::Serve => serve(args, bootstrap, host),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let text = error.to_string();
            log::error!(target: "main", critical = true; "error initializing config '{}':\n{}", name(args), text.trim_end());
            ExitCode::FAILURE
        }
    }
}

fn load(args: &RunArgs, native: &NativeEngine) -> Result<(Bootstrap, Arc<Host>), RunError> {
    let service = |name: &Option<String>| name.clone().unwrap_or_default();
    let loaded =
        configuration::load(&args.config, None, &service(&args.service_node), &service(&args.service_cluster))?;
    for warning in loaded.warnings.items() {
        log::warn!(target: "config", "{warning}");
    }
    let host = configuration::host(&args.config, native, &loaded.bootstrap)?;
    Ok((loaded.bootstrap, host))
}

fn serve(args: &RunArgs, bootstrap: Bootstrap, host: Arc<Host>) -> Result<(), RunError> {
    log::info!(target: "main", "initializing sandgate {}", env!("CARGO_PKG_VERSION"));
    let mut server_options = ServerOptions::new(Arc::clone(&host));
    if let Some(concurrency) = args.concurrency {
        server_options.concurrency = concurrency as usize;
    }
    server_options.command_line = options::command_line(args, server_options.concurrency);
    server_options.shutdown_grace = args.shutdown_grace();
    server_options.access_logs = LogOptions {
        flush_interval: Duration::from_millis(args.file_flush_interval_msec),
        flush_min_bytes: (args.file_flush_min_size_kb as usize) << 10,
    };
    server_options.handle_signals = true;
    server_options.drain = args.drain();
    server_options.logging = Some(Arc::new(logger::Control));
    server_options.lifecycle.on_reopen(logger::reopen);
    let server = Server::start(bootstrap, server_options)?;
    if let (Some(path), Some(address)) = (&args.admin_address_path, server.admin_address()) {
        write_address(path, &address.to_string())?;
    }
    for listener in server.listeners() {
        log::info!(target: "main", "listener '{}' on {}", listener.name, listener.address);
    }
    if let Some(cache) = host.module_cache() {
        let counts = cache.counts();
        if counts.hits + counts.misses > 0 {
            let path = cache.path().display();
            log::info!(target: "main", "Wasm modules: {} from {path}, {} compiled", counts.hits, counts.misses);
        }
    }
    server.wait()?;
    log::info!(target: "main", "exiting");
    Ok(())
}

fn write_address(path: &Path, address: &str) -> Result<(), RunError> {
    std::fs::write(path, address).map_err(|error| RunError::AdminAddress { path: path.display().to_string(), error })
}

fn name(args: &RunArgs) -> String {
    args.config.config_path.as_deref().map_or_else(|| "--config-yaml".to_owned(), |path| path.display().to_string())
}
