//! From a [`LocalReply`] to the response that is sent: Envoy's `Utility::prepareLocalReply`.

use std::borrow::Cow;

use bytes::Bytes;
use sandgate_http::{HeaderMap, HeaderMapKind, LocalReply};

use crate::grpc;
use crate::stream::Stream;

/// What a route does to the headers of replies that are made here.
pub trait LocalReplyHeaders: std::fmt::Debug {
    /// Changes them. The reply's own headers are not among them yet; the stream knows the reply's details, not its code.
    fn modify(&self, headers: &mut HeaderMap, stream: &Stream);
}

/// What the connection manager makes of replies that are made here (Envoy's `local_reply_config`).
pub trait LocalReplyRewriter: std::fmt::Debug {
    /// Changes a reply. `headers` has everything but what follows from the content; a changed code has to be set there, too.
    fn rewrite(&self, stream: &Stream, headers: &mut HeaderMap, content: &mut LocalReplyContent);
}

/// What a local reply says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalReplyContent {
    /// The code.
    pub status: u32,
    /// The body.
    pub body: Bytes,
    /// Used where nothing else has set a `content-type`, or the body was changed.
    pub content_type: Cow<'static, str>,
}

/// A local reply ready for the encoder chain or the codec.
#[derive(Debug)]
pub struct PreparedLocalReply {
    /// The response headers. `date` and `server` are not among them: the connection manager appends those.
    pub headers: HeaderMap,
    /// Empty if headers end the response.
    pub body: Bytes,
}

/// What of the request decides how a local reply looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestKind {
    /// A `HEAD` request: the body is left out, `content-length` stays.
    pub is_head: bool,
    /// A gRPC request: trailers only.
    pub is_grpc: bool,
}

/// Makes headers and body, in this order: `:status`, the reply's own headers, then `content-length` and `content-type`.
///
/// With a body, `content-length` is its length, and `content-type` is `text/plain` unless the reply's headers have one;
/// without one both are removed. For a gRPC request the status is 200, the body becomes `grpc-message`, and there is
/// nothing but headers.
#[must_use]
pub fn prepare_local_reply(reply: &LocalReply, kind: RequestKind) -> PreparedLocalReply {
    prepare_local_reply_with(reply, kind, |_| (), |_, _| ())
}

/// The same, where `modify` sees the headers before the reply's own are added, and `rewrite` all of it before headers are
/// made from the content.
pub(crate) fn prepare_local_reply_with(
    reply: &LocalReply,
    kind: RequestKind,
    modify: impl FnOnce(&mut HeaderMap),
    rewrite: impl FnOnce(&mut HeaderMap, &mut LocalReplyContent),
) -> PreparedLocalReply {
    let mut headers = HeaderMap::with_kind(HeaderMapKind::Response);
    headers.append(b":status", reply.status.to_string().as_bytes());
    modify(&mut headers);
    for (name, value) in &reply.headers {
        headers.add(name, value);
    }
    // What the reply's own headers say about it does not count.
    headers.set(b":status", reply.status.to_string().as_bytes());
    let mut content = LocalReplyContent {
        status: reply.status,
        body: Bytes::copy_from_slice(&reply.body),
        content_type: Cow::Borrowed("text/plain"),
    };
    let content_type = headers.get(b"content-type").map(<[u8]>::to_vec);
    rewrite(&mut headers, &mut content);
    let has_other_type = headers.get(b"content-type") != content_type.as_deref();
    if kind.is_grpc {
        headers.set(b":status", b"200");
        headers.set(b"content-type", b"application/grpc");
        if headers.get(b"grpc-status").is_none_or(<[u8]>::is_empty) {
            let status = reply.grpc_status.unwrap_or_else(|| grpc::grpc_status_from_http(content.status));
            headers.set(b"grpc-status", status.to_string().as_bytes());
        }
        if !content.body.is_empty() {
            let message = match content.body.strip_suffix(b"\n") {
                // The end of the line that a formatted body is; other bodies keep theirs (observed in Envoy 1.40).
                Some(line) if content.content_type == "application/json" => line,
                _ => &content.body,
            };
            headers.set(b"grpc-message", &grpc::encode_message(message));
        }
        headers.remove(b"content-length");
        return PreparedLocalReply { headers, body: Bytes::new() };
    }
    if content.body.is_empty() {
        headers.remove(b"content-length");
        headers.remove(b"content-type");
    } else {
        headers.set(b"content-length", content.body.len().to_string().as_bytes());
        if !has_other_type && (*content.body != *reply.body || !headers.contains(b"content-type")) {
            headers.set(b"content-type", content.content_type.as_bytes());
        }
    }
    PreparedLocalReply { headers, body: if kind.is_head { Bytes::new() } else { content.body } }
}
