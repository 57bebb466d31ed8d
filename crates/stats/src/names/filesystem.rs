//! Stats of the files that access logs are written to.

use super::scope;

scope!(
    /// `filesystem.`: all files together.
    FilesystemStats, "filesystem.{}",
    counters {
        /// Buffers that were written because the flush interval had passed.
        flushed_by_timer,
        /// Files that could not be opened anew.
        reopen_failed,
        /// Entries that were put into a buffer.
        write_buffered,
        /// Buffers written.
        write_completed,
        /// Buffers that could not be written.
        write_failed,
    }
    gauges {
        /// Bytes that wait to be written.
        write_total_buffered,
    }
    histograms {}
);
