//! A ClientHello of TLS, read as far as it tells what a client asks for.
//!
//! What counts as one is what BoringSSL takes before it lets Envoy 1.40 look at it; all the rest is for the handshake to judge.

/// The head of a record.
const RECORD_HEAD: usize = 5;
/// The longest record without encryption.
const MAX_RECORD: usize = 1 << 14;
/// The longest handshake message.
const MAX_MESSAGE: usize = 1 << 14;
/// Records without content in a row.
const MAX_EMPTY_RECORDS: usize = 32;
/// The longest server name.
const MAX_NAME: usize = 255;

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const TLS_1_0: u16 = 0x0301;
const TLS_1_3: u16 = 0x0304;
const SERVER_NAME: u16 = 0;
const APPLICATION_PROTOCOLS: u16 = 16;

/// What a client asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ClientHello {
    /// What stands for the version; TLS 1.3 says 1.2 there.
    pub(super) is_known_version: bool,
    /// As it was sent; may be empty.
    pub(super) server_name: String,
    /// By ALPN; nothing if that is not used, or broken.
    pub(super) application_protocols: Option<Vec<Box<str>>>,
}

/// What the first bytes of a connection are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// The beginning of a ClientHello.
    Partial,
    /// A ClientHello, and the bytes that it and its records take.
    Hello(ClientHello, usize),
    /// Something else, seen after so many bytes.
    Other(usize),
}

/// Reads the first bytes of a connection.
pub(super) fn parse(data: &[u8]) -> Parsed {
    let mut message = Vec::new();
    let mut used = 0;
    let mut empty = 0;
    loop {
        let rest = data.get(used..).unwrap_or_default();
        let Some((head, rest)) = rest.split_first_chunk::<RECORD_HEAD>() else { return Parsed::Partial };
        let [kind, major, _, high, low] = *head;
        let length = usize::from(u16::from_be_bytes([high, low]));
        // An unencrypted request, an older version, or no TLS at all.
        if major != 3 || length > MAX_RECORD {
            return Parsed::Other(used + RECORD_HEAD);
        }
        let Some(content) = rest.get(..length) else { return Parsed::Partial };
        used += RECORD_HEAD + length;
        if kind != HANDSHAKE {
            return Parsed::Other(used);
        }
        empty = if content.is_empty() { empty + 1 } else { 0 };
        if empty > MAX_EMPTY_RECORDS {
            return Parsed::Other(used);
        }
        message.extend_from_slice(content);
        let Some((head, body)) = message.split_first_chunk::<4>() else { continue };
        let [kind, size @ ..] = *head;
        let size = size.iter().fold(0, |size, byte| size << 8 | usize::from(*byte));
        if size > MAX_MESSAGE {
            return Parsed::Other(used);
        }
        let Some(body) = body.get(..size) else { continue };
        let hello = if kind == CLIENT_HELLO { hello(&mut Reader(body)) } else { None };
        return hello.map_or(Parsed::Other(used), |hello| Parsed::Hello(hello, used));
    }
}

/// Nothing if it is broken.
fn hello(body: &mut Reader<'_>) -> Option<ClientHello> {
    let version = body.number()?;
    body.take(32)?;
    let session = body.short_vector()?;
    let ciphers = body.vector()?;
    let compressions = body.short_vector()?;
    let is_broken = session.0.len() > 32 || ciphers.0.len() < 2 || ciphers.0.len() % 2 != 0;
    if is_broken || compressions.0.is_empty() {
        return None;
    }
    let is_known_version = (TLS_1_0..=TLS_1_3).contains(&version);
    let mut hello = ClientHello { is_known_version, ..ClientHello::default() };
    let mut extensions = if body.0.is_empty() { Reader(&[]) } else { body.vector()? };
    if !body.0.is_empty() {
        return None;
    }
    let mut kinds = Vec::new();
    while !extensions.0.is_empty() {
        let kind = extensions.number()?;
        let mut content = extensions.vector()?;
        kinds.push(kind);
        match kind {
            SERVER_NAME => hello.server_name = server_name(&mut content)?,
            APPLICATION_PROTOCOLS => hello.application_protocols = application_protocols(&mut content),
            _ => {}
        }
    }
    kinds.sort_unstable();
    let is_unique = kinds.windows(2).all(|pair| pair.first() != pair.last());
    is_unique.then_some(hello)
}

fn server_name(content: &mut Reader<'_>) -> Option<String> {
    let mut list = content.vector()?;
    let kind = list.byte()?;
    let name = list.vector()?.0;
    let whole = content.0.is_empty() && list.0.is_empty() && kind == 0;
    let valid = whole && (1..=MAX_NAME).contains(&name.len()) && !name.contains(&0);
    valid.then(|| String::from_utf8_lossy(name).into_owned())
}

fn application_protocols(content: &mut Reader<'_>) -> Option<Vec<Box<str>>> {
    let mut list = content.vector()?;
    if !content.0.is_empty() || list.0.len() < 2 {
        return None;
    }
    let mut protocols = Vec::new();
    while !list.0.is_empty() {
        let name = list.short_vector()?.0;
        if name.is_empty() {
            return None;
        }
        protocols.push(String::from_utf8_lossy(name).into());
    }
    Some(protocols)
}

/// What is not read yet.
struct Reader<'a>(&'a [u8]);

// === impl Reader ===

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    /// With a length of one byte.
    fn short_vector(&mut self) -> Option<Reader<'a>> {
        let length = self.byte()?.into();
        self.take(length).map(Reader)
    }

    /// With a length of two bytes.
    fn vector(&mut self) -> Option<Reader<'a>> {
        let length = self.number()?.into();
        self.take(length).map(Reader)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &counted(content)].concat()
    }

    fn counted(content: &[u8]) -> Vec<u8> {
        [&u16::try_from(content.len()).unwrap().to_be_bytes()[..], content].concat()
    }

    fn record(content: &[u8]) -> Vec<u8> {
        [&[HANDSHAKE, 3, 1][..], &counted(content)].concat()
    }

    fn message(extensions: &[u8]) -> Vec<u8> {
        let fixed = [&[3, 3][..], &[7; 32], &[0], &counted(&[0x13, 1]), &[1, 0]].concat();
        let body = [&fixed[..], &counted(extensions)].concat();
        [&[CLIENT_HELLO, 0][..], &counted(&body)].concat()
    }

    /// A ClientHello for a name.
    fn hello_for(name: &str) -> Vec<u8> {
        let name = counted(&[&[0][..], &counted(name.as_bytes())].concat());
        record(&message(&extension(SERVER_NAME, &name)))
    }

    #[test]
    fn names_and_protocols_are_found() {
        let bytes = hello_for("A.example");
        let wanted =
            ClientHello { is_known_version: true, server_name: "A.example".into(), application_protocols: None };
        assert_eq!(parse(&bytes), Parsed::Hello(wanted, bytes.len()));
        let protocols = extension(APPLICATION_PROTOCOLS, &counted(b"\x02h2\x08http/1.1"));
        let Parsed::Hello(hello, _) = parse(&record(&message(&protocols))) else { panic!("no hello") };
        assert_eq!(hello.application_protocols, Some(vec!["h2".into(), "http/1.1".into()]));
        // A broken list is for the handshake to judge.
        let Parsed::Hello(hello, _) = parse(&record(&message(&extension(APPLICATION_PROTOCOLS, b"\0\x01x")))) else {
            panic!("no hello")
        };
        assert_eq!(hello.application_protocols, None);
    }

    #[test]
    fn every_beginning_is_partial() {
        let bytes = hello_for("a.example");
        for end in 0..bytes.len() {
            assert_eq!(parse(&bytes[..end]), Parsed::Partial, "{end}");
        }
        // In records of one byte.
        let split: Vec<u8> = bytes[RECORD_HEAD..].iter().flat_map(|byte| record(&[*byte])).collect();
        assert!(
            matches!(parse(&split), Parsed::Hello(hello, used) if hello.server_name == "a.example" && used == split.len())
        );
    }

    #[test]
    fn what_is_no_hello_is_told_at_once() {
        assert_eq!(parse(b"GET / HTTP/1.1\r\n"), Parsed::Other(5));
        assert_eq!(parse(b"GET "), Parsed::Partial);
        assert_eq!(parse(b"\x16\x03\x01\xff\xff"), Parsed::Other(5));
        assert_eq!(parse(b"\x15\x03\x01\0\x02\x01\0"), Parsed::Other(7));
        let twice = extension(99, b"").repeat(2);
        for extensions in
            [&twice[..], &extension(SERVER_NAME, b"\0\x04\0\0\x01\0"), &extension(SERVER_NAME, b""), b"\0"]
        {
            let bytes = record(&message(extensions));
            assert_eq!(parse(&bytes), Parsed::Other(bytes.len()), "{extensions:?}");
        }
        assert_eq!(parse(&record(&[])), Parsed::Partial);
        assert!(matches!(parse(&record(&[]).repeat(40)), Parsed::Other(_)));
    }

    #[test]
    fn no_byte_hurts() {
        let bytes = hello_for("a.example");
        for place in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = bytes.clone();
                bytes[place] = value;
                let _ = parse(&bytes);
            }
        }
    }
}
