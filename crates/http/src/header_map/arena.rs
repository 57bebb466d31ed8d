//! The bytes behind a header map, and where each header lies in them.

/// Waste below this is never collected.
const SLACK: usize = 2048;

/// Where one header lies: its name, its value right behind, and room for the value to grow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    start: u32,
    name_len: u32,
    value_len: u32,
    value_room: u32,
    /// Its name's [`bit`]: names of one length that differ mostly differ here.
    bit: u8,
    /// A decoder has found the name valid, so that an encoder need not look again.
    checked: bool,
}

/// Names (in lower case) and values, in the order of writing, and what edits have left behind.
#[derive(Clone, Debug, Default)]
pub(super) struct Arena {
    bytes: Vec<u8>,
    /// Bytes of `bytes` that are name or value of an entry.
    live: usize,
}

/// A number below 64 that a name and its other cases share.
pub(super) fn bit(name: &[u8]) -> u8 {
    let byte = |byte: Option<&u8>| u32::from(byte.copied().unwrap_or_default() | 0x20);
    // Length, first and last byte tell most names apart; what matters is that the product spreads them.
    let sum = (byte(name.first()) << 8 | byte(name.last())) ^ ((name.len() as u32) << 4);
    (sum.wrapping_mul(0x9e37_79b1) >> 26) as u8
}

impl Entry {
    pub(super) fn bit(&self) -> u8 {
        self.bit
    }

    pub(super) fn is_checked(&self) -> bool {
        self.checked
    }

    pub(super) fn value_len(&self) -> usize {
        self.value_len as usize
    }

    fn value_start(&self) -> usize {
        self.start as usize + self.name_len as usize
    }

    /// The end of the room for the value.
    fn end(&self) -> usize {
        self.value_start() + self.value_room as usize
    }

    fn size(&self) -> usize {
        self.name_len as usize + self.value_len as usize
    }

    /// Whether the name is `name`, in any case; `bit` is that of `name`.
    #[inline]
    pub(super) fn is_named(&self, bytes: &[u8], name: &[u8], bit: u8) -> bool {
        // One of the two differs mostly, and who asks mostly asks in lower case.
        self.bit == bit
            && self.name_len as usize == name.len()
            && bytes
                .get(self.start as usize..self.value_start())
                .is_some_and(|own| own == name || own.eq_ignore_ascii_case(name))
    }
}

/// Everything fits: a map has a limit far below 4 GiB, and the arena is collected before it has five times as much.
fn narrow(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

impl Arena {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), live: 0 }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn live(&self) -> usize {
        self.live
    }

    pub(super) fn name(&self, entry: &Entry) -> &[u8] {
        self.bytes.get(entry.start as usize..entry.value_start()).unwrap_or_default()
    }

    pub(super) fn value(&self, entry: &Entry) -> &[u8] {
        let start = entry.value_start();
        self.bytes.get(start..start + entry.value_len()).unwrap_or_default()
    }

    /// Writes a header at the end, its name in lower case.
    pub(super) fn write(&mut self, name: &[u8], value: &[u8]) -> Entry {
        let start = self.bytes.len();
        self.bytes.reserve(name.len() + value.len());
        self.bytes.extend_from_slice(name);
        self.bytes.get_mut(start..).unwrap_or_default().make_ascii_lowercase();
        self.written(start, name.len(), value, false)
    }

    /// The same for a name that a decoder has checked and lowered.
    pub(super) fn write_checked(&mut self, name: impl ExactSizeIterator<Item = u8>, value: &[u8]) -> Entry {
        let start = self.bytes.len();
        let name_len = name.len();
        self.bytes.reserve(name_len + value.len());
        self.bytes.extend(name);
        self.written(start, name_len, value, true)
    }

    fn written(&mut self, start: usize, name_len: usize, value: &[u8], checked: bool) -> Entry {
        self.bytes.extend_from_slice(value);
        self.live += name_len + value.len();
        let value_len = narrow(value.len());
        let bit = bit(self.bytes.get(start..start + name_len).unwrap_or_default());
        Entry { bit, checked, start: narrow(start), name_len: narrow(name_len), value_len, value_room: value_len }
    }

    /// The entry is no longer part of the map.
    pub(super) fn forget(&mut self, entry: &Entry) {
        self.live -= entry.size();
        if entry.end() == self.bytes.len() {
            self.bytes.truncate(entry.start as usize);
        }
    }

    pub(super) fn replace_value(&mut self, entry: &mut Entry, value: &[u8]) {
        self.live -= entry.value_len();
        entry.value_len = 0;
        self.extend_value(entry, value);
    }

    /// Adds bytes to a value: in its room, at the end of the arena, or after a move there with as much room again, so that many
    /// small extensions cost no more than one large one.
    pub(super) fn extend_value(&mut self, entry: &mut Entry, more: &[u8]) {
        let len = entry.value_len() + more.len();
        if len > entry.value_room as usize {
            if entry.end() != self.bytes.len() {
                let start = self.bytes.len();
                let value_end = entry.value_start() + entry.value_len();
                self.bytes.extend_from_within(entry.start as usize..value_end);
                entry.start = narrow(start);
            }
            self.bytes.resize(entry.value_start() + len * 2, 0);
            entry.value_room = narrow(len * 2);
        }
        let at = entry.value_start() + entry.value_len();
        if let Some(room) = self.bytes.get_mut(at..at + more.len()) {
            room.copy_from_slice(more);
            entry.value_len = narrow(len);
            self.live += more.len();
        }
    }

    /// Whether most bytes (and not just a few) are what edits have left behind. Room for values is waste too; the factor is such that
    /// giving every value its room does not alone bring a collection, which would take it away again.
    pub(super) fn is_wasteful(&self) -> bool {
        self.bytes.len() > self.live * 4 + SLACK
    }

    pub(super) fn compact(&mut self, entries: &mut [Entry]) {
        let mut bytes = Vec::with_capacity(self.live + SLACK / 4);
        for entry in entries {
            let start = bytes.len();
            bytes.extend_from_slice(self.name(entry));
            bytes.extend_from_slice(self.value(entry));
            entry.start = narrow(start);
            entry.value_room = entry.value_len;
        }
        self.bytes = bytes;
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.live = 0;
    }
}
