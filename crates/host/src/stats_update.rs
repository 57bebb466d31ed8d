//! What a stats sink is shown: two blocks of bytes, as Envoy lays them out.
//!
//! A block is its size in bytes, its kind and the number of its stats, each a little-endian `u32`, and its stats: the length of a
//! name (`u32`), the name, zeros up to a multiple of 8 from the first block's start, then `u64`s. The block of counters comes
//! first. Envoy 1.40 puts other numbers in the heads, which a reader cannot use: as number of stats that of all, though only those
//! in use follow, and as size of the gauges' block one that is far too great (and not the same twice).

use bytes::{BufMut, Bytes, BytesMut};

/// A stat as a sink is shown it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdatedStat<'a> {
    /// A counter.
    Counter {
        /// Its name.
        name: &'a str,
        /// What it has counted.
        value: u64,
        /// How much of that since the last update.
        delta: u64,
    },
    /// A gauge.
    Gauge {
        /// Its name.
        name: &'a str,
        /// Its value.
        value: u64,
    },
}

const COUNTERS: u32 = 1;
const GAUGES: u32 = 2;
/// Size, kind and number.
const HEAD: usize = 12;

/// Both blocks.
pub(crate) fn encode(stats: &[UpdatedStat<'_>]) -> Bytes {
    let mut out = BytesMut::new();
    let counters = stats.iter().filter(|stat| matches!(stat, UpdatedStat::Counter { .. }));
    block(&mut out, COUNTERS, counters);
    let gauges = stats.iter().filter(|stat| matches!(stat, UpdatedStat::Gauge { .. }));
    block(&mut out, GAUGES, gauges);
    out.freeze()
}

fn block<'a>(out: &mut BytesMut, kind: u32, stats: impl Iterator<Item = &'a UpdatedStat<'a>>) {
    let start = out.len();
    out.put_bytes(0, HEAD);
    let mut count: u32 = 0;
    for stat in stats {
        let (UpdatedStat::Counter { name, .. } | UpdatedStat::Gauge { name, .. }) = stat;
        out.put_u32_le(to_u32(name.len()));
        out.put_slice(name.as_bytes());
        out.put_bytes(0, out.len().next_multiple_of(8) - out.len());
        match *stat {
            UpdatedStat::Counter { value, delta, .. } => {
                out.put_u64_le(value);
                out.put_u64_le(delta);
            }
            UpdatedStat::Gauge { value, .. } => out.put_u64_le(value),
        }
        count += 1;
    }
    let size = to_u32(out.len() - start);
    if let Some(mut head) = out.get_mut(start..start + HEAD) {
        for number in [size, kind, count] {
            head.put_u32_le(number);
        }
    }
}

/// There are never so many stats.
fn to_u32(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn blocks_are_laid_out_as_in_envoy() {
        let stats = [
            UpdatedStat::Gauge { name: "gauge", value: 7 },
            UpdatedStat::Counter { name: "abc", value: 5, delta: 2 },
            UpdatedStat::Counter { name: "longer name", value: 1, delta: 0 },
        ];
        let mut expected = Vec::new();
        let mut put = |bytes: &[u8]| expected.extend_from_slice(bytes);
        // 12 + (4 + 3 + 5 + 16) + (4 + 11 + 1 + 16)
        [72u32, 1, 2].iter().for_each(|n| put(&n.to_le_bytes()));
        put(&3u32.to_le_bytes());
        put(b"abc\0\0\0\0\0");
        [5u64, 2].iter().for_each(|n| put(&n.to_le_bytes()));
        put(&11u32.to_le_bytes());
        put(b"longer name\0");
        [1u64, 0].iter().for_each(|n| put(&n.to_le_bytes()));
        // 12 + (4 + 5 + 3 + 8)
        [32u32, 2, 1].iter().for_each(|n| put(&n.to_le_bytes()));
        put(&5u32.to_le_bytes());
        put(b"gauge\0\0\0");
        put(&7u64.to_le_bytes());
        assert_eq!(encode(&stats), expected);
    }

    #[test]
    fn without_stats_there_are_two_heads() {
        let mut expected = Vec::new();
        [12u32, 1, 0, 12, 2, 0].iter().for_each(|n| expected.extend_from_slice(&n.to_le_bytes()));
        assert_eq!(encode(&[]), expected);
    }
}
