//! A plugin that traps in one of a hundred requests, under FAIL_RELOAD: who fails, and what is left.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Server, free_ports, poll, request, root};

const CLIENTS: usize = 12;
const TRAPS: usize = 60;
const REQUESTS_PER_TRAP: usize = 100;

/// When a request was sent and when its answer, or its end, had come.
#[derive(Clone, Copy)]
struct Span {
    from: Instant,
    to: Instant,
}

/// A connection that is opened anew when the server has closed it.
struct Client {
    port: u16,
    stream: Option<BufReader<TcpStream>>,
}

impl Client {
    fn new(port: u16) -> Self {
        Self { port, stream: None }
    }

    /// The status; `None` if the answer breaks off.
    fn get(&mut self, header: &str) -> (Option<u16>, Span) {
        let from = Instant::now();
        let status = self.try_get(header);
        if status.is_none() {
            self.stream = None;
        }
        (status, Span { from, to: Instant::now() })
    }

    fn try_get(&mut self, header: &str) -> Option<u16> {
        let port = self.port;
        let stream = self.stream.get_or_insert_with(|| {
            let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            BufReader::new(stream)
        });
        stream.get_mut().write_all(format!("GET / HTTP/1.1\r\nhost: a\r\n{header}\r\n").as_bytes()).ok()?;
        let head = head(stream)?;
        let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        std::io::copy(&mut std::io::Read::take(&mut *stream, length), &mut std::io::sink())
            .ok()
            .filter(|n| *n == length)?;
        if head.iter().any(|line| line == "connection: close") {
            self.stream = None;
        }
        head.first()?.split(' ').nth(1)?.parse().ok()
    }
}

/// The lines of a message's head.
fn head(stream: &mut impl BufRead) -> Option<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => return Some(lines),
            line => lines.push(line.to_owned()),
        }
    }
}

/// Answers everything at once.
fn upstream() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut stream = BufReader::new(stream);
                while head(&mut stream).is_some() {
                    if stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

fn stat(admin: u16, name: &str) -> u64 {
    let text =
        request(admin, "GET /stats?filter=wasm HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

/// Resident memory in KiB.
fn memory(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Asks until told to stop; what did not succeed.
fn ask(port: u16, sent: &AtomicUsize, stop: &AtomicBool) -> Vec<(Option<u16>, Span)> {
    let mut client = Client::new(port);
    let mut failed = Vec::new();
    while !stop.load(SeqCst) {
        let (status, span) = client.get("");
        assert!(span.to - span.from < Duration::from_secs(10), "a request took {:?}", span.to - span.from);
        if status != Some(200) {
            failed.push((status, span));
        }
        sent.fetch_add(1, SeqCst);
    }
    failed
}

#[test]
fn of_a_plugin_that_traps_only_its_own_requests_fail() {
    let [main, admin] = free_ports();
    let config = std::fs::read_to_string(root().join("crates/sandgate/tests/cli/reload.yaml")).unwrap();
    let config = config.replace("8000", &main.to_string()).replace("8001", &upstream().to_string());
    let config = config.replace("9901", &admin.to_string());
    let server = Server::start(&config, admin, &["-l", "off"]);
    let sent = Arc::<AtomicUsize>::default();
    let stop = Arc::<AtomicBool>::default();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (sent, stop) = (Arc::clone(&sent), Arc::clone(&stop));
            thread::spawn(move || ask(main, &sent, &stop))
        })
        .collect();
    let reached = |count: usize| poll("requests to be answered", || sent.load(SeqCst) >= count);
    reached(10 * REQUESTS_PER_TRAP);
    let (vms, before) = (stat(admin, "wasm.wasm_vm_count"), memory(&server));

    // Connections of either worker, most likely.
    let mut trappers: Vec<_> = (0..6).map(|_| Client::new(main)).collect();
    let mut traps = Vec::new();
    for number in 0..TRAPS {
        reached((11 + number) * REQUESTS_PER_TRAP);
        let client = &mut trappers[number % 6];
        let (status, span) = client.get("x-trap: 1\r\n");
        assert_eq!(status, Some(503));
        traps.push(span);
        // The VM has been made anew at once, since the last one of this worker is older than the backoff.
        assert_eq!(client.get("").0, Some(200));
        thread::park_timeout(Duration::from_millis(4));
    }
    reached((12 + TRAPS) * REQUESTS_PER_TRAP);
    stop.store(true, SeqCst);
    let failed: Vec<_> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();

    for (status, span) in &failed {
        assert!(matches!(status, None | Some(503)), "{status:?}");
        let at_a_trap = traps.iter().any(|trap| span.from <= trap.to && trap.from <= span.to);
        assert!(at_a_trap, "a request failed ({status:?}) when no plugin trapped");
    }
    assert_eq!(stat(admin, "wasm.fragile.vm_reload_success"), TRAPS as u64);
    assert_eq!(stat(admin, "wasm.fragile.vm_reload_backoff"), 0);
    assert_eq!(stat(admin, "wasm.fragile.vm_reload_failure"), 0);
    poll("the dead VMs to go", || stat(admin, "wasm.wasm_vm_count") == vms);
    let after = memory(&server);
    assert!(after < before + 16 * 1024, "resident memory grew from {before} to {after} KiB");
}
