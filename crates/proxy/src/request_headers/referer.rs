//! Which `referer` values Envoy passes on.

/// An absolute URL without user information and fragment, or a relative reference without a fragment (RFC 9110,
/// section 10.1.3).
pub(super) fn is_valid(value: &[u8]) -> bool {
    if value.contains(&b'#') {
        return false;
    }
    if let Some(rest) = after_scheme(value) {
        let authority = rest.split(|byte| matches!(byte, b'/' | b'?')).next().unwrap_or_default();
        return !authority.is_empty() && !authority.contains(&b'@');
    }
    let mut seen_slash = false;
    value.iter().all(|byte| match byte {
        // The first segment of a relative path cannot have a colon.
        b':' => seen_slash,
        b'/' => {
            seen_slash = true;
            true
        }
        byte => byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=@?".contains(byte),
    })
}

/// What follows `http://` or another scheme.
fn after_scheme(value: &[u8]) -> Option<&[u8]> {
    let at = value.windows(3).position(|window| window == b"://")?;
    let scheme = value.get(..at)?;
    let plain = !scheme.is_empty() && scheme.iter().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b));
    if plain { value.get(at + 3..) } else { None }
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn fragments_and_users_are_refused() {
        for good in ["foo", "/a/b?c=d", "http://a.com/x", "https://a.com:8080/?x=y@z", ""] {
            assert!(is_valid(good.as_bytes()), "{good}");
        }
        for bad in ["http://u@a.com/", "http://a.com/#f", "/a#f", "a:b", "http:///x", "a b"] {
            assert!(!is_valid(bad.as_bytes()), "{bad}");
        }
    }
}
