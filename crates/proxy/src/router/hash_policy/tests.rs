#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::time::Duration;

use sandgate_config::model::{Regex, RegexRewrite};

use super::*;

fn policy(specifier: HashSpecifier) -> HashPolicy {
    HashPolicy { specifier, terminal: false }
}

fn header(name: &str) -> HashPolicy {
    policy(HashSpecifier::Header { name: name.to_owned(), rewrite: None })
}

fn ends() -> Ends {
    let remote = Some(([127, 0, 0, 1], 39555).into());
    Ends { remote, direct_remote: remote, local: Some(([127, 0, 0, 1], 9974).into()) }
}

fn hash(policies: &[HashPolicy], headers: &[(&str, &str)]) -> RequestHash {
    let mut map = HeaderMap::new();
    headers.iter().for_each(|(name, value)| map.append(name.as_bytes(), value.as_bytes()));
    of_headers(policies, &map, ends())
}

#[test]
fn what_is_not_there_has_no_hash() {
    let cookie = HashCookie { name: "c".to_owned(), ..HashCookie::default() };
    let policies = [
        header("x"),
        policy(HashSpecifier::Cookie(cookie)),
        policy(HashSpecifier::QueryParameter("q".to_owned())),
        policy(HashSpecifier::FilterState),
    ];
    assert_eq!(hash(&policies, &[(":path", "/?p=1"), ("cookie", "d=1; c=")]), RequestHash::default());
}

#[test]
fn values_and_their_order() {
    let one = hash(&[header("x")], &[("x", "a")]).hash;
    assert_eq!(one, Some(xxh64(b"a", 0)));
    let two = hash(&[header("x")], &[("x", "a"), ("x", "b")]).hash;
    assert_eq!(two, Some(xxh64(b"b", xxh64(b"a", 0))));
    assert_eq!(two, hash(&[header("x")], &[("x", "b"), ("x", "a")]).hash);
    let rewrite = RegexRewrite::new(Regex::new("^(.).*").unwrap(), r"\1");
    let rewritten = policy(HashSpecifier::Header { name: "x".to_owned(), rewrite: Some(rewrite) });
    assert_eq!(hash(&[rewritten], &[("x", "abc")]).hash, one);
    let query = policy(HashSpecifier::QueryParameter("q".to_owned()));
    assert_eq!(hash(&[query], &[(":path", "/?p=1&q=a&q=b")]).hash, one);
    assert_eq!(hash(&[policy(HashSpecifier::SourceIp)], &[]).hash, Some(xxh64(b"127.0.0.1", 0)));
}

#[test]
fn policies_add_up_until_a_terminal_one() {
    let (a, b) = (xxh64(b"a", 0), xxh64(b"b", 0));
    let headers = [("x", "a"), ("y", "b")];
    assert_eq!(hash(&[header("x"), header("y")], &headers).hash, Some(a.rotate_left(1) ^ b));
    assert_eq!(hash(&[header("x"), header("x")], &headers).hash, Some(a.rotate_left(1) ^ a));
    let terminal = |name| HashPolicy { terminal: true, ..header(name) };
    assert_eq!(hash(&[terminal("x"), header("y")], &headers).hash, Some(a));
    assert_eq!(hash(&[terminal("z"), header("y")], &headers).hash, Some(b));
}

/// From Envoy 1.40: the same connection got this cookie.
#[test]
fn a_missing_cookie_is_set() {
    let cookie = |ttl: u64, path: &str, attributes: &[(&str, &str)]| {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let ttl = Some(Duration::from_secs(ttl));
        [policy(HashSpecifier::Cookie(HashCookie { name: "c1".to_owned(), ttl, path: path.to_owned(), attributes }))]
    };
    let set = hash(&cookie(0, "", &[]), &[]);
    assert_eq!(set.cookies, [br#"c1="0ed53284db4daf87"; HttpOnly"#]);
    assert_eq!(set.hash, Some(xxh64(b"0ed53284db4daf87", 0)));
    let set = hash(&cookie(7, "/x", &[("SameSite", "Strict"), ("Secure", "")]), &[("cookie", "c1=")]);
    let wanted = br#"c1="0ed53284db4daf87"; Max-Age=7; Path=/x; SameSite=Strict; Secure; HttpOnly"#;
    assert_eq!(set.cookies, [wanted]);
    assert_eq!(hash(&cookie(7, "", &[]), &[("cookie", "a=1; c1=\"v\"")]).cookies, Vec::<Vec<u8>>::new());
}
