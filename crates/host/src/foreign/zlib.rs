//! `compress` and `uncompress`: zlib streams (RFC 1950).

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status as Progress};

/// How an attempt to uncompress went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Uncompressed {
    Whole,
    /// It is no zlib stream, or not a whole one.
    Malformed,
    /// More than was allowed would come of it.
    TooLarge,
}

/// Appends what `data` compresses to, at zlib's default level. `false` if that fails.
pub(crate) fn compress(data: &[u8], out: &mut Vec<u8>) -> bool {
    let mut zlib = Compress::new(Compression::default(), true);
    loop {
        out.reserve(256.max(data.len() / 2));
        let rest = data.get(usize::try_from(zlib.total_in()).unwrap_or(usize::MAX)..).unwrap_or_default();
        match zlib.compress_vec(rest, out, FlushCompress::Finish) {
            Ok(Progress::StreamEnd) => return true,
            Ok(Progress::Ok | Progress::BufError) => {}
            Err(_) => return false,
        }
    }
}

/// Appends what the zlib stream `data` holds, if that is at most `most` bytes; what follows the stream is ignored (as in Envoy).
pub(crate) fn uncompress(data: &[u8], most: usize, out: &mut Vec<u8>) -> Uncompressed {
    let mut zlib = Decompress::new(true);
    loop {
        let done = out.len();
        if done > most {
            return Uncompressed::TooLarge;
        }
        // One byte more than is allowed tells whether there is more.
        out.reserve((data.len() * 2).max(done).clamp(64, most.saturating_sub(done).saturating_add(1).max(64)));
        let read = zlib.total_in();
        let rest = data.get(usize::try_from(read).unwrap_or(usize::MAX)..).unwrap_or_default();
        match zlib.decompress_vec(rest, out, FlushDecompress::Finish) {
            Ok(Progress::StreamEnd) if out.len() > most => return Uncompressed::TooLarge,
            Ok(Progress::StreamEnd) => return Uncompressed::Whole,
            // Nothing moved although there was room: the stream was cut short.
            Ok(_) if out.len() == done && zlib.total_in() == read => return Uncompressed::Malformed,
            Ok(_) => {}
            Err(_) => return Uncompressed::Malformed,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn squeezed(data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        assert!(compress(data, &mut out));
        out
    }

    #[test]
    fn what_is_compressed_comes_back() {
        let noise: Vec<u8> = (0..100_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
        for data in [&b""[..], b"a", &[b'x'; 2000], &noise] {
            let mut back = Vec::new();
            assert_eq!(uncompress(&squeezed(data), data.len(), &mut back), Uncompressed::Whole);
            assert_eq!(back, data);
        }
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let bomb = squeezed(&vec![0; 1 << 20]);
        let mut out = Vec::new();
        assert_eq!(uncompress(&bomb, (1 << 20) - 1, &mut out), Uncompressed::TooLarge);
        assert!(out.capacity() <= 2 << 20);
        out.clear();
        assert_eq!(uncompress(&bomb, 1 << 20, &mut out), Uncompressed::Whole);
        out = Vec::new();
        assert_eq!(uncompress(&bomb, 10, &mut out), Uncompressed::TooLarge);
        assert!(out.capacity() < 4096);
    }

    #[test]
    fn broken_streams_are_told() {
        let whole = squeezed(&[b'y'; 500]);
        for cut in 0..whole.len() {
            assert_eq!(
                uncompress(whole.get(..cut).unwrap(), 1 << 20, &mut Vec::new()),
                Uncompressed::Malformed,
                "{cut}"
            );
        }
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        assert_eq!(uncompress(&flipped, 1 << 20, &mut Vec::new()), Uncompressed::Malformed);
        let more = [&whole[..], b"tail"].concat();
        assert_eq!(uncompress(&more, 1 << 20, &mut Vec::new()), Uncompressed::Whole);
    }
}
