//! Whether a response holds what it must.

use bytes::Bytes;

/// Whether all of `wanted` is in `found`, one after the other, with anything in between.
pub(super) fn matches(wanted: &[Bytes], found: &[u8]) -> bool {
    let mut rest = found;
    wanted.iter().all(|segment| match memchr::memmem::find(rest, segment) {
        Some(at) => {
            rest = rest.get(at + segment.len()..).unwrap_or_default();
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_follow_each_other() {
        let wanted =
            |texts: &[&'static str]| texts.iter().map(|text| Bytes::from_static(text.as_bytes())).collect::<Vec<_>>();
        for (segments, found, expected) in [
            (&[][..], "", true),
            (&["ab"], "xxabyy", true),
            (&["ab", "cd"], "ab--cd", true),
            (&["cd", "ab"], "ab--cd", false),
            (&["aa", "aa"], "aaa", false),
            (&["aa", "aa"], "aaaa", true),
            (&["ab"], "a", false),
        ] {
            assert_eq!(matches(&wanted(segments), found.as_bytes()), expected, "{segments:?} in {found}");
        }
    }
}
