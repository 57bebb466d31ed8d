//! The ordered header map: what the wire had, in its order, duplicates included.

mod arena;
mod inline;
mod kind;

use std::fmt;

use arena::{Arena, Entry, bit};

pub use kind::HeaderMapKind;

/// Headers in order, names in lower case, pseudo headers first, values as bytes.
///
/// Names and values lie in one buffer, so that a map costs two allocations however many headers it has. What edits leave behind
/// is collected, so that the buffer stays within a small multiple of what the map holds. The rules for names that come twice are
/// Envoy's, and depend on the [kind](HeaderMapKind) of the map.
///
/// A map holds at most [`MAX_HEADERS`](Self::MAX_HEADERS) headers and [`MAX_BYTES`](Self::MAX_BYTES) bytes: what would go beyond is
/// dropped. Ask [`has_room`](Self::has_room) first where that must not happen silently.
#[derive(Clone, Default)]
pub struct HeaderMap {
    kind: HeaderMapKind,
    entries: Vec<Entry>,
    /// How many of `entries` are pseudo headers. They come first.
    pseudo: usize,
    /// A bit for each name that was ever added (see [`bit`]): most names that are asked for are not there, and their bit says so.
    marks: u64,
    arena: Arena,
}

impl HeaderMap {
    /// The most headers a map takes. Envoy has no such limit; its codecs stop at 100 by default.
    pub const MAX_HEADERS: usize = 4096;
    /// The most bytes of names and values a map takes: twice the largest head that Envoy can be configured to accept.
    pub const MAX_BYTES: usize = 16 << 20;

    /// An empty map of the default kind, in which nothing is joined and `host` is a header like any other.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty map of a kind.
    #[must_use]
    pub fn with_kind(kind: HeaderMapKind) -> Self {
        Self { kind, ..Self::default() }
    }

    /// An empty map that takes `headers` headers of `bytes` bytes in all without another allocation.
    #[must_use]
    pub fn with_capacity(kind: HeaderMapKind, headers: usize, bytes: usize) -> Self {
        let headers = headers.min(Self::MAX_HEADERS);
        let bytes = bytes.min(Self::MAX_BYTES);
        Self { kind, entries: Vec::with_capacity(headers), pseudo: 0, marks: 0, arena: Arena::with_capacity(bytes) }
    }

    /// What the headers belong to.
    #[must_use]
    pub fn kind(&self) -> HeaderMapKind {
        self.kind
    }

    /// How many headers, duplicates counted each.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of all names and values (Envoy's `byteSize`).
    #[must_use]
    pub fn byte_size(&self) -> usize {
        self.arena.live()
    }

    /// Whether one more header of `bytes` bytes (name and value) fits.
    #[must_use]
    pub fn has_room(&self, bytes: usize) -> bool {
        self.entries.len() < Self::MAX_HEADERS && self.has_bytes(bytes)
    }

    /// The first value of `name` (any case). In a request map `host` is `:authority`.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        let name = self.kind.canonical(name);
        self.find(name).and_then(|at| self.entries.get(at)).map(|entry| self.arena.value(entry))
    }

    /// Every value of `name` in order.
    pub fn get_all<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let name = self.kind.canonical(name);
        self.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }

    /// Whether `name` is there.
    #[must_use]
    pub fn contains(&self, name: &[u8]) -> bool {
        self.find(self.kind.canonical(name)).is_some()
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], &[u8])> + ExactSizeIterator + Clone {
        self.entries.iter().map(|entry| (self.arena.name(entry), self.arena.value(entry)))
    }

    /// Adds one more line, whatever is there already. Pseudo headers go before the others. The name is lower-cased.
    pub fn append(&mut self, name: &[u8], value: &[u8]) {
        let name = self.kind.canonical(name);
        if !self.has_room(name.len().saturating_add(value.len())) {
            return;
        }
        let entry = self.arena.write(name, value);
        self.marks |= 1 << entry.bit();
        if name.first() == Some(&b':') {
            self.entries.insert(self.pseudo.min(self.entries.len()), entry);
            self.pseudo += 1;
        } else {
            self.entries.push(entry);
        }
        self.collect();
    }

    /// Adds as Envoy's `addCopy` and as its codecs do for what they read: a header that is inline in this kind of map is joined with
    /// a comma to the value that is there, any other one becomes a further line. An empty value changes nothing in a join, and is
    /// replaced by one.
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        let name = self.kind.canonical(name);
        // Most names come once, and whether a name is inline matters only when it comes again.
        match self.find(name) {
            Some(at) if self.kind.is_inline(name) => self.join(at, value),
            _ => self.append(name, value),
        }
    }

    /// Sets as Envoy's own code does (`setServer`, `setPath`, …): an inline header keeps its place, any other one comes last; others of
    /// that name go.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        let name = self.kind.canonical(name);
        if !self.has_bytes(name.len().saturating_add(value.len())) {
            return;
        }
        match self.find(name) {
            Some(at) if self.kind.is_inline(name) => self.set_at(at, name, value),
            _ => self.replace(name, value),
        }
    }

    /// Sets as Envoy's `setCopy`, which is what a plugin's "replace" does: all of `name` go, and the new one comes last, inline or not
    /// (a pseudo header last among those).
    pub fn replace(&mut self, name: &[u8], value: &[u8]) {
        let name = self.kind.canonical(name);
        if !self.has_bytes(name.len().saturating_add(value.len())) {
            return;
        }
        self.remove(name);
        self.append(name, value);
    }

    /// Removes all of `name`; how many there were.
    pub fn remove(&mut self, name: &[u8]) -> usize {
        let name = self.kind.canonical(name);
        if self.find(name).is_none() {
            return 0;
        }
        let before = self.entries.len();
        self.retain(|n, _| !n.eq_ignore_ascii_case(name));
        before - self.entries.len()
    }

    /// Keeps only the headers for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(&[u8], &[u8]) -> bool) {
        let (arena, pseudo) = (&mut self.arena, &mut self.pseudo);
        self.entries.retain(|entry| {
            let name = arena.name(entry);
            if keep(name, arena.value(entry)) {
                return true;
            }
            *pseudo -= usize::from(name.first() == Some(&b':'));
            arena.forget(entry);
            false
        });
        self.collect();
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.pseudo = 0;
        self.marks = 0;
        self.arena.clear();
    }

    /// All bytes of names and values, and possibly others: for checks that mostly find nothing.
    pub(crate) fn raw_bytes(&self) -> &[u8] {
        self.arena.bytes()
    }

    /// Names, but for those that a decoder has checked.
    pub(crate) fn unchecked_names(&self) -> impl Iterator<Item = &[u8]> {
        self.entries.iter().filter(|entry| !entry.is_checked()).map(|entry| self.arena.name(entry))
    }

    /// Adds a header as [`add`](Self::add) does, its name given in lower case already; whether there was room. For the decoder, which
    /// checks and lowers names in one pass.
    pub(crate) fn add_lowered(&mut self, name: impl ExactSizeIterator<Item = u8>, value: &[u8]) -> bool {
        if !self.has_room(name.len().saturating_add(value.len())) {
            return false;
        }
        let entry = self.arena.write_checked(name, value);
        let name = self.arena.name(&entry);
        if self.kind == HeaderMapKind::Request && name == b"host" {
            self.arena.forget(&entry);
            self.add(b":authority", value);
            return true;
        }
        match self.find(name) {
            Some(at) if self.kind.is_inline(name) => {
                self.arena.forget(&entry);
                self.join(at, value);
            }
            _ => {
                self.marks |= 1 << entry.bit();
                self.entries.push(entry);
            }
        }
        true
    }

    fn has_bytes(&self, bytes: usize) -> bool {
        self.arena.live().saturating_add(bytes) <= Self::MAX_BYTES
    }

    /// `name` must be canonical.
    fn find(&self, name: &[u8]) -> Option<usize> {
        let bit = bit(name);
        if self.marks & (1 << bit) == 0 {
            return None;
        }
        let bytes = self.arena.bytes();
        self.entries.iter().position(|entry| entry.is_named(bytes, name, bit))
    }

    fn set_at(&mut self, at: usize, name: &[u8], value: &[u8]) {
        if let Some(entry) = self.entries.get_mut(at) {
            self.arena.replace_value(entry, value);
        }
        let mut first = true;
        self.retain(|n, _| !n.eq_ignore_ascii_case(name) || std::mem::take(&mut first));
    }

    fn join(&mut self, at: usize, value: &[u8]) {
        if value.is_empty() || !self.has_bytes(value.len() + 1) {
            return;
        }
        if let Some(entry) = self.entries.get_mut(at) {
            if entry.value_len() > 0 {
                self.arena.extend_value(entry, b",");
            }
            self.arena.extend_value(entry, value);
        }
        self.collect();
    }

    fn collect(&mut self) {
        if self.arena.is_wasteful() {
            self.arena.compact(&mut self.entries);
        }
    }
}

impl PartialEq for HeaderMap {
    /// Equal headers in equal order, whatever the kinds.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for HeaderMap {}

impl fmt::Debug for HeaderMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(n, v)| (String::from_utf8_lossy(n), String::from_utf8_lossy(v))))
            .finish()
    }
}
