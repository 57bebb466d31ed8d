//! The fields that one side has sent and both remember (RFC 7541 §2.3.2).

use std::collections::VecDeque;

/// What an entry counts beside its bytes.
const OVERHEAD: usize = 32;

/// Fields by age, in one buffer.
#[derive(Debug)]
pub(super) struct DynamicTable {
    /// The newest is the last.
    entries: VecDeque<Entry>,
    /// Of each entry, in the same order: a table full of request ids is looked through for every field.
    fields: VecDeque<u32>,
    names: VecDeque<u32>,
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

/// Numbers by which fields are told apart; equal ones may be of different fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    name: u32,
    field: u32,
}

// === impl Tag ===

impl Tag {
    pub(super) fn new(name: &[u8], value: &[u8]) -> Self {
        let (name, field) = (mix(0, name), mix(1, value));
        Self { name: name as u32, field: (name.rotate_left(17) ^ field) as u32 }
    }
}

/// Eight bytes at a time.
fn mix(seed: u64, bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let step = |sum: u64, word: u64| {
        let product = (sum ^ word).wrapping_mul(FACTOR);
        product ^ product >> 32
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let sum = words.iter().fold(step(seed, bytes.len() as u64), |sum, word| step(sum, u64::from_le_bytes(*word)));
    step(sum, rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)))
}

// === impl DynamicTable ===

impl DynamicTable {
    pub(super) fn new(max_size: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            fields: VecDeque::new(),
            names: VecDeque::new(),
            bytes: Vec::new(),
            oldest: 0,
            size: 0,
            max_size,
        }
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

    /// How many fields before the newest this one came last.
    pub(super) fn find_field(&self, tag: Tag, name: &[u8], value: &[u8]) -> Option<usize> {
        self.find(&self.fields, tag.field, |field| field == (name, value))
    }

    /// How many fields before the newest one of this name came last.
    pub(super) fn find_name(&self, tag: Tag, name: &[u8]) -> Option<usize> {
        self.find(&self.names, tag.name, |field| field.0 == name)
    }

    fn find(&self, tags: &VecDeque<u32>, tag: u32, is: impl Fn((&[u8], &[u8])) -> bool) -> Option<usize> {
        let (older, newer) = tags.as_slices();
        // Most fields are not there; that is seen for many entries at once.
        if !newer.contains(&tag) && !older.contains(&tag) {
            return None;
        }
        (0..tags.len()).find(|age| {
            let at = tags.len() - 1 - age;
            tags.get(at) == Some(&tag) && self.get(*age).is_some_and(&is)
        })
    }

    /// `tag` is the field's, where fields are looked for.
    pub(super) fn insert(&mut self, tag: Option<Tag>, name: &[u8], value: &[u8]) {
        let size = name.len() + value.len() + OVERHEAD;
        self.evict(self.max_size.saturating_sub(size));
        if size > self.max_size {
            return;
        }
        self.collect();
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(value);
        if let Some(tag) = tag {
            self.fields.push_back(tag.field);
            self.names.push_back(tag.name);
        }
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
            self.fields.pop_front();
            self.names.pop_front();
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

    fn insert(table: &mut DynamicTable, name: &[u8], value: &[u8]) {
        table.insert(Some(Tag::new(name, value)), name, value);
    }

    fn find(table: &DynamicTable, name: &[u8], value: &[u8]) -> (Option<usize>, Option<usize>) {
        let tag = Tag::new(name, value);
        (table.find_field(tag, name, value), table.find_name(tag, name))
    }

    #[test]
    fn the_newest_is_found() {
        let mut table = DynamicTable::new(4096);
        for (name, value) in [("a", "1"), ("b", "1"), ("a", "2"), ("a", "1"), ("b", "2")] {
            insert(&mut table, name.as_bytes(), value.as_bytes());
        }
        assert_eq!(find(&table, b"a", b"1"), (Some(1), Some(1)));
        assert_eq!(find(&table, b"a", b"2"), (Some(2), Some(1)));
        assert_eq!(find(&table, b"b", b"1"), (Some(3), Some(0)));
        assert_eq!(find(&table, b"b", b"3"), (None, Some(0)));
        assert_eq!(find(&table, b"c", b"1"), (None, None));
    }

    #[test]
    fn equal_tags_are_no_equal_fields() {
        let mut table = DynamicTable::new(4096);
        let tag = Tag::new(b"a", b"1");
        [(b"a", b"1"), (b"b", b"1"), (b"a", b"2")]
            .iter()
            .for_each(|(name, value)| table.insert(Some(tag), *name, *value));
        assert_eq!((table.find_field(tag, b"a", b"1"), table.find_field(tag, b"b", b"2")), (Some(2), None));
        assert_eq!((table.find_name(tag, b"a"), table.find_name(tag, b"b")), (Some(0), Some(1)));
    }

    #[test]
    fn tags_tell_fields_apart() {
        let fields = [("", ""), ("a", ""), ("", "a"), ("ab", "c"), ("a", "bc"), ("12345678", "9"), ("1234567", "89")];
        let tags = fields.map(|(name, value)| Tag::new(name.as_bytes(), value.as_bytes()).field);
        assert!(tags.iter().enumerate().all(|(at, tag)| !tags[..at].contains(tag)), "{tags:?}");
    }

    #[test]
    fn the_oldest_goes_first() {
        let mut table = DynamicTable::new(2 * (OVERHEAD + 2));
        insert(&mut table, b"a", b"1");
        insert(&mut table, b"b", b"2");
        assert_eq!((table.get(0), table.get(1)), (Some((&b"b"[..], &b"2"[..])), Some((&b"a"[..], &b"1"[..]))));
        insert(&mut table, b"c", b"3");
        assert_eq!((table.get(1), table.get(2)), (Some((&b"b"[..], &b"2"[..])), None));
        // What is larger than the table empties it.
        insert(&mut table, &[b'x'; 100], b"");
        assert_eq!((table.get(0), table.size), (None, 0));
    }

    #[test]
    fn memory_is_bounded() {
        let mut table = DynamicTable::new(4096);
        for number in 0..10_000_u32 {
            insert(&mut table, b"name", &number.to_be_bytes());
            assert!(table.size <= 4096 && table.bytes.len() <= 10_000);
            assert_eq!(table.get(0), Some((&b"name"[..], &number.to_be_bytes()[..])));
        }
        table.set_max_size(0);
        assert_eq!((table.entries.len(), table.fields.len(), table.names.len(), table.size), (0, 0, 0, 0));
    }
}
