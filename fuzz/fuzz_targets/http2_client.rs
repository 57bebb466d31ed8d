#![no_main]

use std::net::TcpStream;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sandgate_fuzz::proxy::{PREFACE, Proxy, send_all};

static PROXY: LazyLock<Proxy> = LazyLock::new(|| Proxy::new("HTTP2", false));

// A client's frames: the proxy survives, closes after the client has, and no stream is left.
fuzz_target!(|frames: &[u8]| {
    let stream = TcpStream::connect(PROXY.address()).expect("the proxy listens");
    send_all(stream, &[PREFACE, frames].concat());
    PROXY.expect_idle();
});
