use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::*;

#[test]
fn keys_differ_in_each_part() {
    let key = |engine, settings: u64, module: &[u8]| Key::new(engine, &settings, module);
    let one = key("a", 1, b"m");
    assert_eq!(one, key("a", 1, b"m"));
    for other in [key("b", 1, b"m"), key("a", 2, b"m"), key("a", 1, b"n"), key("am", 1, b""), key("", 1, b"am")] {
        assert_ne!(one, other);
    }
    assert_eq!(one.file_name().len(), 64 + directory::SUFFIX.len());
}

#[test]
fn the_cache_of_a_user_is_where_the_environment_says() {
    let path = |variables: &[(&str, &str)]| {
        let variables: HashMap<_, _> = variables.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect();
        default_cache_path(|name| variables.get(name).map(OsString::from))
    };
    let at = |path: &str| Some(PathBuf::from(path));
    let all = [("CACHE_DIRECTORY", "/var/cache/a:/var/cache/b"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h")];
    assert_eq!(path(&all), at("/var/cache/a/modules"));
    assert_eq!(path(all.get(1..).unwrap_or_default()), at("/x/sandgate/modules"));
    assert_eq!(path(&[("HOME", "/h")]), at("/h/.cache/sandgate/modules"));
    assert_eq!(path(&[("XDG_CACHE_HOME", "relative"), ("HOME", "/h")]), at("/h/.cache/sandgate/modules"));
    assert_eq!(path(&[("HOME", "")]), None);
    assert_eq!(path(&[]), None);
}
