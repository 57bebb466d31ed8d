//! The HTTPS example of `examples/`: what its comments promise.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::support::{Server, free_ports, request, root};

/// One request over TLS, with `protocol` offered in ALPN; what was agreed on, and what came back until the end.
fn over_tls(port: u16, protocol: &[u8], bytes: &[u8]) -> (Option<Vec<u8>>, Vec<u8>) {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root().join("examples/https/ca.pem")).unwrap()).unwrap();
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let client = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let mut stream = StreamOwned::new(client, TcpStream::connect(("127.0.0.1", port)).unwrap());
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // A peer may end the connection without saying so.
    let _ = stream.read_to_end(&mut answer);
    (stream.conn.alpn_protocol().map(<[u8]>::to_vec), answer)
}

#[test]
fn the_https_example_does_what_it_says() {
    let [main, service, admin] = free_ports();
    let mut text = std::fs::read_to_string(root().join("examples/https/envoy.yaml")).unwrap();
    for (port, free) in [("8443", main), ("8444", service), ("9901", admin)] {
        text = text.replace(&format!("port_value: {port} "), &format!("port_value: {free} "));
    }
    let text =
        text.replace("StdoutAccessLog", "StderrAccessLog").replace("access_loggers.stdout", "access_loggers.stderr");
    let mut server = Server::start(&text, admin, &[]);

    let (alpn, answer) = over_tls(main, b"http/1.1", b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let answer = String::from_utf8(answer).unwrap();
    assert_eq!(alpn.as_deref(), Some(&b"http/1.1"[..]));
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\r\nx-hello: https\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nhello from the service\n"), "{answer}");

    // The preface, empty settings and a GOAWAY: the server's settings come back, and the connection ends.
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let (alpn, answer) = over_tls(main, b"h2", preface);
    assert_eq!(alpn.as_deref(), Some(&b"h2"[..]));
    assert_eq!(answer.get(3), Some(&4), "no SETTINGS: {answer:?}");

    let certificates = request(admin, "GET /certs HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
    assert!(certificates.contains("examples/https/cert.pem"), "{certificates}");
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
    assert!(server.log().contains("GET / HTTP/1.1 TLSv1.3 200 HTTP/2"), "{}", server.log());
}
