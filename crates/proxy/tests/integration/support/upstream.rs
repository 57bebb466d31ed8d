//! An upstream over raw sockets: a script answers each connection on a thread of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use super::PATIENCE;

/// A listening upstream.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    connections: AtomicUsize,
    requests: Mutex<Vec<String>>,
    closed: AtomicUsize,
}

/// One connection, as the script sees it.
pub(crate) struct Exchange {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
    log: Arc<Log>,
}

impl Upstream {
    /// `script` runs for every connection, again and again until it returns `false` or the connection is closed.
    pub(crate) fn new(script: impl Fn(&mut Exchange) -> bool + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Log::default());
        let (shared, script) = (Arc::clone(&log), Arc::new(script));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.set_nodelay(true).unwrap();
                shared.connections.fetch_add(1, SeqCst);
                let mut exchange = Exchange { stream, buffer: Vec::new(), log: Arc::clone(&shared) };
                let script = Arc::clone(&script);
                std::thread::spawn(move || {
                    while script(&mut exchange) {}
                    exchange.log.closed.fetch_add(1, SeqCst);
                });
            }
        });
        Self { address, log }
    }

    /// Answers every request with `200` and `ok`.
    pub(crate) fn ok() -> Self {
        Self::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-up: 1\r\n\r\nok")
    }

    /// Answers every request with these bytes.
    pub(crate) fn answering(answer: &str) -> Self {
        let answer = answer.to_owned();
        Self::new(move |exchange| exchange.request().is_some() && exchange.send(&answer))
    }

    pub(crate) fn connections(&self) -> usize {
        self.log.connections.load(SeqCst)
    }

    /// Connections whose script has ended.
    pub(crate) fn closed(&self) -> usize {
        self.log.closed.load(SeqCst)
    }

    /// Every request so far, the request id masked, lines joined by `\n`.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.log.requests.lock().unwrap().clone()
    }
}

impl Exchange {
    fn fill(&mut self) -> bool {
        let mut chunk = [0; 64 * 1024];
        let count = self.stream.read(&mut chunk).unwrap_or(0);
        self.buffer.extend_from_slice(&chunk[..count]);
        count > 0
    }

    fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.buffer.windows(end.len()).position(|window| window == end) {
                return Some(self.buffer.drain(..at + end.len()).collect());
            }
            if !self.fill() {
                return None;
            }
        }
    }

    /// The next request head.
    pub(crate) fn request_head(&mut self) -> Option<String> {
        let head = self.until(b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&head).into_owned();
        let mask =
            |line: &str| if line.starts_with("x-request-id: ") { "x-request-id: <id>".into() } else { line.to_owned() };
        let head = head.trim_end().split("\r\n").map(mask).collect::<Vec<_>>().join("\n");
        self.log.requests.lock().unwrap().push(head.clone());
        Some(head)
    }

    /// The next request with its body; chunks as they are on the wire.
    pub(crate) fn request(&mut self) -> Option<String> {
        let head = self.request_head()?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let body = if let Some(length) = length {
            while self.buffer.len() < length {
                if !self.fill() {
                    return None;
                }
            }
            self.buffer.drain(..length).collect()
        } else if head.contains("transfer-encoding: chunked") {
            let mut body = Vec::new();
            loop {
                let line = self.until(b"\r\n")?;
                body.extend_from_slice(&line);
                // The last chunk, then trailers up to the empty line.
                if line == b"0\r\n" {
                    while body.len() < 4 || !body.ends_with(b"\r\n\r\n") {
                        body.extend(self.until(b"\r\n")?);
                    }
                    break body;
                }
            }
        } else {
            Vec::new()
        };
        if !body.is_empty() {
            let mut requests = self.log.requests.lock().unwrap();
            let last = requests.last_mut().unwrap();
            last.push_str("\n\n");
            last.push_str(&String::from_utf8_lossy(&body).replace("\r\n", "\n"));
        }
        Some(head)
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// Waits until the proxy closes this connection.
    pub(crate) fn wait_closed(&mut self) {
        while self.fill() {}
    }
}
