//! The stream as a source of attributes.

use std::cell::{Ref, RefCell};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use sandgate_attributes::{AttributeSource, MetadataOf, ResponseFlags, StateValue, TlsAttribute};
use sandgate_http::{Direction, HeaderMap};

use crate::{ConnectionInfo, Stream, StreamInfo, TlsInfo};

/// What is known of a stream, with header maps that are not its own or not yet: what formats and filters of logs see.
#[derive(Debug)]
pub struct InfoAttributes<'a> {
    info: &'a StreamInfo,
    connection: &'a ConnectionInfo,
    request_headers: RefCell<Option<&'a HeaderMap>>,
    response_headers: RefCell<Option<&'a HeaderMap>>,
    response_trailers: RefCell<Option<&'a HeaderMap>>,
}

/// The attributes that come from what `self.info()` and `self.connection()` tell.
macro_rules! attributes_of_info {
    () => {
        fn protocol(&self) -> Option<&'static str> {
            self.info().protocol
        }

        fn start_time(&self) -> Option<SystemTime> {
            Some(self.info().start_time)
        }

        fn duration(&self) -> Option<Duration> {
            self.info().duration()
        }

        fn backend_latency(&self) -> Option<Duration> {
            let info = self.info();
            Some(info.upstream.last_rx?.saturating_duration_since(info.upstream.first_tx?))
        }

        fn request_body_bytes(&self) -> u64 {
            self.info().bytes_received
        }

        fn response_body_bytes(&self) -> u64 {
            self.info().bytes_sent
        }

        fn response_code(&self) -> Option<u32> {
            self.info().response_code
        }

        fn response_code_details(&self) -> Option<String> {
            self.info().response_code_details.clone()
        }

        fn response_flags(&self) -> ResponseFlags {
            self.info().response_flags
        }

        fn downstream_remote_address(&self) -> Option<SocketAddr> {
            self.connection().remote_address
        }

        fn downstream_local_address(&self) -> Option<SocketAddr> {
            self.connection().local_address
        }

        fn connection_id(&self) -> Option<u64> {
            let connection = self.connection();
            // Requests of the proxy's own came on no connection.
            connection.opened.map(|_| connection.id)
        }

        fn mtls(&self) -> bool {
            self.connection().tls.as_ref().is_some_and(|tls| tls.peer().is_some())
        }

        fn requested_server_name(&self) -> String {
            self.connection().requested_server_name.as_ref().to_owned()
        }

        fn connection_tls(&self, of: TlsAttribute) -> Option<String> {
            tls(self.connection().tls.as_deref()?, of)
        }

        fn connection_termination_details(&self) -> Option<String> {
            self.info().connection_termination_details.clone()
        }

        fn connection_transport_failure_reason(&self) -> Option<String> {
            let connection = self.connection();
            Some(connection.transport_failure_reason.as_ref().to_owned()).filter(|reason| !reason.is_empty())
        }

        fn upstream_tls(&self, of: TlsAttribute) -> Option<String> {
            tls(self.info().upstream.tls.as_deref()?, of)
        }

        fn upstream_transport_failure_reason(&self) -> Option<String> {
            let info = self.info();
            let upstream = &info.upstream;
            (upstream.attempt_count > 0).then(|| upstream.transport_failure_reason.clone())
        }

        fn upstream_address(&self) -> Option<SocketAddr> {
            self.info().upstream.address
        }

        fn upstream_local_address(&self) -> Option<SocketAddr> {
            self.info().upstream.local_address
        }

        fn upstream_request_attempt_count(&self) -> u32 {
            self.info().upstream.attempt_count
        }

        fn upstream_pool_ready(&self) -> Option<Duration> {
            self.info().upstream.pool_ready
        }

        fn upstream_locality(&self) -> Option<Bytes> {
            let info = self.info();
            info.upstream.address.map(|_| info.upstream.locality.clone())
        }

        fn has_upstream_filter_state(&self) -> bool {
            self.info().upstream.connection_id.is_some()
        }

        fn cluster_name(&self) -> Option<String> {
            self.info().cluster_name.as_deref().map(str::to_owned)
        }

        fn cluster_endpoints(&self) -> Option<u64> {
            self.info().upstream.cluster_endpoints
        }

        fn route_name(&self) -> Option<String> {
            self.info().route_name.as_deref().map(str::to_owned)
        }

        fn virtual_host_name(&self) -> Option<String> {
            self.info().virtual_host_name.as_deref().map(str::to_owned)
        }

        fn filter_chain_name(&self) -> Option<String> {
            Some(self.connection().listener.filter_chain_name.as_ref().to_owned())
        }

        fn listener_direction(&self) -> Option<i64> {
            Some(self.connection().listener.direction)
        }

        fn node(&self) -> Option<Bytes> {
            Some(self.connection().listener.node.clone())
        }

        fn metadata(&self, of: MetadataOf) -> Option<Bytes> {
            let info = self.info();
            Some(match of {
                MetadataOf::Dynamic => info.dynamic_metadata.clone(),
                MetadataOf::Listener => self.connection().listener.metadata.clone(),
                MetadataOf::Route => info.route_name.as_ref().map(|_| info.route_metadata.clone())?,
                MetadataOf::VirtualHost => {
                    info.virtual_host_name.as_ref().map(|_| info.virtual_host_metadata.clone())?
                }
                MetadataOf::Cluster => info.cluster_name.as_ref().map(|_| info.upstream.cluster_metadata.clone())?,
                MetadataOf::UpstreamHost => info.upstream.address.map(|_| info.upstream.host_metadata.clone())?,
                MetadataOf::UpstreamLocality => {
                    info.upstream.address.map(|_| info.upstream.locality_metadata.clone())?
                }
            })
        }

        fn filter_state(&self, key: &[u8]) -> Option<StateValue> {
            self.info().filter_state.get(key)
        }
    };
}

impl AttributeSource for Stream {
    fn request_headers(&self) -> Option<Ref<'_, HeaderMap>> {
        self.headers(Direction::Request)
    }

    fn response_headers(&self) -> Option<Ref<'_, HeaderMap>> {
        self.headers(Direction::Response)
    }

    fn response_trailers(&self) -> Option<Ref<'_, HeaderMap>> {
        self.trailers(Direction::Response)
    }

    attributes_of_info!();
}

// === impl InfoAttributes ===

impl<'a> InfoAttributes<'a> {
    /// Of a stream without headers.
    #[must_use]
    pub fn new(info: &'a StreamInfo, connection: &'a ConnectionInfo) -> Self {
        Self {
            info,
            connection,
            request_headers: RefCell::default(),
            response_headers: RefCell::default(),
            response_trailers: RefCell::default(),
        }
    }

    /// With these request headers, response headers and response trailers.
    #[must_use]
    pub fn with_headers(
        self,
        request_headers: Option<&'a HeaderMap>,
        response_headers: Option<&'a HeaderMap>,
        response_trailers: Option<&'a HeaderMap>,
    ) -> Self {
        Self {
            request_headers: RefCell::new(request_headers),
            response_headers: RefCell::new(response_headers),
            response_trailers: RefCell::new(response_trailers),
            ..self
        }
    }

    fn info(&self) -> &'a StreamInfo {
        self.info
    }

    fn connection(&self) -> &'a ConnectionInfo {
        self.connection
    }
}

impl AttributeSource for InfoAttributes<'_> {
    fn request_headers(&self) -> Option<Ref<'_, HeaderMap>> {
        Ref::filter_map(self.request_headers.borrow(), |headers| *headers).ok()
    }

    fn response_headers(&self) -> Option<Ref<'_, HeaderMap>> {
        Ref::filter_map(self.response_headers.borrow(), |headers| *headers).ok()
    }

    fn response_trailers(&self) -> Option<Ref<'_, HeaderMap>> {
        Ref::filter_map(self.response_trailers.borrow(), |headers| *headers).ok()
    }

    attributes_of_info!();
}

/// Subjects are there whatever certificates there are, and then empty (observed in Envoy 1.40).
pub(crate) fn tls(tls: &TlsInfo, of: TlsAttribute) -> Option<String> {
    let (local, peer) = (tls.local.as_deref(), tls.peer());
    match of {
        TlsAttribute::Version => Some(tls.version.to_owned()),
        TlsAttribute::SubjectLocal => Some(local.map(|local| local.subject.clone()).unwrap_or_default()),
        TlsAttribute::SubjectPeer => Some(peer.map(|peer| peer.subject.clone()).unwrap_or_default()),
        TlsAttribute::UriSanLocal => local?.uri_sans.first().cloned(),
        TlsAttribute::UriSanPeer => peer?.uri_sans.first().cloned(),
        TlsAttribute::DnsSanLocal => local?.dns_sans.first().cloned(),
        TlsAttribute::DnsSanPeer => peer?.dns_sans.first().cloned(),
        TlsAttribute::Sha256PeerDigest => Some(peer?.sha256.clone()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use super::*;
    use crate::CertificateInfo;

    #[test]
    fn the_first_connection_has_the_number_0_and_no_connection_none() {
        let now = Instant::now();
        let info = StreamInfo::new(None, SystemTime::now(), now);
        let first = ConnectionInfo { id: 0, opened: Some(now), ..ConnectionInfo::default() };
        assert_eq!(InfoAttributes::new(&info, &first).connection_id(), Some(0));
        assert_eq!(InfoAttributes::new(&info, &ConnectionInfo::default()).connection_id(), None);
    }

    #[test]
    fn subjects_are_empty_where_other_attributes_are_not_there() {
        let all = [
            TlsAttribute::SubjectLocal,
            TlsAttribute::SubjectPeer,
            TlsAttribute::UriSanLocal,
            TlsAttribute::UriSanPeer,
            TlsAttribute::DnsSanLocal,
            TlsAttribute::DnsSanPeer,
            TlsAttribute::Sha256PeerDigest,
        ];
        let of = |info: &TlsInfo| all.map(|of| tls(info, of));
        let none = TlsInfo { version: "TLSv1.2", ..TlsInfo::default() };
        let empty = || Some(String::new());
        assert_eq!(tls(&none, TlsAttribute::Version).as_deref(), Some("TLSv1.2"));
        assert_eq!(of(&none), [empty(), empty(), None, None, None, None, None]);
        let peer = CertificateInfo {
            subject: "CN=p".to_owned(),
            uri_sans: vec!["u1".to_owned(), "u2".to_owned()],
            dns_sans: vec!["d1".to_owned()],
            sha256: "ab".to_owned(),
            ..CertificateInfo::default()
        };
        let local = Some(Arc::new(CertificateInfo { subject: "CN=l".to_owned(), ..CertificateInfo::default() }));
        let mutual = TlsInfo { peer_chain: vec![Arc::new(peer)], local, ..TlsInfo::default() };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(of(&mutual), [text("CN=l"), text("CN=p"), None, text("u1"), None, text("d1"), text("ab")]);
    }
}
