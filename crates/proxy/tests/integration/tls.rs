//! TLS to clients: files that change, secrets that come late, handshakes that take their time.

mod upstream;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use sandgate_config::model::{
    Bootstrap, CommonTlsContext, DataSource, DownstreamTlsContext, Origin, SdsSource, SecretSource, TlsCertificate,
    TlsParameters, TlsVersion,
};

use crate::support::{Proxy, bootstrap, direct, eventually, hcm};

/// Takes any certificate: which one it is, the tests look at.
#[derive(Debug)]
struct Any;

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

/// A folder of one test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sandgate-tls-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// As a deployment does it: never half a file.
    fn replace(&self, name: &str, content: &str) {
        let fresh = self.path("fresh");
        std::fs::write(&fresh, content).unwrap();
        std::fs::rename(fresh, self.path(name)).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A certificate with its key, in one PEM, and the certificate in DER.
fn certificate() -> (String, Vec<u8>) {
    let made = rcgen::generate_simple_self_signed(vec!["example.com".to_owned()]).unwrap();
    (made.cert.pem() + &made.signing_key.serialize_pem(), made.cert.der().to_vec())
}

fn of_file(path: &Path) -> SecretSource<TlsCertificate> {
    let source = DataSource::File(path.to_owned());
    let secret = TlsCertificate { certificate_chain: source.clone(), private_key: source, watched_directory: None };
    SecretSource::Inline { name: String::new(), secret }
}

/// What both sides of a connection have.
fn common(certificate: SecretSource<TlsCertificate>) -> CommonTlsContext {
    let params = TlsParameters {
        min_version: TlsVersion::Tls12,
        max_version: TlsVersion::Tls13,
        cipher_suites: vec![vec![0xc02b]],
        ecdh_curves: vec![0x1d],
        signature_algorithms: Vec::new(),
    };
    CommonTlsContext { params, certificates: vec![certificate], validation: None, alpn_protocols: Vec::new() }
}

fn with_tls(certificate: SecretSource<TlsCertificate>, timeout: Option<Duration>) -> Bootstrap {
    let mut bootstrap = bootstrap(hcm(vec![direct("/", 200, "over TLS")]), Vec::new());
    let chain = &mut bootstrap.listeners[0].filter_chains[0];
    chain.transport_socket_connect_timeout = timeout;
    chain.tls = Some(Arc::new(DownstreamTlsContext {
        common: common(certificate),
        require_client_certificate: false,
        require_sni: false,
        session_ticket_keys: None,
        disable_stateless_session_resumption: false,
        disable_stateful_session_resumption: false,
        session_timeout: None,
        full_scan_certs_on_sni_mismatch: false,
        prefer_client_ciphers: false,
        origin: Origin::default(),
    }));
    bootstrap
}

fn client() -> ClientConnection {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.dangerous().with_custom_certificate_verifier(Arc::new(Any)).with_no_client_auth();
    ClientConnection::new(Arc::new(config), ServerName::try_from("example.com").unwrap()).unwrap()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// The certificate that a client gets and the answer to its request, if there is a handshake.
fn ask(address: SocketAddr) -> Option<(Vec<u8>, String)> {
    let mut stream = StreamOwned::new(client(), connect(address));
    stream.write_all(b"GET / HTTP/1.1\r\nhost: example.com\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    // `close_notify` comes before the end, so that this is no error.
    stream.read_to_string(&mut answer).ok()?;
    Some((stream.conn.peer_certificates().unwrap()[0].to_vec(), answer))
}

#[test]
fn a_certificate_that_changes_is_served() {
    let folder = Folder::new("changes");
    let (pem, der) = certificate();
    folder.replace("own.pem", &pem);
    let proxy = Proxy::start(with_tls(of_file(&folder.path("own.pem")), None), |_| ());
    let (served, answer) = ask(proxy.address()).unwrap();
    assert_eq!(served, der);
    assert!(answer.ends_with("over TLS"), "{answer}");
    let (pem, der) = certificate();
    folder.replace("own.pem", &pem);
    eventually("the new certificate is served", || ask(proxy.address()).unwrap().0 == der);
    assert_eq!(proxy.stat("listener.l.server_ssl_socket_factory.ssl_context_update_by_sds"), 0);
    assert_eq!(proxy.stat("listener.l.ssl.connection_error"), 0);
}

#[test]
fn a_secret_that_comes_late_is_waited_for() {
    let folder = Folder::new("late");
    let (pem, der) = certificate();
    folder.replace("own.pem", &pem);
    let source = SdsSource { name: "own".into(), path: folder.path("sds.yaml"), watched_directory: None };
    let proxy = Proxy::start(with_tls(SecretSource::Sds(source), None), |_| ());
    assert_eq!(ask(proxy.address()), None);
    proxy.expect_stat("listener.l.server_ssl_socket_factory.downstream_context_secrets_not_ready", 1);
    let own = folder.path("own.pem");
    let secret = format!(
        "resources:\n- \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret\n  name: own\n  tls_certificate:\n    certificate_chain: {{filename: {own}}}\n    private_key: {{filename: {own}}}\n",
        own = own.display()
    );
    folder.replace("sds.yaml", &secret);
    eventually("there is a handshake", || ask(proxy.address()).is_some_and(|(served, _)| served == der));
    assert_eq!(proxy.stat("listener.l.server_ssl_socket_factory.ssl_context_update_by_sds"), 1);
    // What the secret names is looked after, too.
    let (pem, der) = certificate();
    folder.replace("own.pem", &pem);
    eventually("the new certificate is served", || ask(proxy.address()).is_some_and(|(served, _)| served == der));
}

#[test]
fn a_handshake_ends_in_time() {
    let folder = Folder::new("time");
    folder.replace("own.pem", &certificate().0);
    let timeout = Some(Duration::from_millis(100));
    let proxy = Proxy::start(with_tls(of_file(&folder.path("own.pem")), timeout), |_| ());
    let mut silent = connect(proxy.address());
    assert_eq!(silent.read(&mut [0; 16]).unwrap(), 0);
    proxy.expect_stat("listener.l.downstream_cx_transport_socket_connect_timeout", 1);
    proxy.expect_stat("http.in.downstream_cx_ssl_active", 0);
    proxy.expect_stat("http.in.downstream_cx_destroy_local", 1);
}

#[test]
fn a_handshake_may_come_byte_by_byte() {
    let folder = Folder::new("bytes");
    folder.replace("own.pem", &certificate().0);
    let proxy = Proxy::start(with_tls(of_file(&folder.path("own.pem")), None), |_| ());
    let mut stream = connect(proxy.address());
    stream.set_nodelay(true).unwrap();
    let mut client = client();
    while client.is_handshaking() {
        let mut out = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut out).unwrap();
        }
        for byte in out {
            stream.write_all(&[byte]).unwrap();
        }
        if client.wants_read() {
            client.read_tls(&mut stream).unwrap();
            client.process_new_packets().unwrap();
        }
    }
    let mut stream = StreamOwned::new(client, stream);
    stream.write_all(b"GET / HTTP/1.1\r\nhost: example.com\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("over TLS"), "{answer}");
    proxy.expect_stat("listener.l.ssl.handshake", 1);
}
