//! Names of attributes that Envoy had until 1.33, for plugins that still ask for them.

use smallvec::SmallVec;

use crate::segments;

/// Roots of old, each of which is now a member of `xds`.
const NAMES: [&[u8]; 8] = [
    b"node",
    b"cluster_name",
    b"cluster_metadata",
    b"route_name",
    b"route_metadata",
    b"upstream_host_metadata",
    b"listener_direction",
    b"listener_metadata",
];

/// Whether `root` is a name that has moved below `xds`.
#[must_use]
pub fn is_old_name(root: &[u8]) -> bool {
    NAMES.contains(&root)
}

/// The path of today for an old one; `None` if it is not old.
#[must_use]
pub fn renamed(path: &[u8]) -> Option<SmallVec<[u8; 64]>> {
    is_old_name(segments(path).next()?).then(|| {
        let mut now = SmallVec::from_slice(b"xds\0");
        now.extend_from_slice(path);
        now
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn only_roots_are_renamed() {
        assert_eq!(*renamed(b"node").unwrap(), *b"xds\0node");
        assert_eq!(
            *renamed(b"route_metadata\0filter_metadata\0n\0").unwrap(),
            *b"xds\0route_metadata\0filter_metadata\0n\0"
        );
        for path in [&b""[..], b"nodes", b"xds\0node", b"\0node", b"request\0node"] {
            assert_eq!(renamed(path), None, "{}", path.escape_ascii());
        }
    }
}
