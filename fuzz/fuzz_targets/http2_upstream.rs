#![no_main]

use std::net::TcpStream;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sandgate_fuzz::proxy::{Proxy, send_all};

static PROXY: LazyLock<Proxy> = LazyLock::new(|| Proxy::new("HTTP1", true));

// An upstream's frames after its settings: the request is answered or fails, and nothing of it is left.
fuzz_target!(|frames: &[u8]| {
    let client = TcpStream::connect(PROXY.address()).expect("the proxy listens");
    let asking =
        std::thread::spawn(move || send_all(client, b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"));
    let (stream, _) = PROXY.upstream.accept().expect("the proxy connects");
    send_all(stream, &[b"\0\0\0\x04\0\0\0\0\0", frames].concat());
    asking.join().expect("the client ends");
    PROXY.expect_idle();
});
