//! The directory: opened once, and everything in it through that descriptor.

use std::fs::{DirBuilder, File};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_NOW, fstat, futimens, openat,
    renameat, statat, unlinkat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::ModuleCacheError;

/// What entries' names end in.
pub(super) const SUFFIX: &str = ".cwasm";
/// What names begin with while a file is written.
const UNFINISHED: &str = ".unfinished-";
/// Permissions that let others than the owner write.
const OTHERS_WRITE: u32 = 0o022;
/// Somebody who has not finished for so long never will.
const ABANDONED_SECONDS: i64 = 3600;

/// An open directory.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    descriptor: OwnedFd,
}

/// An entry as the directory shows it.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) bytes: u64,
    /// When it was last used, in seconds and nanoseconds.
    pub(super) used: (i64, u64),
}

// === impl Directory ===

impl Directory {
    pub(super) fn open(path: &Path) -> Result<Self, ModuleCacheError> {
        let failed = |source: io::Error| ModuleCacheError::Open { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let descriptor = openat(CWD, path, flags, Mode::empty()).map_err(|error| failed(error.into()))?;
        let stat = fstat(&descriptor).map_err(|error| failed(error.into()))?;
        if !is_ours(&stat) {
            return Err(ModuleCacheError::Owner { path: path.to_owned(), owner: stat.st_uid });
        }
        if others_write(&stat) {
            return Err(ModuleCacheError::Mode { path: path.to_owned(), mode: stat.st_mode & 0o7777 });
        }
        Ok(Self { path: path.to_owned(), descriptor })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens an entry to be read, if it is a file of ours that nobody else can write, and notes that it is in use.
    pub(super) fn open_entry(&self, name: &str) -> Result<File, Errno> {
        // Nobody waits for the other end of a pipe.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let descriptor = openat(&self.descriptor, name, flags, Mode::empty())?;
        let stat = fstat(&descriptor)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || !is_ours(&stat) || others_write(&stat) {
            return Err(Errno::PERM);
        }
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        // A cache that we may only read is of use, too.
        let _ = futimens(&descriptor, &Timestamps { last_access: now, last_modification: now });
        Ok(File::from(descriptor))
    }

    /// Has `write` fill a new file and moves it to that name. The file is open to be read.
    pub(super) fn write_entry(&self, name: &str, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<File> {
        // Process ids would not do: containers that share a directory may have the same.
        let unfinished = format!("{UNFINISHED}{:016x}", RandomState::new().build_hasher().finish());
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&self.descriptor, &unfinished, flags, Mode::RUSR | Mode::WUSR)?);
        let written = write(&mut file)
            .and_then(|()| Ok(renameat(&self.descriptor, &unfinished, &self.descriptor, name)?))
            .inspect_err(|_| drop(self.remove(&unfinished)));
        written.map(|()| file)
    }

    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.descriptor, name, AtFlags::empty())?)
    }

    /// All entries. What was never finished is removed on the way.
    pub(super) fn list(&self) -> io::Result<Vec<Listed>> {
        let mut entries = Vec::new();
        let mut newest = 0;
        let mut unfinished = Vec::new();
        for found in Dir::read_from(&self.descriptor)? {
            let found = found?;
            let Ok(name) = found.file_name().to_str() else { continue };
            let is_unfinished = name.starts_with(UNFINISHED);
            if !is_unfinished && !name.ends_with(SUFFIX) {
                continue;
            }
            // Another process may have removed it since.
            let Ok(stat) = statat(&self.descriptor, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            newest = newest.max(stat.st_mtime);
            if is_unfinished {
                unfinished.push((name.to_owned(), stat.st_mtime));
            } else {
                let used = (stat.st_mtime, stat.st_mtime_nsec);
                entries.push(Listed { name: name.to_owned(), bytes: u64::try_from(stat.st_size).unwrap_or(0), used });
            }
        }
        // By the directory's own clock, which need not be ours.
        for (name, _) in unfinished.iter().filter(|(_, written)| newest - written > ABANDONED_SECONDS) {
            let _ = self.remove(name);
        }
        Ok(entries)
    }
}

fn is_ours(stat: &Stat) -> bool {
    stat.st_uid == geteuid().as_raw() || stat.st_uid == 0
}

fn others_write(stat: &Stat) -> bool {
    stat.st_mode & OTHERS_WRITE != 0
}
