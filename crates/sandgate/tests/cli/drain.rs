//! The end under load: what the server has accepted, it answers.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::support::{Server, free_ports, poll, root};

const CLIENTS: usize = 20;
const CONNECTIONS: usize = 1000;

/// The paths of all requests that came, each of which is answered after a moment.
fn upstream() -> (u16, Arc<Mutex<HashSet<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::<Mutex<HashSet<String>>>::default();
    let all = Arc::clone(&seen);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let seen = Arc::clone(&all);
            let body = move || serve(stream, &seen);
            thread::Builder::new().stack_size(128 * 1024).spawn(body).unwrap();
        }
    });
    (port, seen)
}

fn serve(mut stream: TcpStream, seen: &Mutex<HashSet<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut path = None;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line == "\r\n" {
                break;
            }
            path = path.or_else(|| line.split(' ').nth(1).map(str::to_owned));
        }
        seen.lock().unwrap().insert(path.unwrap_or_default());
        // Long enough for requests to be in flight whenever the signal comes.
        thread::park_timeout(Duration::from_millis(20));
        if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").is_err() {
            return;
        }
    }
}

/// The answer's head and body, if it is whole.
fn answer(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\nok") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        text.push(byte[0]);
    }
    String::from_utf8(text).ok()
}

/// Asks again and again on many connections at once, until each is closed; the paths that were answered well.
fn client(number: usize, port: u16, warm: &AtomicUsize) -> HashSet<String> {
    let connect = |_| {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    };
    let mut streams: Vec<TcpStream> = (0..CONNECTIONS / CLIENTS).map(connect).collect();
    let mut answered = HashSet::new();
    for round in 0.. {
        let path = |index: usize| format!("/{number}-{index}-{round}");
        for (index, stream) in streams.iter_mut().enumerate() {
            // A server that has closed the connection meanwhile takes nothing: the answer will be missing.
            let _ = stream.write_all(format!("GET {} HTTP/1.1\r\nhost: a\r\n\r\n", path(index)).as_bytes());
        }
        let mut open = Vec::new();
        for (index, mut stream) in streams.into_iter().enumerate() {
            let Some(text) = answer(&mut stream) else { continue };
            assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
            answered.insert(path(index));
            if !text.contains("\r\nconnection: close\r\n") {
                open.push(stream);
            }
        }
        if round == 0 {
            warm.fetch_add(open.len(), SeqCst);
        }
        streams = open;
        if streams.is_empty() {
            break;
        }
    }
    answered
}

#[test]
fn no_accepted_request_fails_when_the_server_is_told_to_end() {
    let (upstream, seen) = upstream();
    let [main, admin] = free_ports();
    let config = std::fs::read_to_string(root().join("crates/sandgate/tests/cli/drain.yaml")).unwrap();
    let config = config.replace("8000", &main.to_string()).replace("8001", &upstream.to_string());
    let config = config.replace("9901", &admin.to_string());
    let mut server = Server::start(&config, admin, &["--shutdown-grace-s", "25", "-l", "warning"]);
    let warm = Arc::<AtomicUsize>::default();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let warm = Arc::clone(&warm);
            thread::spawn(move || client(number, main, &warm))
        })
        .collect();
    poll("all connections to be open and used", || warm.load(SeqCst) == CONNECTIONS);
    server.signal("TERM");
    let mut answered = HashSet::new();
    for client in clients {
        answered.extend(client.join().unwrap());
    }
    assert_eq!(server.wait(), Some(0));
    let seen = seen.lock().unwrap();
    let lost: Vec<_> = seen.difference(&answered).collect();
    assert!(lost.is_empty(), "{} of {} requests were not answered: {lost:?}", lost.len(), seen.len());
    assert!(answered.len() >= 2 * CONNECTIONS, "{} answers", answered.len());
}
