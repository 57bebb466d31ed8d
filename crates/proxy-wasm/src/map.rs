//! Maps and property paths as bytes.

use sandgate_abi::pairs;

/// The byte form of a map.
pub(crate) fn serialized<'a, V>(map: &'a [(&'a str, V)]) -> Vec<u8>
where
    V: AsRef<[u8]>,
{
    let mut bytes = Vec::new();
    pairs::encode(map.iter().map(|(name, value)| (name.as_bytes(), value.as_ref())), &mut bytes);
    bytes
}

/// The segments, with NUL between them.
pub(crate) fn path(segments: &[&str]) -> Vec<u8> {
    segments.join("\0").into_bytes()
}

/// What the host wrote; `None` for what is no map. Without [`pairs::decode`]'s bounds, which are for what guests write.
pub(crate) fn deserialized(bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let Some((count, rest)) = bytes.split_first_chunk() else { return bytes.is_empty().then(Vec::new) };
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    let (lengths, mut data) = rest.split_at_checked(count.checked_mul(8)?)?;
    let mut field = |length: &[u8; 4]| {
        let (field, after) = data.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        data = after.split_first()?.1;
        Some(field)
    };
    let pair = |lengths: &[u8]| {
        let (name, rest) = lengths.split_first_chunk()?;
        Some((field(name)?, field(rest.first_chunk()?)?))
    };
    lengths.chunks_exact(8).map(pair).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn maps_come_back_as_they_went() {
        let map = [("a", "1"), ("", ""), ("a", "two")];
        let bytes = serialized(&map);
        let back: Vec<_> = deserialized(&bytes).unwrap();
        assert_eq!(back, map.map(|(name, value)| (name.as_bytes(), value.as_bytes())));
        assert_eq!(deserialized(&[]), Some(Vec::new()));
        assert_eq!(deserialized(&[0; 4]), Some(Vec::new()));
    }

    #[test]
    fn a_map_that_ends_early_is_none() {
        let bytes = serialized(&[("name", "value")]);
        for end in 1..bytes.len() {
            assert_eq!(deserialized(&bytes[..end]), None, "{end}");
        }
        assert_eq!(deserialized(&[0xff; 12]), None);
    }

    #[test]
    fn paths_have_no_last_nul() {
        assert_eq!(path(&["request", "path"]), b"request\0path");
        assert_eq!(path(&[]), b"");
    }
}
