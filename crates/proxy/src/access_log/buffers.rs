//! What a worker has rendered and not handed over yet.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use sandgate_config::model::{AccessLogSink, WasmPlugin};
use sandgate_host::PluginHandle;

use super::LogFiles;
use crate::stats::{FilesystemStats, StatsStore};

/// One buffer for each file.
pub(crate) struct LogBuffers {
    files: Arc<LogFiles>,
    buffers: RefCell<Vec<RefCell<Buffer>>>,
    stats: FilesystemStats,
    plugins: RefCell<Option<PluginSource>>,
}

/// The plugins of access logs, as they run on this thread; nothing of one whose code did not come.
pub(crate) type PluginSource = Box<dyn Fn(&Arc<WasmPlugin>) -> Option<Rc<PluginHandle>>>;

#[derive(Default)]
struct Buffer {
    data: Vec<u8>,
    entries: u64,
}

// === impl LogBuffers ===

impl LogBuffers {
    /// Empty buffers.
    pub(crate) fn new(files: &Arc<LogFiles>, stats: &StatsStore) -> Rc<Self> {
        Rc::new(Self {
            files: Arc::clone(files),
            buffers: RefCell::default(),
            stats: FilesystemStats::new(stats, ""),
            plugins: RefCell::default(),
        })
    }

    /// Where plugins come from. Until there is a source, and after it is taken away again, there are none.
    pub(crate) fn set_plugins(&self, source: Option<PluginSource>) {
        self.plugins.replace(source);
    }

    pub(super) fn plugin(&self, plugin: &Arc<WasmPlugin>) -> Option<Rc<PluginHandle>> {
        self.plugins.borrow().as_ref().and_then(|source| source(plugin))
    }

    /// The number of a file's buffer, which there is from now on.
    pub(super) fn index(&self, sink: &AccessLogSink) -> Option<usize> {
        let index = self.files.index(sink)?;
        let mut buffers = self.buffers.borrow_mut();
        let count = buffers.len().max(index + 1);
        buffers.resize_with(count, RefCell::default);
        Some(index)
    }

    /// Appends an entry to a file's buffer, and hands that over if it is full.
    pub(super) fn write(&self, file: usize, render: impl FnOnce(&mut Vec<u8>)) {
        let buffers = self.buffers.borrow();
        let Some(cell) = buffers.get(file) else { return };
        let mut buffer = cell.borrow_mut();
        render(&mut buffer.data);
        buffer.entries += 1;
        self.stats.write_buffered().inc();
        if buffer.data.len() > self.files.options().flush_min_bytes {
            self.hand_over(file, &mut buffer, false);
        }
    }

    fn hand_over(&self, file: usize, buffer: &mut Buffer, timer: bool) {
        let Buffer { data, entries } = std::mem::take(buffer);
        if !data.is_empty() {
            buffer.data = Vec::with_capacity(data.len());
            self.files.write(file, data, entries, timer);
        }
    }

    fn flush(&self, timer: bool) {
        for (file, cell) in self.buffers.borrow().iter().enumerate() {
            self.hand_over(file, &mut cell.borrow_mut(), timer);
        }
    }

    /// Hands over everything each time the flush interval has passed; ends with the last user of the buffers.
    pub(crate) async fn keep_flushing(this: Weak<Self>) {
        while let Some(interval) = this.upgrade().map(|buffers| buffers.files.options().flush_interval) {
            tokio::time::sleep(interval).await;
            if let Some(buffers) = this.upgrade() {
                buffers.flush(true);
            }
        }
    }
}

impl Drop for LogBuffers {
    fn drop(&mut self) {
        self.flush(false);
    }
}
