//! The thread that writes.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::Receiver;

use super::files::{LogCommand, open_file};
use crate::stats::FilesystemStats;

/// Where bytes go.
#[derive(Debug)]
pub(super) enum Target {
    File { path: String, file: File },
    Stdout,
    Stderr,
}

/// Writes what comes until nobody can send any more.
pub(super) fn write_all(inbox: &Receiver<LogCommand>, backlog: &AtomicUsize, stats: &FilesystemStats) {
    let mut targets: Vec<Target> = Vec::new();
    while let Ok(command) = inbox.recv() {
        match command {
            LogCommand::Open(target) => targets.push(target),
            LogCommand::Reopen => targets.iter_mut().for_each(|target| target.reopen(stats)),
            LogCommand::Write { file, data, timer } => {
                if timer {
                    stats.flushed_by_timer().inc();
                }
                let result = targets.get_mut(file).map_or(Ok(()), |target| target.write(&data));
                match result {
                    Ok(()) => stats.write_completed().inc(),
                    Err(error) => {
                        stats.write_failed().inc();
                        log::debug!(target: "file", "writing an access log failed: {error}");
                    }
                }
                backlog.fetch_sub(data.len(), Relaxed);
            }
        }
    }
}

// === impl Target ===

impl Target {
    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        match self {
            Self::File { file, .. } => file.write_all(data),
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(data)?;
                out.flush()
            }
            Self::Stderr => io::stderr().lock().write_all(data),
        }
    }

    fn reopen(&mut self, stats: &FilesystemStats) {
        let Self::File { path, file } = self else { return };
        match open_file(path) {
            Ok(opened) => *file = opened,
            // The old one is better than none.
            Err(error) => {
                stats.reopen_failed().inc();
                log::warn!(target: "file", "unable to open file '{path}': {error}");
            }
        }
    }
}
