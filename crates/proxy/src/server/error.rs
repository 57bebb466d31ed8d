//! Why a server cannot start, or has ended.

use std::io;
use std::net::SocketAddr;

use sandgate_config::model::{Origin, ReadCodeError, RemoteCode};
use sandgate_host::PluginError;

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be bound or listened to.
    #[error("{}cannot bind '{address}': {source}", place(.origin))]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Whose address it is.
        origin: Box<Origin>,
        /// The system's reason.
        source: io::Error,
    },
    /// Two listeners have one address.
    #[error("error adding listener: '{name}' has duplicate address '{address}' as existing listener")]
    DuplicateAddress {
        /// The second.
        name: String,
        /// Their address.
        address: SocketAddr,
    },
    /// An access log cannot be opened.
    #[error("{}unable to open file '{path}': {}", place(.origin), reason(.source))]
    AccessLog {
        /// Where it is configured.
        origin: Box<Origin>,
        /// Its name.
        path: String,
        /// The system's reason.
        source: io::Error,
    },
    /// A certificate, a key or a list cannot be used.
    #[error("{}{source}", place(.origin))]
    Tls {
        /// Where it is configured.
        origin: Box<Origin>,
        /// The reason.
        source: sandgate_tls::TlsError,
    },
    /// A module's file cannot be read.
    #[error("{}Unable to create Wasm plugin {plugin}: {source}", place(.origin))]
    Code {
        /// The plugin's name.
        plugin: String,
        /// Where the code is named.
        origin: Box<Origin>,
        /// The reason.
        source: ReadCodeError,
    },
    /// The code is to be fetched, and `nack_on_code_cache_miss` wants it to be there already.
    #[error("{}Unable to create Wasm plugin {plugin}: its code is not here yet, and nack_on_code_cache_miss forbids to wait for it", place(.origin))]
    CodeCacheMiss {
        /// The plugin's name.
        plugin: String,
        /// Where the code is named.
        origin: Box<Origin>,
        /// Where it is to be had.
        remote: Box<RemoteCode>,
    },
    /// A plugin was refused, or refuses.
    #[error("{}{source}", place(.origin))]
    Plugin {
        /// Where the plugin is configured.
        origin: Box<Origin>,
        /// The reason.
        source: Box<PluginError>,
    },
    /// The configuration asks for something that only a later version can do.
    #[error("{}{what}", place(.origin))]
    Unsupported {
        /// Where.
        origin: Box<Origin>,
        /// What.
        what: &'static str,
    },
    /// A filter cannot have a configuration that control planes tell, or its default.
    #[error("{}{what}", place(.origin))]
    Extension {
        /// Where the filter stands.
        origin: Box<Origin>,
        /// Why.
        what: String,
    },
    /// A file that events are to be written to cannot be opened.
    #[error("unable to open file '{path}': {source}")]
    File {
        /// The file.
        path: String,
        /// The system's reason.
        source: io::Error,
    },
    /// A thread or its event loop cannot be made.
    #[error("cannot make a thread: {0}")]
    Thread(io::Error),
    /// A thread died while starting; the log says why.
    #[error("a thread died while starting")]
    Died,
}

/// Why a server has ended unwanted.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A worker is gone: going on with fewer would be silent.
    #[error("thread {thread} died: {message}")]
    ThreadDied {
        /// Its name.
        thread: String,
        /// What the panic said.
        message: String,
    },
}

fn place(origin: &Origin) -> String {
    if origin.path.is_empty() && origin.file.is_empty() { String::new() } else { format!("{origin}: ") }
}

/// An error of the system in its own words, without its number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}
