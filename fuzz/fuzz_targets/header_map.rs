#![no_main]

use libfuzzer_sys::fuzz_target;
use sandgate_http::{HeaderMap, HeaderMapKind};

const NAMES: [&[u8]; 8] = [b":path", b":x", b"Host", b"accept", b"via", b"Grpc-Status", b"a", b"cookie"];

/// Lines in a plain vector; whatever the map does is done here by its definition.
fn append(lines: &mut Vec<(Vec<u8>, Vec<u8>)>, name: &[u8], value: &[u8]) {
    let pseudo = lines.iter().take_while(|(name, _)| name.starts_with(b":")).count();
    let at = if name.starts_with(b":") { pseudo } else { lines.len() };
    lines.insert(at, (name.to_vec(), value.to_vec()));
}

fuzz_target!(|data: &[u8]| {
    let [kind, edits @ ..] = data else { return };
    let kind = match kind % 4 {
        0 => HeaderMapKind::Plain,
        1 => HeaderMapKind::Request,
        2 => HeaderMapKind::Response,
        _ => HeaderMapKind::ResponseTrailers,
    };
    let mut map = HeaderMap::with_kind(kind);
    let mut lines = Vec::new();
    for edit in edits.chunks_exact(3) {
        let name = NAMES[usize::from(edit[0] >> 5)];
        let value = vec![edit[1]; usize::from(edit[2]).pow(if edit[1] % 16 == 0 { 2 } else { 1 })];
        let mut canonical = name.to_ascii_lowercase();
        if kind == HeaderMapKind::Request && canonical == b"host" {
            canonical = b":authority".to_vec();
        }
        match edit[0] % 3 {
            0 => {
                map.append(name, &value);
                append(&mut lines, &canonical, &value);
            }
            1 => {
                map.replace(name, &value);
                lines.retain(|(name, _)| *name != canonical);
                append(&mut lines, &canonical, &value);
            }
            _ => {
                let count = lines.len();
                lines.retain(|(name, _)| *name != canonical);
                assert_eq!(map.remove(name), count - lines.len());
            }
        }
        if lines.len() >= HeaderMap::MAX_HEADERS || map.byte_size() > HeaderMap::MAX_BYTES / 2 {
            return;
        }
        assert!(map.iter().eq(lines.iter().map(|(name, value)| (&name[..], &value[..]))));
        // The joining edits have no model here: they must keep the map whole.
        let mut other = map.clone();
        other.add(name, &value);
        other.set(name, &value);
        assert_eq!(other.get(name), Some(&value[..]));
        assert_eq!(other.byte_size(), other.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>());
    }
});
