//! The whole: a main loop, workers, and the handle of whoever started them.
//!
//! Start has two phases. First everything is prepared: addresses are bound, plugins loaded on the main thread, code fetched, names
//! resolved, VMs cloned and configured on every worker. Only when all that has worked do sockets begin to listen.

mod answered;
mod clusters;
mod error;
mod extensions;
mod hcm;
mod listeners;
mod main_loop;
mod network;
mod plugins;
mod remote_code;
mod routes;
mod runtime_layers;
mod secrets;
mod services;
mod signals;
mod stats;
mod thread;
mod tls;
mod unit;
mod upstream_filters;
mod validate;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use sandgate_config::model::Bootstrap;
use sandgate_host::Host;
use tokio::sync::mpsc::UnboundedSender;

pub use error::{ServerError, StartError};
pub use validate::validate;

use crate::access_log::LogOptions;
use crate::admin::LogControl;
use crate::drain::DrainOptions;
use crate::lifecycle::Lifecycle;
use crate::stats::StatsStore;
use main_loop::MainCommand;

/// How a server runs, besides its configuration.
pub struct ServerOptions {
    /// Worker threads; at least one.
    pub concurrency: usize,
    /// The Wasm host.
    pub host: Arc<Host>,
    /// Where everything is counted.
    pub stats: Arc<StatsStore>,
    /// The state of the process; `/quitquitquit` asks it for the end, and the server listens to that.
    pub lifecycle: Arc<Lifecycle>,
    /// `command_line_options` of `/server_info`.
    pub command_line: serde_json::Value,
    /// How long connections may take to end after a shutdown has begun; 10 s by default.
    pub shutdown_grace: Duration,
    /// `--drain-time-s` and `--drain-strategy`.
    pub drain: DrainOptions,
    /// What `/logging` shows and changes; without it the page has no loggers.
    pub logging: Option<Arc<dyn LogControl>>,
    /// When access logs are written.
    pub access_logs: LogOptions,
    /// SIGTERM and SIGINT begin a shutdown, a second one ends it at once; SIGUSR1 has log files opened anew. Only for the server of a whole process.
    pub handle_signals: bool,
}

/// A listener that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerAddress {
    /// Its name in the configuration.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
}

/// A running server. Dropping it ends it at once.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<ListenerAddress>,
    admin: Option<SocketAddr>,
    commands: UnboundedSender<MainCommand>,
    main: Option<JoinHandle<Result<(), ServerError>>>,
}

impl ServerOptions {
    /// Options with the defaults: as many workers as there are processors, no signals.
    #[must_use]
    pub fn new(host: Arc<Host>) -> Self {
        Self {
            concurrency: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            host,
            stats: StatsStore::new(),
            lifecycle: Arc::default(),
            command_line: serde_json::Value::Null,
            shutdown_grace: Duration::from_secs(10),
            drain: DrainOptions::default(),
            logging: None,
            access_logs: LogOptions::default(),
            handle_signals: false,
        }
    }
}

impl Server {
    /// Starts a server; returns when every listener listens.
    ///
    /// # Errors
    /// An address that cannot be bound, a plugin that is refused, a thread that cannot be made. Nothing is left running
    /// then.
    pub fn start(bootstrap: Bootstrap, options: ServerOptions) -> Result<Self, StartError> {
        let (commands, inbox) = tokio::sync::mpsc::unbounded_channel();
        let (report, started) = mpsc::channel();
        let failures = commands.clone();
        let main = std::thread::Builder::new()
            .name("main_loop".to_owned())
            .spawn(move || main_loop::run(bootstrap, options, inbox, failures, &report))
            .map_err(StartError::Thread)?;
        match started.recv() {
            Ok(Ok(addresses)) => {
                Ok(Self { listeners: addresses.listeners, admin: addresses.admin, commands, main: Some(main) })
            }
            Ok(Err(error)) => {
                let _ = main.join();
                Err(error)
            }
            Err(_) => {
                let _ = main.join();
                Err(StartError::Died)
            }
        }
    }

    /// The listeners in the order of the configuration.
    #[must_use]
    pub fn listeners(&self) -> &[ListenerAddress] {
        &self.listeners
    }

    /// The address of a listener.
    #[must_use]
    pub fn address(&self, name: &str) -> Option<SocketAddr> {
        self.listeners.iter().find(|listener| listener.name == name).map(|listener| listener.address)
    }

    /// Where the admin interface listens, if there is one.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Begins to end: no new connections, the open ones end with their next response, what is left after the grace
    /// period is cut. The second call cuts at once.
    pub fn shutdown(&self) {
        // A server that is gone has ended already.
        let _ = self.commands.send(MainCommand::Shutdown);
    }

    /// Ends without waiting for anybody.
    pub fn stop(&self) {
        let _ = self.commands.send(MainCommand::Stop);
    }

    /// Returns when the server has ended.
    ///
    /// # Errors
    /// It did not end because somebody wanted it to: a thread died.
    pub fn wait(mut self) -> Result<(), ServerError> {
        self.join()
    }

    fn join(&mut self) -> Result<(), ServerError> {
        match self.main.take().map(JoinHandle::join) {
            None | Some(Ok(Ok(()))) => Ok(()),
            Some(Ok(Err(error))) => Err(error),
            Some(Err(payload)) => Err(ServerError::ThreadDied {
                thread: "main_loop".to_owned(),
                message: crate::worker::panic_message(&*payload).to_owned(),
            }),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        let _ = self.join();
    }
}
