//! The files and streams that logs go to.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
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
pub(crate) struct LogFiles {
    opened: Mutex<Opened>,
    options: LogOptions,
    backlog: Arc<AtomicUsize>,
    stats: Arc<StatsStore>,
    /// Shown as long as it is here, without any file as well.
    _shown: Mutex<FilesystemStats>,
}

/// What was opened so far, and who writes it.
#[derive(Debug, Default)]
struct Opened {
    indexes: HashMap<AccessLogSink, usize>,
    sender: Option<Sender<LogCommand>>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread is told.
#[derive(Debug)]
pub(super) enum LogCommand {
    /// Another file, after those that there are.
    Open(Target),
    Write {
        file: usize,
        data: Vec<u8>,
        /// Because time had passed.
        timer: bool,
    },
    /// Opens every file anew, as after a rotation.
    Reopen,
}

impl std::fmt::Debug for LogFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogFiles").field("opened", &self.opened).finish_non_exhaustive()
    }
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
        let (opened, backlog) = (Mutex::default(), Arc::default());
        let shown = Mutex::new(FilesystemStats::new(stats, ""));
        let files = Arc::new(Self { opened, options, backlog, stats: Arc::clone(stats), _shown: shown });
        files.add(logs)?;
        Ok(files)
    }

    /// Opens the files of these logs, too, if no other log has opened them.
    pub(crate) fn add<'a>(&self, logs: impl Iterator<Item = &'a AccessLog>) -> Result<(), StartError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        for log in logs {
            let AccessLogger::Line { sink, .. } = &log.logger else { continue };
            if opened.indexes.contains_key(sink) {
                continue;
            }
            let target = open(sink).map_err(|source| StartError::AccessLog {
                origin: Box::new(log.origin.clone()),
                path: path(sink).to_owned(),
                source,
            })?;
            let sender = match &opened.sender {
                Some(sender) => sender.clone(),
                None => self.start(&mut opened)?,
            };
            let index = opened.indexes.len();
            opened.indexes.insert(sink.clone(), index);
            // The thread ends after the last sender.
            let _ = sender.send(LogCommand::Open(target));
        }
        Ok(())
    }

    /// Starts the thread.
    fn start(&self, opened: &mut Opened) -> Result<Sender<LogCommand>, StartError> {
        let (commands, inbox): (_, Receiver<LogCommand>) = channel();
        let (backlog, stats) = (Arc::clone(&self.backlog), FilesystemStats::new(&self.stats, ""));
        let body = move || write_all(&inbox, &backlog, &stats);
        let spawned = std::thread::Builder::new().name("access_log".to_owned()).spawn(body);
        opened.thread = Some(spawned.map_err(StartError::Thread)?);
        opened.sender = Some(commands.clone());
        Ok(commands)
    }

    /// The place of a file in the workers' buffers.
    pub(super) fn index(&self, sink: &AccessLogSink) -> Option<usize> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).indexes.get(sink).copied()
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
        if let Some(sender) = &self.opened.lock().unwrap_or_else(PoisonError::into_inner).sender {
            // The thread ends after the last sender.
            let _ = sender.send(command);
        }
    }
}

impl Drop for LogFiles {
    fn drop(&mut self) {
        let opened = self.opened.get_mut().unwrap_or_else(PoisonError::into_inner);
        opened.sender = None;
        if let Some(thread) = opened.thread.take() {
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
