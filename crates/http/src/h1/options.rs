//! What a connection allows.

/// How a server connection reads requests. The defaults are Envoy's.
#[derive(Clone, Debug)]
pub struct RequestOptions {
    /// Bytes of the request line and headers; beyond it 431 (`max_request_headers_kb`, 60).
    pub max_head_bytes: usize,
    /// Header lines; beyond it 431 (`max_headers_count`, 100).
    pub max_headers: usize,
    /// Answer 426 to HTTP/1.0 if unset (`accept_http_10`).
    pub accept_http_10: bool,
    /// The `:authority` of HTTP/1.0 requests without `Host` (`default_host_for_http_10`).
    pub default_host: Option<Vec<u8>>,
    /// Whether trailers are passed on or dropped (`enable_trailers`).
    pub enable_trailers: bool,
    /// `Transfer-Encoding: chunked` with `Content-Length` drops the length instead of failing (`allow_chunked_length`).
    pub allow_chunked_length: bool,
}

impl Default for RequestOptions {
    fn default() -> Self {
        Self {
            max_head_bytes: 60 * 1024,
            max_headers: 100,
            accept_http_10: false,
            default_host: None,
            enable_trailers: false,
            allow_chunked_length: false,
        }
    }
}

/// How a client connection reads responses. The defaults are Envoy's.
#[derive(Clone, Debug)]
pub struct ResponseOptions {
    /// Bytes of the status line and headers (`max_response_headers_kb`).
    pub max_head_bytes: usize,
    /// Header lines (`max_headers_count`, 100).
    pub max_headers: usize,
    /// Whether trailers are passed on or dropped (`enable_trailers`).
    pub enable_trailers: bool,
    /// `Transfer-Encoding: chunked` with `Content-Length` drops the length instead of failing (`allow_chunked_length`).
    pub allow_chunked_length: bool,
}

impl Default for ResponseOptions {
    fn default() -> Self {
        Self { max_head_bytes: 80 * 1024, max_headers: 100, enable_trailers: false, allow_chunked_length: false }
    }
}
