//! Access logs: which entries are written, how they look, and the way to their files.
//!
//! A worker renders an entry into a buffer of its own for each file. Full buffers, and after the flush interval all of
//! them, go to one thread that does nothing but write, so that no disk ever holds up a worker.

mod buffers;
mod files;
mod filter;
mod writer;

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sandgate_config::model::{self, AccessLogOptions, AccessLogger, SubstitutionFormat};
use sandgate_filter::{ConnectionInfo, Stream, StreamInfo};
use sandgate_formatter::{AccessLogType, FormatContext};
use sandgate_host::PluginHandle;
use sandgate_http::Direction;

use crate::runtime::Runtime;

pub(crate) use buffers::{LogBuffers, PluginSource};
pub(crate) use files::LogFiles;
pub use files::LogOptions;
pub(crate) use filter::LogFilter;

/// The access logs of one connection manager, router or listener on one worker.
pub(crate) struct AccessLogs {
    loggers: Vec<Logger>,
    buffers: Rc<LogBuffers>,
    options: AccessLogOptions,
}

struct Logger {
    filter: Option<LogFilter>,
    target: Target,
}

enum Target {
    Line {
        format: SubstitutionFormat,
        /// Its place in the buffers.
        file: usize,
    },
    Plugin(Rc<PluginHandle>),
}

// === impl AccessLogs ===

impl AccessLogs {
    /// Of a configuration whose files are open. Plugins start here, if they do not run on this thread yet.
    pub(crate) fn new(
        logs: &[model::AccessLog],
        options: AccessLogOptions,
        buffers: &Rc<LogBuffers>,
        runtime: &Arc<Runtime>,
    ) -> Self {
        let logger = |log: &model::AccessLog| {
            let target = match &log.logger {
                AccessLogger::Line { sink, format } => {
                    Target::Line { format: format.clone(), file: buffers.index(sink)? }
                }
                AccessLogger::Wasm(plugin) => Target::Plugin(buffers.plugin(plugin)?),
            };
            Some(Logger { filter: log.filter.as_ref().map(|filter| LogFilter::new(filter, runtime)), target })
        };
        Self { loggers: logs.iter().filter_map(logger).collect(), buffers: Rc::clone(buffers), options }
    }

    /// Whether nothing is ever written.
    pub(crate) fn is_empty(&self) -> bool {
        self.loggers.is_empty()
    }

    /// Whether an entry is wanted when a request begins.
    pub(crate) fn on_new_request(&self) -> bool {
        self.options.on_new_request && !self.is_empty()
    }

    /// Whether an entry is wanted when a tunnel stands.
    pub(crate) fn on_tunnel(&self) -> bool {
        self.options.on_tunnel && !self.is_empty()
    }

    /// How often an entry is wanted of a request that goes on.
    pub(crate) fn interval(&self) -> Option<Duration> {
        self.options.interval.filter(|_| !self.is_empty())
    }

    /// Writes what the logs want of a stream.
    pub(crate) fn log(&self, stream: &Rc<Stream>, kind: AccessLogType, now: Instant) {
        for logger in &self.loggers {
            let wanted = self.write(logger, stream, kind, now);
            if let Target::Plugin(plugin) = &logger.target
                && wanted
                // Plugins hear of what is over, and of nothing before (as in Envoy).
                && kind == AccessLogType::DownstreamEnd
            {
                // Nothing of the stream is borrowed: the guest may change what its other contexts can.
                plugin.log(Rc::<Stream>::clone(stream));
            }
        }
    }

    /// Writes the line, if the logger wants one. Whether it wants the entry.
    fn write(&self, logger: &Logger, stream: &Stream, kind: AccessLogType, now: Instant) -> bool {
        let (request, response) = (stream.headers(Direction::Request), stream.headers(Direction::Response));
        let trailers = stream.trailers(Direction::Response);
        let info = stream.info();
        let context = FormatContext {
            request_headers: request.as_deref(),
            response_headers: response.as_deref(),
            response_trailers: trailers.as_deref(),
            log_type: kind,
            ..FormatContext::new(&info, stream.connection(), now)
        };
        self.write_line(logger, &context)
    }

    /// Writes what the logs want of a connection that is no HTTP.
    pub(crate) fn log_connection(
        &self,
        info: &StreamInfo,
        connection: &Rc<ConnectionInfo>,
        kind: AccessLogType,
        now: Instant,
    ) {
        let context = FormatContext { log_type: kind, ..FormatContext::new(info, connection, now) };
        for logger in &self.loggers {
            let wanted = self.write_line(logger, &context);
            if let Target::Plugin(plugin) = &logger.target
                && wanted
                && kind == AccessLogType::TcpConnectionEnd
            {
                plugin.log(Stream::finished(Rc::clone(connection), info.clone()));
            }
        }
    }

    fn write_line(&self, logger: &Logger, context: &FormatContext<'_>) -> bool {
        let wanted = logger.filter.as_ref().is_none_or(|filter| filter.matches(context));
        if let Target::Line { format, file } = &logger.target
            && wanted
        {
            self.buffers.write(*file, |out| match format {
                SubstitutionFormat::Text(format) => format.render(context, out),
                SubstitutionFormat::Json(format) => format.render(context, out),
            });
        }
        wanted
    }
}

#[cfg(test)]
mod tests;
