//! TLS to hosts: the certificate that we show changes.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, ServerConnection, SignatureScheme, StreamOwned};
use sandgate_config::model::{Origin, UpstreamTlsContext};

use super::{Folder, certificate, common, of_file};
use crate::support::{Proxy, cluster, eventually, forward, hcm};

/// Demands a certificate and takes any.
#[derive(Debug)]
struct AnyClient;

impl ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
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

/// Shows the end of a certificate, which is its signature, as text.
fn shown(der: &[u8]) -> String {
    der.iter().rev().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// A host that answers each request on a connection of its own with the certificate that it was shown.
fn host() -> SocketAddr {
    let (pem, der) = certificate();
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_client_cert_verifier(Arc::new(AnyClient));
    let config = Arc::new(config.with_single_cert(vec![der.into()], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let config = Arc::clone(&config);
            std::thread::spawn(move || answer(config, stream));
        }
    });
    address
}

fn answer(config: Arc<ServerConfig>, stream: TcpStream) -> Option<()> {
    let mut stream = StreamOwned::new(ServerConnection::new(config).ok()?, stream);
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        request.extend(byte);
    }
    let body = shown(stream.conn.peer_certificates()?.first()?);
    let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).ok()?;
    stream.conn.send_close_notify();
    stream.flush().ok()
}

#[test]
fn a_certificate_that_changes_is_shown_to_hosts() {
    let folder = Folder::new("upstream");
    let (pem, first) = certificate();
    folder.replace("own.pem", &pem);
    let mut up = cluster("up", host());
    up.tls = Some(Arc::new(UpstreamTlsContext {
        common: common(of_file(&folder.path("own.pem"))),
        sni: "example.com".to_owned(),
        auto_host_sni: false,
        auto_sni_san_validation: false,
        max_session_keys: 1,
        origin: Origin::default(),
    }));
    let proxy = Proxy::new(hcm(vec![forward("/", "up")]), vec![up]);
    assert_eq!(proxy.client().get("/").text(), shown(&first));
    let (pem, second) = certificate();
    folder.replace("own.pem", &pem);
    eventually("the new certificate is shown", || proxy.client().get("/").text() == shown(&second));
    assert_eq!(proxy.stat("cluster.up.ssl.connection_error"), 0);
    assert_eq!(proxy.stat("cluster.up.upstream_cx_connect_fail"), 0);
}
