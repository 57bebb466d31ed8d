//! An entry: the artifact, then what proves that it is whole.
//!
//! The artifact comes first, since engines map files from their beginning.

use std::fs::File;
use std::io::{self, Error, ErrorKind, Write as _};
use std::os::unix::fs::FileExt as _;

use sha2::{Digest, Sha256};

use super::Key;

/// What is read at a time while the digest is taken.
const CHUNK: usize = 256 << 10;
const MAGIC: [u8; 8] = *b"sandgate";
/// The key, the digest of key and artifact, the artifact's length, and the mark of the format.
const TRAILER: usize = 32 + 32 + 8 + 8;

/// A file whose content was just now the artifact of the right key, and which nobody but us and root can write.
#[derive(Debug)]
pub(crate) struct Entry {
    file: File,
    length: u64,
}

// === impl Entry ===

impl Entry {
    /// Bytes on disk.
    pub(super) fn size(artifact: &[u8]) -> u64 {
        (artifact.len() + TRAILER) as u64
    }

    pub(super) fn write(file: &mut File, key: &Key, artifact: &[u8]) -> io::Result<()> {
        let mut digest = Sha256::new_with_prefix(key.0);
        digest.update(artifact);
        file.write_all(artifact)?;
        let length = (artifact.len() as u64).to_le_bytes();
        file.write_all(&[&key.0[..], &digest.finalize(), &length, &MAGIC].concat())
    }

    /// What [`Self::write`] has written.
    pub(super) fn written(file: File, artifact: &[u8]) -> Self {
        Self { file, length: artifact.len() as u64 }
    }

    /// Reads the whole file and compares digests.
    pub(super) fn verify(file: File, key: &Key) -> io::Result<Self> {
        let size = file.metadata()?.len();
        let length = size.checked_sub(TRAILER as u64).ok_or_else(broken)?;
        let mut trailer = [0; TRAILER];
        file.read_exact_at(&mut trailer, length)?;
        let mut digest = Sha256::new_with_prefix(key.0);
        let mut chunk = vec![0; CHUNK.min(usize::try_from(length).unwrap_or(CHUNK))];
        let mut at = 0;
        while at < length {
            let rest = usize::try_from(length - at).unwrap_or(CHUNK);
            let part = chunk.get_mut(..rest.min(CHUNK)).ok_or_else(broken)?;
            file.read_exact_at(part, at)?;
            digest.update(&*part);
            at += part.len() as u64;
        }
        let expected = [&key.0[..], &digest.finalize(), &length.to_le_bytes(), &MAGIC].concat();
        if trailer == *expected { Ok(Self { file, length }) } else { Err(broken()) }
    }

    /// The file, to be mapped. The artifact begins at its beginning; what follows it is of no meaning to an engine.
    pub(crate) fn file(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// The artifact in memory, for systems that do not let files be mapped as code.
    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        let mut artifact = vec![0; usize::try_from(self.length).map_err(Error::other)?];
        self.file.read_exact_at(&mut artifact, 0)?;
        Ok(artifact)
    }
}

fn broken() -> Error {
    Error::from(ErrorKind::InvalidData)
}
