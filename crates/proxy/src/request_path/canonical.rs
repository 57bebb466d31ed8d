//! The canonical form of a path: what Envoy's URL library makes of it (RFC 3986, section 6.2.2, and the habits of browsers).

/// Resolves `.` and `..`, turns backslashes to slashes, unescapes what needs no escape and escapes what does. Nothing if there is
/// a NUL in it.
pub(super) fn canonicalize(path: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(path.len() + 1);
    if !path.first().is_some_and(|first| is_slash(*first)) {
        out.push(b'/');
    }
    let mut at = 0;
    while let Some(rest) = path.get(at..).filter(|rest| !rest.is_empty()) {
        at += step(rest, &mut out)?;
    }
    Some(out)
}

/// Takes what begins `rest`; how many bytes that was.
fn step(rest: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let dot = dot_length(rest);
    if dot > 0 {
        let after = rest.get(dot..).unwrap_or_default();
        return Some(dot + if out.last() == Some(&b'/') { after_dot(after, out) } else { keep_dot(out) });
    }
    match rest {
        [0, ..] => None,
        [b'\\', ..] => {
            out.push(b'/');
            Some(1)
        }
        [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            match hex(*high) << 4 | hex(*low) {
                0 => return None,
                byte if is_unreserved(byte) => out.push(byte),
                _ => out.extend_from_slice(&[b'%', *high, *low]),
            }
            Some(3)
        }
        [b'%', ..] => {
            out.push(b'%');
            Some(1)
        }
        [byte, ..] => {
            if must_be_escaped(*byte) {
                let digit = |value: u8| b"0123456789ABCDEF".get(usize::from(value)).copied().unwrap_or_default();
                out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 0xf)]);
            } else {
                out.push(*byte);
            }
            Some(1)
        }
        [] => Some(1),
    }
}

/// A dot behind a slash: what follows says whether it means a directory. How many bytes of that were taken.
fn after_dot(after: &[u8], out: &mut Vec<u8>) -> usize {
    match after.first() {
        None => return 0,
        Some(next) if is_slash(*next) => return 1,
        Some(_) => {}
    }
    let second = dot_length(after);
    if second > 0 {
        match after.get(second) {
            None => {
                back_up(out);
                return second;
            }
            Some(next) if is_slash(*next) => {
                back_up(out);
                return second + 1;
            }
            Some(_) => {}
        }
    }
    keep_dot(out)
}

fn keep_dot(out: &mut Vec<u8>) -> usize {
    out.push(b'.');
    0
}

/// Takes away the last segment; the first slash stays.
fn back_up(out: &mut Vec<u8>) {
    out.pop();
    let end = out.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    out.truncate(end);
    if out.is_empty() {
        out.push(b'/');
    }
}

/// How many bytes a dot takes, escaped or not; 0 if there is none.
fn dot_length(rest: &[u8]) -> usize {
    match rest {
        [b'.', ..] => 1,
        [b'%', b'2', b'e' | b'E', ..] => 3,
        _ => 0,
    }
}

fn is_slash(byte: u8) -> bool {
    matches!(byte, b'/' | b'\\')
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~')
}

fn must_be_escaped(byte: u8) -> bool {
    !byte.is_ascii_graphic() || matches!(byte, b'"' | b'#' | b'<' | b'>' | b'?' | b'^' | b'`' | b'{' | b'|' | b'}')
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        digit => (digit | 0x20).wrapping_sub(b'a').wrapping_add(10),
    }
}

#[cfg(test)]
mod tests {
    use super::canonicalize;

    #[test]
    fn paths_become_canonical() {
        for (path, canonical) in [
            ("/a/b", Some("/a/b")),
            ("/a/./b/../c", Some("/a/c")),
            ("/../../a", Some("/a")),
            ("/a/..", Some("/")),
            ("/a/.", Some("/a/")),
            ("/a/.b/..c/d.", Some("/a/.b/..c/d.")),
            ("/a/%2e%2E/b/%2e/c", Some("/b/c")),
            ("/a\\b\\..\\c", Some("/a/c")),
            ("/%41%2d%2F%2f%zz%", Some("/A-%2F%2f%zz%")),
            ("/a b\"<>^`{|}", Some("/a%20b%22%3C%3E%5E%60%7B%7C%7D")),
            ("/\u{e9}", Some("/%C3%A9")),
            ("/%00", None),
            ("a", Some("/a")),
            ("", Some("/")),
        ] {
            let result = canonicalize(path.as_bytes()).map(|path| String::from_utf8_lossy(&path).into_owned());
            assert_eq!(result.as_deref(), canonical, "{path}");
        }
    }
}
