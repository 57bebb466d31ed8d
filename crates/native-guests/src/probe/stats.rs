//! What a stats sink is shown: a block of counters, then one of gauges.

/// A longer name is none: the block has ended.
const LONGEST_NAME: u32 = 1024;
/// No more are told.
const MOST: usize = 64;

struct Cursor<'a> {
    blocks: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, size: usize) -> Option<&'a [u8]> {
        let taken = self.blocks.get(self.at..)?.get(..size)?;
        self.at += size;
        Some(taken)
    }

    fn word(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(*self.take(4)?.first_chunk()?))
    }

    fn long(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(*self.take(8)?.first_chunk()?))
    }
}

/// Lines of the stats whose names begin so, in order of their names, joined by `; `.
pub(super) fn told(blocks: &[u8], prefix: &[u8]) -> Vec<u8> {
    let mut found = Vec::new();
    let mut cursor = Cursor { blocks, at: 0 };
    for kind in 1..=2 {
        if block(&mut cursor, kind, prefix, &mut found).is_none() {
            break;
        }
    }
    found.sort();
    let lines: Vec<_> = found.into_iter().map(|(_, line)| line).collect();
    lines.join(&b"; "[..])
}

/// One block; `None` if it is not there.
fn block<'a>(cursor: &mut Cursor<'a>, kind: u32, prefix: &[u8], found: &mut Vec<(&'a [u8], Vec<u8>)>) -> Option<()> {
    let start = cursor.at;
    let size = usize::try_from(cursor.word()?).ok()?;
    if cursor.word()? != kind {
        return None;
    }
    cursor.word()?;
    while cursor.at - start < size {
        let Some(length) = cursor.word().filter(|length| (1..=LONGEST_NAME).contains(length)) else { break };
        let Some(name) = cursor.take(usize::try_from(length).ok()?) else { break };
        cursor.at = cursor.at.next_multiple_of(8);
        let Some(value) = cursor.long() else { break };
        let mut line = [if kind == 1 { &b"counter "[..] } else { b"gauge " }, name].concat();
        line.extend_from_slice(format!(" {value}").as_bytes());
        if kind == 1 {
            let Some(delta) = cursor.long() else { break };
            line.extend_from_slice(format!(" +{delta}").as_bytes());
        }
        if name.starts_with(prefix) && found.len() < MOST {
            found.push((name, line));
        }
    }
    Some(())
}
