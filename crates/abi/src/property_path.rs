//! Property paths: segments joined by NUL.

/// The segments of a path as a guest sent it.
///
/// The C++ SDK ends every segment with NUL, the others only put NUL between them; both are read alike.
/// A segment may contain dots. The empty path has no segments; a path that begins with NUL has an empty
/// first segment, which names nothing (observed in Envoy 1.40).
pub fn segments(path: &[u8]) -> Segments<'_> {
    Segments { rest: path }
}

/// Iterator over the segments of a property path.
#[derive(Clone, Debug)]
pub struct Segments<'a> {
    rest: &'a [u8],
}

impl<'a> Segments<'a> {
    /// What has not been iterated yet, as it was sent; useful when the rest is one name with NULs.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let mut parts = self.rest.splitn(2, |byte| *byte == 0);
        let segment = parts.next()?;
        self.rest = parts.next().unwrap_or_default();
        Some(segment)
    }
}

#[cfg(test)]
mod tests {
    use super::segments;

    fn split(path: &[u8]) -> Vec<&[u8]> {
        segments(path).collect()
    }

    #[test]
    fn both_forms_read_alike() {
        assert_eq!(split(b"request\0path"), [b"request".as_slice(), b"path"]);
        assert_eq!(split(b"request\0path\0"), [b"request".as_slice(), b"path"]);
        assert_eq!(split(b"plugin_root_id"), [b"plugin_root_id"]);
    }

    #[test]
    fn dots_do_not_split() {
        assert_eq!(split(b"metadata\0envoy.filters.http.x"), [b"metadata".as_slice(), b"envoy.filters.http.x"]);
    }

    #[test]
    fn empty_segments_stay() {
        assert!(split(b"").is_empty());
        assert_eq!(split(b"\0"), [b""]);
        assert_eq!(split(b"\0a"), [b"".as_slice(), b"a"]);
        assert_eq!(split(b"a\0\0b"), [b"a".as_slice(), b"", b"b"]);
        assert_eq!(split(b"a\0\0"), [b"a".as_slice(), b""]);
    }

    #[test]
    fn the_rest_is_left() {
        let mut path = segments(b"a\0b\0c");
        path.next();
        assert_eq!(path.rest(), b"b\0c");
    }
}
