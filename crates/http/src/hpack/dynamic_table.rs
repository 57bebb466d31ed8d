//! The fields that one side has sent and both remember (RFC 7541 §2.3.2).

use std::collections::VecDeque;

/// What an entry counts beside its bytes.
const OVERHEAD: usize = 32;

/// Fields by age, in one buffer.
#[derive(Debug)]
pub(super) struct DynamicTable {
    /// The newest is the last.
    entries: VecDeque<Entry>,
    bytes: Vec<u8>,
    /// Where the oldest entry begins in `bytes`.
    oldest: usize,
    size: usize,
    max_size: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: usize,
    name: usize,
    value: usize,
}

// === impl DynamicTable ===

impl DynamicTable {
    pub(super) fn new(max_size: usize) -> Self {
        Self { entries: VecDeque::new(), bytes: Vec::new(), oldest: 0, size: 0, max_size }
    }

    pub(super) fn max_size(&self) -> usize {
        self.max_size
    }

    /// Lets go what has no room any more.
    pub(super) fn set_max_size(&mut self, max_size: usize) {
        self.max_size = max_size;
        self.evict(max_size);
    }

    /// The field that came `age` fields before the newest.
    pub(super) fn get(&self, age: usize) -> Option<(&[u8], &[u8])> {
        let at = self.entries.len().checked_sub(age)?.checked_sub(1)?;
        self.fields_of(*self.entries.get(at)?)
    }

    /// From the newest to the oldest.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries.iter().rev().filter_map(|entry| self.fields_of(*entry))
    }

    pub(super) fn insert(&mut self, name: &[u8], value: &[u8]) {
        let size = name.len() + value.len() + OVERHEAD;
        self.evict(self.max_size.saturating_sub(size));
        if size > self.max_size {
            return;
        }
        self.collect();
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(value);
        self.entries.push_back(Entry { start, name: name.len(), value: value.len() });
        self.size += size;
    }

    fn fields_of(&self, entry: Entry) -> Option<(&[u8], &[u8])> {
        self.bytes.get(entry.start..entry.start + entry.name + entry.value)?.split_at_checked(entry.name)
    }

    fn evict(&mut self, size: usize) {
        while self.size > size
            && let Some(entry) = self.entries.pop_front()
        {
            self.size -= entry.name + entry.value + OVERHEAD;
            self.oldest = entry.start + entry.name + entry.value;
        }
    }

    /// Gives back the room of what is gone, once it is more than what is there.
    fn collect(&mut self) {
        if self.oldest > self.size.max(1024) {
            self.bytes.drain(..self.oldest);
            self.entries.iter_mut().for_each(|entry| entry.start -= self.oldest);
            self.oldest = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first() {
        let mut table = DynamicTable::new(2 * (OVERHEAD + 2));
        table.insert(b"a", b"1");
        table.insert(b"b", b"2");
        assert_eq!((table.get(0), table.get(1)), (Some((&b"b"[..], &b"2"[..])), Some((&b"a"[..], &b"1"[..]))));
        table.insert(b"c", b"3");
        assert_eq!((table.get(1), table.get(2)), (Some((&b"b"[..], &b"2"[..])), None));
        // What is larger than the table empties it.
        table.insert(&[b'x'; 100], b"");
        assert_eq!((table.get(0), table.size), (None, 0));
    }

    #[test]
    fn memory_is_bounded() {
        let mut table = DynamicTable::new(4096);
        for number in 0..10_000_u32 {
            table.insert(b"name", &number.to_be_bytes());
            assert!(table.size <= 4096 && table.bytes.len() <= 10_000);
            assert_eq!(table.get(0), Some((&b"name"[..], &number.to_be_bytes()[..])));
        }
        table.set_max_size(0);
        assert_eq!((table.iter().count(), table.size), (0, 0));
    }
}
