//! Starting the program, and talking to it, as a user would.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a failed test may panic")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The project's root: configurations name guests relative to it.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A command of the program, run in the project's root.
pub(crate) fn sandgate(arguments: &[&str]) -> Command {
    let mut command = Command::new(crate::PROGRAM);
    command.args(arguments).current_dir(root()).stdin(Stdio::null());
    // Not the developer's own.
    command.env_remove("CACHE_DIRECTORY").env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
    command
}

/// Runs a command to its end, which must come by itself.
pub(crate) fn run(arguments: &[&str]) -> Output {
    let child = sandgate(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.wait_with_output().unwrap()
}

/// Ports that are free now, below those that the system gives to connections and to port 0, so that nobody else takes them
/// before the server does. Each process begins elsewhere.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    const FIRST: u32 = 12_000;
    const COUNT: u32 = 20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let own = std::process::id().wrapping_mul(61);
    let mut free = std::iter::repeat_with(|| own.wrapping_add(NEXT.fetch_add(1, Relaxed)) % COUNT + FIRST)
        .map(|port| u16::try_from(port).unwrap())
        .filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    std::array::from_fn(|_| free.next().unwrap())
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    pub(crate) child: Child,
}

impl Server {
    /// Starts `sandgate run` on configuration text and waits until its admin interface says it is live.
    pub(crate) fn start(config: &str, admin_port: u16, extra: &[&str]) -> Self {
        let concurrency: &[&str] = if extra.contains(&"--concurrency") { &[] } else { &["--concurrency", "2"] };
        let arguments = [&["run", "--config-yaml", config], concurrency, extra].concat();
        let child = sandgate(&arguments).stderr(Stdio::piped()).spawn().unwrap();
        let mut server = Self { child };
        poll("the server to be live", || {
            assert!(server.child.try_wait().unwrap().is_none(), "the server ended: {}", server.log());
            request(admin_port, "GET /ready HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
                .is_some_and(|answer| answer.contains("LIVE"))
        });
        server
    }

    /// What a server that has ended wrote to standard error.
    pub(crate) fn log(&mut self) -> String {
        let mut text = String::new();
        if let Some(mut pipe) = self.child.stderr.take() {
            let _ = pipe.read_to_string(&mut text);
        }
        text
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the end; the exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let mut code = None;
        poll("the server to end", || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        code.and_then(|status| status.code())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends bytes on a connection of its own and reads until the peer closes; `None` if nobody listens.
pub(crate) fn request(port: u16, bytes: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(bytes.as_bytes()).ok()?;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    Some(String::from_utf8_lossy(&answer).into_owned())
}

/// Waits until `condition` holds; gives up after 30 s.
pub(crate) fn poll(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
