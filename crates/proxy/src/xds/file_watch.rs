//! Files that are replaced.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use tokio::net::unix::pipe::Receiver;

/// Sees what is moved into a directory, as Envoy does: what is written in place or removed is not seen.
pub(super) struct FileWatch {
    /// Of inotify. That it is no pipe does not matter to who reads it.
    events: Receiver,
    /// Only what gets this name counts.
    name: Option<OsString>,
}

/// For some events with names of any length.
const BUFFER: usize = 4096;
/// An event without its name: a watch, flags, a cookie, and the length of the name, 32 bits each.
const EVENT: usize = 16;

impl FileWatch {
    /// Watches for something that takes the place of a file.
    ///
    /// # Errors
    /// Its directory cannot be watched.
    pub(super) fn of_file(path: &Path) -> io::Result<Self> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self::new(directory, path.file_name().map(OsString::from))
    }

    /// Watches for anything that is moved into a directory.
    ///
    /// # Errors
    /// It cannot be watched.
    pub(super) fn of_directory(path: &Path) -> io::Result<Self> {
        Self::new(path, None)
    }

    fn new(directory: &Path, name: Option<OsString>) -> io::Result<Self> {
        let events = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        inotify::add_watch(&events, directory, WatchFlags::MOVED_TO)?;
        Ok(Self { events: Receiver::from_owned_fd_unchecked(events)?, name })
    }

    /// Returns after the next move.
    ///
    /// # Errors
    /// There are no more to be seen.
    pub(super) async fn moved(&self) -> io::Result<()> {
        let mut buffer = [0; BUFFER];
        loop {
            self.events.readable().await?;
            match self.events.try_read(&mut buffer) {
                Ok(length) if self.counts(buffer.get(..length).unwrap_or_default()) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether one of these events does.
    fn counts(&self, mut events: &[u8]) -> bool {
        let number = |event: &[u8; EVENT], at: usize| {
            event.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_ne_bytes(*bytes))
        };
        while let Some((event, rest)) = events.split_first_chunk::<EVENT>() {
            let length = usize::try_from(number(event, 12)).unwrap_or(usize::MAX).min(rest.len());
            let (name, rest) = rest.split_at(length);
            // Filled up with zeros.
            let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
            // More may have been lost than was seen.
            let overflow = number(event, 4) & ReadFlags::QUEUE_OVERFLOW.bits() != 0;
            if overflow || self.name.as_ref().is_none_or(|wanted| wanted.as_bytes() == name) {
                return true;
            }
            events = rest;
        }
        false
    }
}
