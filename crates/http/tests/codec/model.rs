//! The header map against a simple model of it, under many edits.

use sandgate_http::{HeaderMap, HeaderMapKind};

/// The same rules, written for plain vectors.
#[derive(Default)]
struct Model {
    kind: HeaderMapKind,
    lines: Vec<(Vec<u8>, Vec<u8>)>,
}

const INLINE: &[(HeaderMapKind, &[&str])] = &[
    (HeaderMapKind::Request, &[":path", ":authority", "accept", "via", "x-request-id"]),
    (HeaderMapKind::Response, &[":status", "via", "vary", "server", "grpc-status", "x-request-id"]),
    (HeaderMapKind::ResponseTrailers, &["grpc-status"]),
];

const NAMES: &[&str] = &[
    ":path",
    ":AUTHORITY",
    "host",
    "HOST",
    ":status",
    ":weird",
    "Accept",
    "via",
    "vary",
    "server",
    "grpc-status",
    "X-Request-Id",
    "a",
    "A",
    "set-cookie",
    "cookie",
    "x-long-name-of-a-header",
];

impl Model {
    fn name(&self, name: &[u8]) -> Vec<u8> {
        let name = name.to_ascii_lowercase();
        if self.kind == HeaderMapKind::Request && name == b"host" { b":authority".to_vec() } else { name }
    }

    fn is_inline(&self, name: &[u8]) -> bool {
        INLINE.iter().any(|(kind, names)| *kind == self.kind && names.iter().any(|n| n.as_bytes() == name))
    }

    fn append(&mut self, name: &[u8], value: &[u8]) {
        let name = self.name(name);
        let pseudo = self.lines.iter().take_while(|(n, _)| n.starts_with(b":")).count();
        let at = if name.starts_with(b":") { pseudo } else { self.lines.len() };
        self.lines.insert(at, (name, value.to_vec()));
    }

    fn position(&self, name: &[u8]) -> Option<usize> {
        let name = self.name(name);
        self.lines.iter().position(|(n, _)| *n == name)
    }

    fn add(&mut self, name: &[u8], value: &[u8]) {
        match self.position(name).filter(|_| self.is_inline(&self.name(name))) {
            Some(_) if value.is_empty() => {}
            Some(at) => {
                let old = &mut self.lines[at].1;
                if !old.is_empty() {
                    old.push(b',');
                }
                old.extend_from_slice(value);
            }
            None => self.append(name, value),
        }
    }

    fn set(&mut self, name: &[u8], value: &[u8]) {
        match self.position(name).filter(|_| self.is_inline(&self.name(name))) {
            Some(at) => {
                let name = self.name(name);
                self.lines[at].1 = value.to_vec();
                let mut index = 0;
                self.lines.retain(|(n, _)| {
                    index += 1;
                    *n != name || index - 1 == at
                });
            }
            None => self.replace(name, value),
        }
    }

    fn replace(&mut self, name: &[u8], value: &[u8]) {
        self.remove(name);
        self.append(name, value);
    }

    fn remove(&mut self, name: &[u8]) -> usize {
        let before = self.lines.len();
        let name = self.name(name);
        self.lines.retain(|(n, _)| *n != name);
        before - self.lines.len()
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

fn check(map: &HeaderMap, model: &Model, name: &[u8]) {
    let lines: Vec<_> = map.iter().map(|(n, v)| (n.to_vec(), v.to_vec())).collect();
    assert_eq!(lines, model.lines);
    assert_eq!(map.len(), lines.len());
    assert_eq!(map.byte_size(), lines.iter().map(|(n, v)| n.len() + v.len()).sum::<usize>());
    let canonical = model.name(name);
    let values: Vec<_> = lines.iter().filter(|(n, _)| *n == canonical).map(|(_, v)| &v[..]).collect();
    assert_eq!(map.get(name), values.first().copied());
    assert_eq!(map.get_all(name).collect::<Vec<_>>(), values);
    assert_eq!(map.contains(name), !values.is_empty());
}

#[test]
fn the_map_does_what_the_model_does() {
    let mut random = Random(7);
    for round in 0..400 {
        let kinds =
            [HeaderMapKind::Plain, HeaderMapKind::Request, HeaderMapKind::Response, HeaderMapKind::ResponseTrailers];
        let kind = kinds[round % kinds.len()];
        let mut map = HeaderMap::with_kind(kind);
        let mut model = Model { kind, ..Model::default() };
        for _ in 0..200 {
            let name = NAMES[random.below(NAMES.len())].as_bytes();
            let size = if random.below(10) == 0 { random.below(3000) } else { random.below(12) };
            let value = vec![b'a' + (size % 26) as u8; size];
            match random.below(7) {
                0 => (map.append(name, &value), model.append(name, &value)).0,
                1 | 2 => (map.add(name, &value), model.add(name, &value)).0,
                3 => (map.set(name, &value), model.set(name, &value)).0,
                4 => (map.replace(name, &value), model.replace(name, &value)).0,
                5 => assert_eq!(map.remove(name), model.remove(name)),
                _ => {
                    let cut = random.below(40);
                    map.retain(|n, v| n.len() + v.len() != cut);
                    model.lines.retain(|(n, v)| n.len() + v.len() != cut);
                }
            }
            check(&map, &model, name);
        }
        let copy = map.clone();
        assert_eq!(copy, map);
        map.clear();
        assert!(map.is_empty());
        assert_eq!(copy == map, copy.is_empty());
    }
}

#[test]
fn a_map_takes_only_so_much() {
    let mut map = HeaderMap::new();
    for _ in 0..HeaderMap::MAX_HEADERS {
        assert!(map.has_room(2));
        map.add(b"a", b"b");
    }
    assert!(!map.has_room(0));
    map.append(b"x", b"y");
    assert_eq!((map.len(), map.get(b"x")), (HeaderMap::MAX_HEADERS, None));

    let mut map = HeaderMap::with_kind(HeaderMapKind::Request);
    let half = vec![b'x'; HeaderMap::MAX_BYTES / 2];
    map.add(b"accept", &half);
    for edit in [HeaderMap::append, HeaderMap::add, HeaderMap::set, HeaderMap::replace] {
        edit(&mut map, b"accept", &half);
        assert_eq!(map.byte_size(), 6 + half.len());
    }
}
