//! Log lines in Envoy's default format, with Envoy's components and levels.

mod clock;
mod levels;

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use log::{Log, Metadata, Record};
use sandgate_abi::LogLevel;
use sandgate_host::GuestLog;
use sandgate_proxy::admin::LogControl;

pub(crate) use levels::{LevelError, Levels};

/// The process's logger.
pub(crate) struct Logger {
    levels: Levels,
    file: Option<LogFile>,
}

/// Where lines go instead of standard error.
struct LogFile {
    path: PathBuf,
    file: Mutex<File>,
}

/// What a line says.
#[derive(Clone, Copy)]
enum Message<'a> {
    Text(std::fmt::Arguments<'a>),
    /// A guest's words, which may be anything.
    Bytes(&'a [u8]),
}

static LOGGER: OnceLock<Logger> = OnceLock::new();

/// Installs the logger. A second call changes nothing.
///
/// # Errors
/// An unknown level or component, or a log file that cannot be opened.
pub(crate) fn install(level: &str, components: &str, path: Option<&Path>) -> Result<(), InstallError> {
    let levels = Levels::parse(level, components)?;
    let file = path.map(LogFile::open).transpose()?;
    let max = levels.max();
    let logger = LOGGER.get_or_init(|| Logger { levels, file });
    if log::set_logger(logger).is_ok() {
        log::set_max_level(max);
    }
    Ok(())
}

/// Why there is no logger.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallError {
    #[error(transparent)]
    Level(#[from] LevelError),
    #[error("cannot open the log file {path}: {error}")]
    File { path: String, error: std::io::Error },
}

impl LogFile {
    fn open(path: &Path) -> Result<Self, InstallError> {
        let file = append(path).map_err(|error| InstallError::File { path: path.display().to_string(), error })?;
        Ok(Self { path: path.to_owned(), file: Mutex::new(file) })
    }
}

fn append(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Opens the log file anew, which may have been moved away. If that fails, the old one goes on.
pub(crate) fn reopen() {
    let Some(log) = LOGGER.get().and_then(|logger| logger.file.as_ref()) else { return };
    match append(&log.path) {
        Ok(file) => *log.file.lock().unwrap_or_else(PoisonError::into_inner) = file,
        Err(error) => log::error!(target: "file", "cannot reopen the log file {}: {error}", log.path.display()),
    }
}

/// `/logging`.
#[derive(Debug)]
pub(crate) struct Control;

impl LogControl for Control {
    fn loggers(&self) -> Vec<(&'static str, &'static str)> {
        LOGGER.get().map(|logger| logger.levels.all().collect()).unwrap_or_default()
    }

    fn is_level(&self, level: &str) -> bool {
        levels::exact(level).is_some()
    }

    fn set(&self, component: Option<&str>, level: &str) {
        if let (Some(logger), Some(level)) = (LOGGER.get(), levels::exact(level)) {
            logger.levels.set(component, level);
            log::set_max_level(logger.levels.max());
        }
    }
}

impl Logger {
    fn write(&self, level: LogLevel, component: &str, position: (&str, u32), message: Message<'_>) {
        thread_local! { static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) }; }
        LINE.with_borrow_mut(|line| {
            line.clear();
            clock::write_now(line);
            let (file, number) = position;
            let level = levels::name(level);
            let thread = rustix::thread::gettid().as_raw_nonzero();
            let _ = write!(line, "[{thread}][{level}][{component}] [{file}:{number}] ");
            match message {
                Message::Text(text) => {
                    let _ = line.write_fmt(text);
                }
                Message::Bytes(bytes) => line.extend_from_slice(bytes),
            }
            line.push(b'\n');
            // One write a line, so that lines of threads do not mix. A log that cannot be written is not worth a crash.
            let _ = match &self.file {
                Some(log) => log.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line),
                None => std::io::stderr().write_all(line),
            };
        });
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        if let Some(enabled) = proxy_wasm::native::log_enabled(metadata) {
            return enabled;
        }
        levels::of(metadata.level()) as u32 >= self.levels.threshold(metadata.target())
    }

    fn log(&self, record: &Record<'_>) {
        if proxy_wasm::native::take_log_record(record) {
            return;
        }
        // The `log` crate has no level above error; a line says so itself.
        let critical = record.key_values().get("critical".into()).and_then(|value| value.to_bool());
        let level = if critical == Some(true) { LogLevel::Critical } else { levels::of(record.level()) };
        if level as u32 >= self.levels.threshold(record.target()) {
            let position = (record.file().unwrap_or("?"), record.line().unwrap_or(0));
            self.write(level, levels::component(record.target()), position, Message::Text(*record.args()));
        }
    }

    fn flush(&self) {}
}

/// The guests' lines go where ours go.
#[derive(Debug)]
pub(crate) struct WasmLog;

impl GuestLog for WasmLog {
    fn level(&self) -> u32 {
        LOGGER.get().map_or(6, |logger| logger.levels.threshold("wasm"))
    }

    fn write(&self, level: LogLevel, line: &[u8]) {
        if let Some(logger) = LOGGER.get() {
            logger.write(level, "wasm", (file!(), line!()), Message::Bytes(line));
        }
    }

    fn warn_of_configuration(&self, line: &str) {
        log::warn!(target: "config", "{line}");
    }
}
