//! A client over a raw socket.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::PATIENCE;

/// A connection to the server.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

/// A response as it came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response {
    /// Status line and headers, lines joined by `\n`, with the varying parts masked.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the server reads");
    }

    /// Sends `GET path` and reads the response.
    pub(crate) fn get(&mut self, path: &str) -> Response {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: a.com\r\n\r\n"));
        self.response()
    }

    pub(crate) fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    fn fill(&mut self) -> usize {
        let mut chunk = [0; 64 * 1024];
        let count = match self.stream.read(&mut chunk) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            Err(error) => {
                let start = &self.buffer[..self.buffer.len().min(2000)];
                panic!("nothing came: {error}; so far {}: {:?}", self.buffer.len(), String::from_utf8_lossy(start))
            }
        };
        self.buffer.extend_from_slice(&chunk[..count]);
        count
    }

    /// Bytes up to and with `end`.
    pub(crate) fn until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.buffer.windows(end.len()).position(|window| window == end) {
                return self.buffer.drain(..at + end.len()).collect();
            }
            assert!(self.fill() > 0, "closed in the middle: {:?}", String::from_utf8_lossy(&self.buffer));
        }
    }

    pub(crate) fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count {
            assert!(self.fill() > 0, "closed after {} of {count} bytes", self.buffer.len());
        }
        self.buffer.drain(..count).collect()
    }

    /// The next response head.
    pub(crate) fn head(&mut self) -> String {
        let head = self.until(b"\r\n\r\n");
        let head = String::from_utf8_lossy(&head).into_owned();
        let mask = |line: &str| match line.split_once(": ") {
            Some((name @ ("date" | "x-envoy-upstream-service-time"), _)) => format!("{name}: <{name}>"),
            _ => line.to_owned(),
        };
        head.trim_end().split("\r\n").map(mask).collect::<Vec<_>>().join("\n")
    }

    /// The next response to anything but HEAD.
    pub(crate) fn response(&mut self) -> Response {
        let mut response = Response { head: self.head(), body: Vec::new() };
        if let Some(length) = response.header("content-length") {
            let length = length.parse().unwrap();
            response.body = self.exactly(length);
        } else if response.header("transfer-encoding") == Some("chunked") {
            loop {
                let line = self.until(b"\r\n");
                let size = usize::from_str_radix(String::from_utf8_lossy(&line).trim_end(), 16).unwrap();
                if size == 0 {
                    break;
                }
                response.body.extend(self.exactly(size));
                assert_eq!(self.until(b"\r\n"), b"\r\n");
            }
            while self.until(b"\r\n") != b"\r\n" {}
        }
        response
    }

    /// Everything until the server closes.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.fill() > 0 {}
        std::mem::take(&mut self.buffer)
    }

    /// Fails unless the server closes without another byte.
    pub(crate) fn expect_closed(&mut self) {
        let rest = self.rest();
        assert!(rest.is_empty(), "unexpected: {:?}", String::from_utf8_lossy(&rest));
    }

    /// Fails if something comes, or the connection closes, within a moment.
    pub(crate) fn expect_silence(&mut self) {
        self.stream.set_read_timeout(Some(Duration::from_millis(150))).unwrap();
        let mut byte = [0];
        let result = self.stream.read(&mut byte);
        assert!(result.is_err(), "unexpected: {result:?} {byte:?}");
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    }
}
