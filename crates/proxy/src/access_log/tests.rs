//! Files, their thread, and what is written when.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sandgate_config::model::{AccessLog, AccessLogSink, AccessLogger, Origin, SubstitutionFormat};
use sandgate_filter::{ConnectionInfo, Stream, StreamOptions};
use sandgate_formatter::{AccessLogType, Format};

use super::*;
use crate::server::StartError;
use crate::stats::StatsStore;

struct Fixture {
    folder: PathBuf,
    logs: Vec<AccessLog>,
}

impl Fixture {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("sandgate-log-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let log = AccessLog {
            filter: None,
            logger: AccessLogger::Line {
                sink: AccessLogSink::File(folder.join("log").display().to_string()),
                format: SubstitutionFormat::Text(Format::parse("%ACCESS_LOG_TYPE%\n").unwrap()),
            },
            origin: Origin::default(),
        };
        Self { folder, logs: vec![log.clone(), log] }
    }

    fn open(&self, flush_min_bytes: usize) -> Arc<LogFiles> {
        let options = LogOptions { flush_interval: Duration::from_secs(3600), flush_min_bytes };
        LogFiles::open(self.logs.iter(), options, &StatsStore::new()).unwrap()
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Polls until the file has the text.
    fn expect(&self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.text() != text {
            assert!(Instant::now() < deadline, "{:?} is not {text:?}", self.text());
            std::thread::yield_now();
        }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn log(fixture: &Fixture, files: &Arc<LogFiles>) -> Rc<LogBuffers> {
    let buffers = LogBuffers::new(files, &StatsStore::new());
    let logs = AccessLogs::new(&fixture.logs, AccessLogOptions::default(), &buffers, &Arc::default());
    let now = Instant::now();
    let options =
        StreamOptions { buffer_limit: 0, protocol: None, start_time: std::time::SystemTime::now(), start: now };
    logs.log(&Stream::new(ConnectionInfo::default().shared(), &options), AccessLogType::DownstreamEnd, now);
    buffers
}

#[test]
fn what_is_buffered_is_written_when_a_worker_ends() {
    let fixture = Fixture::new("end");
    let files = fixture.open(1 << 16);
    let buffers = log(&fixture, &files);
    assert_eq!(fixture.text(), "");
    drop(buffers);
    drop(files);
    assert_eq!(fixture.text(), "DownstreamEnd\nDownstreamEnd\n");
}

#[test]
fn a_full_buffer_is_written_at_once_and_a_file_that_is_gone_is_made_anew() {
    let fixture = Fixture::new("reopen");
    let files = fixture.open(0);
    let first = log(&fixture, &files);
    fixture.expect("DownstreamEnd\nDownstreamEnd\n");
    std::fs::rename(fixture.folder.join("log"), fixture.folder.join("old")).unwrap();
    files.reopen();
    let second = log(&fixture, &files);
    fixture.expect("DownstreamEnd\nDownstreamEnd\n");
    drop((first, second));
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_with_envoys_words() {
    let mut fixture = Fixture::new("refused");
    let path = fixture.folder.join("none/log").display().to_string();
    let AccessLogger::Line { sink, .. } = &mut fixture.logs[0].logger else { panic!() };
    *sink = AccessLogSink::File(path.clone());
    let error = LogFiles::open(fixture.logs.iter(), LogOptions::default(), &StatsStore::new()).unwrap_err();
    assert!(matches!(error, StartError::AccessLog { .. }));
    assert_eq!(error.to_string(), format!("unable to open file '{path}': No such file or directory"));
}
