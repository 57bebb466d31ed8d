//! The files and streams that logs go to.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use sandgate_config::model::{AccessLog, AccessLogSink, AccessLogger};

use super::writer::{Target, write_all};
use crate::server::StartError;
use crate::stats::{FilesystemStats, StatsStore};

/// When what is buffered is written.
#[derive(Clone, Copy, Debug)]
pub struct LogOptions {
    /// After this time (Envoy's `--file-flush-interval-msec`; 10 s by default).
    pub flush_interval: Duration,
    /// With this many bytes (Envoy's `--file-flush-min-size-kb`; 64 KiB by default).
    pub flush_min_bytes: usize,
}

/// The most bytes that may wait for a slow disk; entries beyond are dropped, and the log says so. Envoy has no limit.
const MAX_BACKLOG: usize = 256 << 20;

/// All files of a process, and the thread that writes them. Dropping the last handle writes what is left.
#[derive(Debug)]
pub(crate) struct LogFiles {
    indexes: HashMap<AccessLogSink, usize>,
    options: LogOptions,
    backlog: Arc<AtomicUsize>,
    sender: Option<Sender<LogCommand>>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread is told.
#[derive(Debug)]
pub(super) enum LogCommand {
    Write {
        file: usize,
        data: Vec<u8>,
        /// Because time had passed.
        timer: bool,
    },
    /// Opens every file anew, as after a rotation.
    Reopen,
}

// === impl LogOptions ===

impl Default for LogOptions {
    fn default() -> Self {
        Self { flush_interval: Duration::from_secs(10), flush_min_bytes: 64 << 10 }
    }
}

// === impl LogFiles ===

impl LogFiles {
    /// Opens the files of all logs; each once, however many logs name it. Without logs there is no thread.
    pub(crate) fn open<'a>(
        logs: impl Iterator<Item = &'a AccessLog>,
        options: LogOptions,
        stats: &Arc<StatsStore>,
    ) -> Result<Arc<Self>, StartError> {
        let mut indexes = HashMap::new();
        let mut targets = Vec::new();
        for log in logs {
            let AccessLogger::Line { sink, .. } = &log.logger else { continue };
            if !indexes.contains_key(sink) {
                let target = open(sink).map_err(|source| StartError::AccessLog {
                    origin: Box::new(log.origin.clone()),
                    path: path(sink).to_owned(),
                    source,
                })?;
                indexes.insert(sink.clone(), targets.len());
                targets.push(target);
            }
        }
        // Shown without any file as well.
        let filesystem = FilesystemStats::new(stats, "");
        let backlog = Arc::new(AtomicUsize::new(0));
        let (mut sender, mut thread) = (None, None);
        if !targets.is_empty() {
            let (commands, inbox): (_, Receiver<LogCommand>) = channel();
            let backlog = Arc::clone(&backlog);
            let body = move || write_all(targets, &inbox, &backlog, &filesystem);
            let spawned = std::thread::Builder::new().name("access_log".to_owned()).spawn(body);
            (sender, thread) = (Some(commands), Some(spawned.map_err(StartError::Thread)?));
        }
        Ok(Arc::new(Self { indexes, options, backlog, sender, thread }))
    }

    /// The place of a file in the workers' buffers.
    pub(super) fn index(&self, sink: &AccessLogSink) -> Option<usize> {
        self.indexes.get(sink).copied()
    }

    pub(super) fn count(&self) -> usize {
        self.indexes.len()
    }

    pub(super) fn options(&self) -> LogOptions {
        self.options
    }

    /// Opens all files anew under their names; what is written from now on goes there.
    pub(crate) fn reopen(&self) {
        self.send(LogCommand::Reopen);
    }

    /// Hands a buffer to the thread.
    pub(super) fn write(&self, file: usize, data: Vec<u8>, entries: u64, timer: bool) {
        let waiting = self.backlog.fetch_add(data.len(), Relaxed);
        if waiting > MAX_BACKLOG {
            self.backlog.fetch_sub(data.len(), Relaxed);
            log::warn!(target: "file", "the disk is too slow: {entries} access log entries are lost");
            return;
        }
        self.send(LogCommand::Write { file, data, timer });
    }

    fn send(&self, command: LogCommand) {
        if let Some(sender) = &self.sender {
            // The thread ends after the last sender.
            let _ = sender.send(command);
        }
    }
}

impl Drop for LogFiles {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            // It has nothing to panic about.
            let _ = thread.join();
        }
    }
}

/// The name of a file; streams have the names that Envoy opens them by.
pub(super) fn path(sink: &AccessLogSink) -> &str {
    match sink {
        AccessLogSink::File(path) => path,
        AccessLogSink::Stdout => "/dev/stdout",
        AccessLogSink::Stderr => "/dev/stderr",
    }
}

fn open(sink: &AccessLogSink) -> io::Result<Target> {
    Ok(match sink {
        AccessLogSink::File(path) => Target::File { path: path.clone(), file: open_file(path)? },
        AccessLogSink::Stdout => Target::Stdout,
        AccessLogSink::Stderr => Target::Stderr,
    })
}

/// Opens a file to append to, and makes it if it is not there, readable for others as Envoy does.
pub(super) fn open_file(path: &str) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o644).open(path)
}
