//! Why a directory cannot be a cache.

use std::io;
use std::path::PathBuf;

/// Why a directory cannot hold compiled modules.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModuleCacheError {
    /// It cannot be made or opened.
    #[error("cannot use {path} for compiled modules: {source}")]
    Open {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It belongs to another user, who could put code of their own there.
    #[error("{path} cannot hold compiled modules: it belongs to user {owner}, not to us or root")]
    Owner {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// Others could put code of their own there.
    #[error("{path} cannot hold compiled modules: its mode {mode:o} lets others write to it")]
    Mode {
        /// The directory.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}
