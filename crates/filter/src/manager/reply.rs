//! Answering instead of the upstream.

use bytes::Bytes;
use sandgate_attributes::{LifeSpan, StateJson, StateValue};
use sandgate_http::{BodyBuffer, Direction, HeaderMap, LocalReply};

use super::FilterManager;
use super::task::{HeadersStep, Task};
use crate::local_reply::prepare_local_reply_with;

impl FilterManager {
    /// Sends a reply by the way that is still open: through the encoder filters, directly to the codec, or not at all.
    pub(super) fn send_local_reply(&mut self, reply: &LocalReply) {
        if self.response.complete {
            return;
        }
        if self.stream.is_attempt() {
            // The client's own chain makes a response of it.
            self.reply = Some(reply.clone());
            self.stream.over.set(true);
            (self.request.complete, self.response.complete) = (true, true);
            return;
        }
        if reply.status == 400 {
            self.stream.bad_request.set(true);
        }
        if self.response.headers_sent {
            self.reset_now();
            return;
        }
        let through_chain = !self.has_response && !self.has_informational;
        let route = self.stream.local_reply_headers();
        let rewriter = self.stream.local_reply_rewriter();
        let modify = |headers: &mut HeaderMap| {
            if let Some(route) = route {
                route.modify(headers, &self.stream);
            }
        };
        let prepared = prepare_local_reply_with(reply, self.kind, modify, |headers, content| {
            if let Some(rewriter) = rewriter {
                self.stream.info_mut().response_code = Some(content.status);
                rewriter.rewrite(&self.stream, headers, content);
            }
        });
        self.set_response(prepared.headers);
        self.stream.decode_aborted.set(true);
        let end_stream = prepared.body.is_empty();
        let mut body = BodyBuffer::new();
        body.push(prepared.body);
        if through_chain {
            // Headers run their whole way, or to where they are stopped, before the body follows.
            if end_stream {
                self.response.observed_end = true;
            } else {
                self.tasks.push(Task::Feed { direction: Direction::Response, data: body, end_stream: true });
            }
            let step =
                HeadersStep { direction: Direction::Response, place: 0, end_stream, body_from: None, added: false };
            self.tasks.push(Task::Headers(step));
        } else {
            self.stream.encode_aborted.set(true);
            self.response.observed_end = true;
            self.emit_headers(Direction::Response, end_stream);
            if !end_stream {
                self.emit_data(Direction::Response, body, true);
            }
        }
    }

    /// Leaves the name of the first filter that replied where Envoy leaves it: in the filter state.
    pub(super) fn tell_local_reply_owner(&self, filter: usize) {
        const KEY: &[u8] = b"envoy.filters.network.http_connection_manager.local_reply_owner";
        let mut info = self.stream.info_mut();
        if let Some(slot) = self.slots.get(filter)
            && info.filter_state.get(KEY).is_none()
        {
            let name = Bytes::copy_from_slice(slot.filter.name().as_bytes());
            let owner = StateValue::Text { text: name, json: StateJson::None };
            // Nobody else uses the name; if a plugin does, that one stays.
            let _ = info.filter_state.set(KEY, owner, true, LifeSpan::FilterChain);
        }
    }

    /// Envoy answers 502 if filters have left no usable `:status`. `false` if so.
    pub(super) fn check_response_headers(&mut self) -> bool {
        if self.stream.headers(Direction::Response).is_some_and(|headers| status_of(&headers).is_some()) {
            return true;
        }
        let reply = LocalReply {
            status: 502,
            body: b"missing required header: :status".to_vec(),
            details: "filter_removed_required_response_headers{missing required header: :status}".to_owned(),
            ..LocalReply::default()
        };
        self.stream.request_local_reply(reply, None);
        false
    }

    /// Puts response headers in place, with their code.
    pub(super) fn set_response(&mut self, headers: HeaderMap) {
        if !self.stream.is_attempt() {
            self.stream.info_mut().response_code = status_of(&headers).and_then(|status| u32::try_from(status).ok());
        }
        self.has_response = true;
        self.stream.set_headers(Direction::Response, headers);
    }
}

/// Envoy's `getResponseStatusOrNullopt`: an unsigned decimal number.
fn status_of(headers: &HeaderMap) -> Option<u64> {
    std::str::from_utf8(headers.get(b":status")?).ok()?.parse().ok()
}
