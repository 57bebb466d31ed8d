//! Stats of listener filters, of all listeners together.

use super::scope;

scope!(
    /// `tls_inspector.`: what begins with a ClientHello.
    TlsInspectorStats, "tls_inspector.{}",
    counters {
        /// … and was too long.
        client_hello_too_large,
        /// Connections with TLS.
        tls_found,
        /// Connections without.
        tls_not_found,
        /// … that ask for a protocol by ALPN.
        alpn_found,
        /// … that do not.
        alpn_not_found,
        /// … that name a server.
        sni_found,
        /// … that do not.
        sni_not_found,
    }
    gauges {}
    histograms {
        /// Bytes that were looked at.
        bytes_processed: Unspecified,
    }
);

scope!(
    /// `http_inspector.`: what begins with HTTP.
    HttpInspectorStats, "http_inspector.{}",
    counters {
        /// Connections whose first line had no end.
        read_error,
        /// HTTP/1.0.
        http10_found,
        /// HTTP/1.1.
        http11_found,
        /// HTTP/2.
        http2_found,
        /// Something else.
        http_not_found,
    }
    gauges {}
    histograms {}
);

scope!(
    /// `proxy_proto.<prefix>`: connections without a header of the PROXY protocol.
    ProxyProtocolStats, "proxy_proto.{}",
    counters {
        /// They were let in.
        not_found_allowed,
        /// They were not.
        not_found_disallowed,
    }
    gauges {}
    histograms {}
);

scope!(
    /// `proxy_proto.<prefix>versions.<version>.`: headers of one version.
    ProxyProtocolVersionStats, "proxy_proto.{}",
    counters {
        /// Headers.
        found,
        /// … of a version that is not wanted.
        disallowed,
        /// Broken ones.
        error,
    }
    gauges {}
    histograms {}
);

scope!(
    /// The oldest stat of the PROXY protocol.
    LegacyProxyProtocolStats, "{}",
    counters {
        /// Connections refused for their header.
        downstream_cx_proxy_proto_error,
    }
    gauges {}
    histograms {}
);
