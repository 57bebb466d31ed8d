#![no_main]

use libfuzzer_sys::fuzz_target;
use sandgate_config::model;
use sandgate_http::HeaderMap;
use sandgate_matcher::{StringMatcher, cookies, parameters};

fn matches(pattern: model::StringPattern, ignore_case: bool, text: &[u8]) -> bool {
    StringMatcher::new(&model::StringMatcher { pattern, ignore_case }).matches(text)
}

// Matchers over a client's bytes agree with the plainest ones; cookies and parameters are parts of what they were read from.
fuzz_target!(|input: (&str, &[u8])| {
    let (pattern, text) = input;
    for ignore_case in [false, true] {
        let fold = |bytes: &[u8]| if ignore_case { bytes.to_ascii_lowercase() } else { bytes.to_vec() };
        let (wanted, given) = (fold(pattern.as_bytes()), fold(text));
        assert_eq!(matches(model::StringPattern::Exact(pattern.into()), ignore_case, text), given == wanted);
        if pattern.is_empty() {
            continue;
        }
        assert_eq!(
            matches(model::StringPattern::Prefix(pattern.into()), ignore_case, text),
            given.starts_with(&wanted)
        );
        assert_eq!(matches(model::StringPattern::Suffix(pattern.into()), ignore_case, text), given.ends_with(&wanted));
        let contains = given.windows(wanted.len()).any(|window| window == wanted);
        assert_eq!(matches(model::StringPattern::Contains(pattern.into()), ignore_case, text), contains);
    }
    let within = |part: &[u8]| part.is_empty() || text.windows(part.len()).any(|window| window == part);
    for (name, value) in parameters(text) {
        assert!(within(name) && within(value));
    }
    let mut headers = HeaderMap::new();
    headers.append(b"cookie", text);
    for (name, value) in cookies(&headers) {
        assert!(within(name) && within(value));
    }
});
