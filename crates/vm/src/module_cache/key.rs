//! What an entry is found by.

use std::fmt::Write as _;
use std::hash::{Hash, Hasher};

use sha2::{Digest, Sha256};

/// Goes into every key: entries of another layout are not found.
const LAYOUT: &[u8] = b"sandgate module cache 1";

/// The SHA-256 of the engine's name, all of its settings, and the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key(pub(super) [u8; 32]);

/// Feeds what hashes itself to SHA-256.
struct Sink(Sha256);

// === impl Key ===

impl Key {
    /// `settings` must differ wherever the engine would make different code, or could not run it.
    pub(crate) fn new(engine: &str, settings: &impl Hash, module: &[u8]) -> Self {
        let mut sink = Sink(Sha256::new());
        for part in [LAYOUT, engine.as_bytes(), module] {
            sink.write_usize(part.len());
            sink.write(part);
        }
        settings.hash(&mut sink);
        Self(sink.0.finalize().into())
    }

    pub(super) fn file_name(&self) -> String {
        let mut name = String::with_capacity(70);
        for byte in self.0 {
            // A string takes all that is written to it.
            let _ = write!(name, "{byte:02x}");
        }
        name.push_str(super::directory::SUFFIX);
        name
    }
}

// === impl Sink ===

impl Hasher for Sink {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Nobody asks: the digest is taken whole.
    fn finish(&self) -> u64 {
        0
    }
}
