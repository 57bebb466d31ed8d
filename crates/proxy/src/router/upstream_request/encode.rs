//! Writing: what there is of the request into its connection's buffer.

use std::time::Instant;

use sandgate_http::Direction;
use sandgate_http::h1::{RequestEncodeOptions, encode_request};

use super::exchange::{Exchange, RequestEnd};
use super::{State, UpstreamRequest};

/// The request line without method and target, and the empty line.
const FIRST_AND_LAST_LINE: usize = "  HTTP/1.1\r\n\r\n".len();

impl UpstreamRequest {
    /// Encodes what there is of the request.
    pub(super) fn encode(&mut self, now: Instant) -> Result<(), String> {
        let State::Open(exchange) = &mut self.state else { return Ok(()) };
        if self.end == RequestEnd::Encoded {
            return Ok(());
        }
        let Exchange { connection, encoder, bytes, .. } = &mut **exchange;
        let out = &mut connection.output;
        let before = out.len();
        if encoder.is_none() {
            let headers = self.stream.headers(Direction::Request);
            let Some(headers) = headers else { return Err("missing request headers".to_owned()) };
            let end_stream = self.headers_only;
            let enable_trailers = self.cluster.config.http.http1.enable_trailers;
            let options = RequestEncodeOptions { end_stream, enable_trailers };
            let body = encode_request(&headers, options, out).map_err(|error| error.to_string())?;
            *encoder = Some(body);
            self.begun = true;
            let method = headers.get(b":method").unwrap_or_default();
            let path = headers.get(b":path").unwrap_or_default();
            bytes.wire_sent = (out.len() - before) as u64;
            bytes.header_sent =
                bytes.wire_sent.saturating_sub((method.len() + path.len() + FIRST_AND_LAST_LINE) as u64);
            connection.decoder.expect_response(method, false);
            match &mut self.aside {
                Some(aside) => aside.first_tx = Some(now),
                None => self.stream.info_mut().upstream.first_tx = Some(now),
            }
            if end_stream {
                self.end = RequestEnd::Encoded;
                return Ok(());
            }
        }
        let Some(encoder) = encoder else { return Ok(()) };
        let before = out.len();
        encoder.pieces(std::mem::take(&mut self.body), out);
        match self.end {
            RequestEnd::NotYet | RequestEnd::Encoded => {
                bytes.wire_sent += (out.len() - before) as u64;
                return Ok(());
            }
            RequestEnd::Body => encoder.end(out),
            RequestEnd::Trailers => match self.stream.trailers(Direction::Request) {
                Some(trailers) => encoder.trailers(&trailers, out).map_err(|error| error.to_string())?,
                None => encoder.end(out),
            },
        }
        bytes.wire_sent += (out.len() - before) as u64;
        self.end = RequestEnd::Encoded;
        Ok(())
    }
}
