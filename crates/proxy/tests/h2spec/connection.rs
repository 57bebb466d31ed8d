//! A client that sends any bytes and reads frames.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::frame::{ACK, END_HEADERS, END_STREAM, Frame, PADDED, PRIORITIZED, code, kind, ping, settings};
use crate::hpack::{Decoder, Fields, block};
use crate::target::target;

/// How long anything may take before a case fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What a connection begins with (RFC 9113, section 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection to the server under test.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    /// What the server has set.
    pub(crate) settings: HashMap<u16, u32>,
    buffer: Vec<u8>,
    decoder: Decoder,
    /// The fragments of a header block that is not complete.
    fragments: Vec<u8>,
    /// What has come, for messages of failures.
    seen: Vec<String>,
}

/// What came.
#[derive(Debug)]
pub(crate) enum Event {
    /// A header block is decoded with the frame that ends it.
    Frame(Frame, Fields),
    Closed,
}

/// A response as it came.
#[derive(Debug, Default)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) fields: Fields,
    pub(crate) body: Vec<u8>,
}

// === impl Connection ===

impl Connection {
    /// A connection over which nothing has been sent.
    pub(crate) fn raw(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        Self::over(stream)
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            settings: HashMap::new(),
            buffer: Vec::new(),
            decoder: Decoder::default(),
            fragments: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// A connection to the server under test, prefaces and settings exchanged.
    pub(crate) fn open() -> Self {
        Self::open_to(target(), &[])
    }

    /// The same, to any server and with settings of ours.
    pub(crate) fn open_to(address: SocketAddr, values: &[(u16, u32)]) -> Self {
        let mut connection = Self::raw(address);
        connection.send(PREFACE);
        connection.send(settings(values));
        connection.wait("the server's settings", |frame| frame.kind == kind::SETTINGS && !frame.has(ACK));
        connection.wait("the acknowledgement of our settings", |frame| frame.kind == kind::SETTINGS && frame.has(ACK));
        connection
    }

    /// The server's side of a connection, prefaces exchanged.
    pub(crate) fn accept(mut stream: TcpStream, values: &[(u16, u32)]) -> Option<Self> {
        let mut preface = [0; PREFACE.len()];
        stream.read_exact(&mut preface).ok()?;
        assert_eq!(preface, PREFACE);
        let mut connection = Self::over(stream);
        connection.send(settings(values));
        Some(connection)
    }

    /// The stream of the next request; `None` when the client has gone.
    pub(crate) fn next_request(&mut self) -> Option<u32> {
        loop {
            match self.next() {
                Event::Frame(frame, _) if frame.kind == kind::HEADERS => return Some(frame.stream),
                Event::Frame(..) => {}
                Event::Closed => return None,
            }
        }
    }

    /// Sends, also if the server no longer listens: what it said before is still to be read.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes);
    }

    /// Sends; whether the connection is still there.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// Changes our settings and waits for the acknowledgement.
    pub(crate) fn set(&mut self, values: &[(u16, u32)]) {
        self.send(settings(values));
        self.wait("the acknowledgement of our settings", |frame| frame.kind == kind::SETTINGS && frame.has(ACK));
    }

    fn fill(&mut self) -> bool {
        let mut chunk = [0; 64 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(count) => {
                self.buffer.extend_from_slice(&chunk[..count]);
                count > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("nothing came: {error}; so far: {:?}", self.seen),
        }
    }

    /// The next frame, or the end. Settings of the server are acknowledged.
    pub(crate) fn next(&mut self) -> Event {
        while self.buffer.len() < 9 || self.buffer.len() < 9 + self.length() {
            if !self.fill() {
                self.seen.push("closed".into());
                return Event::Closed;
            }
        }
        let length = self.length();
        let bytes: Vec<u8> = self.buffer.drain(..9 + length).collect();
        let stream = u32::from_be_bytes(bytes[5..9].try_into().unwrap());
        let frame = Frame { kind: bytes[3], flags: bytes[4], stream, payload: bytes[9..].to_vec() };
        let mut fields = Fields::new();
        match frame.kind {
            kind::SETTINGS if !frame.has(ACK) => {
                self.settings.extend(frame.settings());
                self.send(crate::frame::frame(kind::SETTINGS, ACK, 0, &[]));
            }
            kind::HEADERS | kind::CONTINUATION => {
                assert!(
                    !frame.has(PADDED | PRIORITIZED) || frame.kind == kind::CONTINUATION,
                    "not expected: {frame:?}"
                );
                self.fragments.extend(&frame.payload);
                if frame.has(END_HEADERS) {
                    fields = self.decoder.decode(&std::mem::take(&mut self.fragments));
                }
            }
            _ => {}
        }
        self.seen.push(format!("{frame:?} {fields:?}"));
        Event::Frame(frame, fields)
    }

    fn length(&self) -> usize {
        usize::from(self.buffer[0]) << 16 | usize::from(self.buffer[1]) << 8 | usize::from(self.buffer[2])
    }

    /// The first frame that is meant; those before it are dropped.
    pub(crate) fn wait(&mut self, what: &str, meant: impl Fn(&Frame) -> bool) -> (Frame, Fields) {
        loop {
            match self.next() {
                Event::Frame(frame, fields) if meant(&frame) => return (frame, fields),
                Event::Frame(..) => {}
                Event::Closed => panic!("never: {what}; but {:?}", self.seen),
            }
        }
    }

    /// The final response of a stream.
    pub(crate) fn response(&mut self, stream: u32) -> Response {
        let mut response = Response::default();
        loop {
            let (frame, fields) = self.wait("a response", |frame| frame.stream == stream);
            match frame.kind {
                kind::HEADERS if response.status < 200 => {
                    response.status = fields.iter().find(|field| field.0 == ":status").unwrap().1.parse().unwrap();
                    response.fields = fields;
                }
                kind::DATA => response.body.extend(&frame.payload),
                kind::RST_STREAM => panic!("a reset instead of a response: {:?}", self.seen),
                _ => {}
            }
            if matches!(frame.kind, kind::HEADERS | kind::DATA) && frame.has(END_STREAM) {
                return response;
            }
        }
    }

    /// Fails unless the stream is answered with 200.
    pub(crate) fn expect_ok(&mut self, stream: u32) {
        let response = self.response(stream);
        assert_eq!(response.status, 200, "{:?}", self.seen);
    }

    /// Fails unless the server answers a ping: it has read everything before, and taken no offence.
    pub(crate) fn expect_alive(&mut self) {
        self.send(ping(0, *b"alive???"));
        let (answer, _) = self.wait("the answer to a ping", |frame| frame.kind == kind::PING);
        assert!(answer.has(ACK) && answer.payload == b"alive???", "{answer:?}");
    }

    /// Waits for the answer to a ping; false if the server closes.
    pub(crate) fn answers_ping(&mut self) -> bool {
        loop {
            match self.next() {
                Event::Frame(frame, _) if frame.kind == kind::PING => return true,
                Event::Frame(..) => {}
                Event::Closed => return false,
            }
        }
    }

    /// Fails unless the server closes.
    pub(crate) fn expect_closed(&mut self) {
        while let Event::Frame(..) = self.next() {}
    }

    /// Drops what comes until the other side closes, or a while has passed without anything.
    pub(crate) fn drain(&mut self) {
        let mut chunk = [0; 64 * 1024];
        while self.stream.read(&mut chunk).is_ok_and(|count| count > 0) {}
    }

    /// Fails unless the server says what is wrong and closes. h2spec is content with a connection that is closed; here there must
    /// be a GOAWAY, but its code may be the general `PROTOCOL_ERROR` where the RFC names another: the `h2` crate has no finer ones.
    pub(crate) fn expect_connection_error(&mut self, codes: &[u32]) {
        let (frame, _) = self.wait("GOAWAY", |frame| frame.kind == kind::GOAWAY);
        self.check_code(&frame, codes);
        self.expect_closed();
    }

    /// Fails unless the server resets the stream, or says that the whole connection is wrong.
    pub(crate) fn expect_stream_error(&mut self, stream: u32, codes: &[u32]) {
        let meant =
            |frame: &Frame| frame.kind == kind::GOAWAY || (frame.kind == kind::RST_STREAM && frame.stream == stream);
        let (frame, _) = self.wait("RST_STREAM or GOAWAY", meant);
        self.check_code(&frame, codes);
        if frame.kind == kind::GOAWAY {
            self.expect_closed();
        } else {
            self.expect_alive();
        }
    }

    fn check_code(&self, frame: &Frame, codes: &[u32]) {
        let known = frame.code() == code::PROTOCOL_ERROR || codes.contains(&frame.code());
        assert!(known, "another code than {codes:?}: {:?}", self.seen);
    }
}

// === free functions ===

/// The fields of `GET /`.
pub(crate) fn get() -> Vec<(&'static str, &'static str)> {
    request("GET", "/")
}

pub(crate) fn post() -> Vec<(&'static str, &'static str)> {
    request("POST", "/")
}

/// A request that is never answered, so that its stream stays as the client leaves it.
pub(crate) fn never() -> Vec<u8> {
    block(request("GET", "/never"))
}

pub(crate) fn request(method: &'static str, path: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![(":method", method), (":scheme", "http"), (":path", path), (":authority", "a.com")]
}

/// A request and one more field.
pub(crate) fn with(
    mut fields: Vec<(&'static str, &'static str)>,
    field: (&'static str, &'static str),
) -> Vec<(&'static str, &'static str)> {
    fields.push(field);
    fields
}
