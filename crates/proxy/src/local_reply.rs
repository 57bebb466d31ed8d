//! Replies that are made here, as the connection manager is configured to change them.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use sandgate_config::model::{BodyFormat, HeaderMutations, LocalReplyConfig, ResponseMapper, SubstitutionFormat};
use sandgate_filter::{LocalReplyContent, LocalReplyRewriter, Stream};
use sandgate_formatter::FormatContext;
use sandgate_http::{Direction, HeaderMap};

use crate::access_log::LogFilter;
use crate::route_table::mutate_headers;
use crate::runtime::Runtime;

/// Envoy's `local_reply_config`, ready for use.
pub(crate) struct LocalReplies {
    mappers: Vec<Mapper>,
    body_format: Option<BodyFormat>,
}

struct Mapper {
    filter: LogFilter,
    config: ResponseMapper,
}

// === impl LocalReplies ===

impl LocalReplies {
    /// Of a configuration; `None` if that changes nothing.
    pub(crate) fn new(config: &LocalReplyConfig, runtime: &Arc<Runtime>) -> Option<Rc<Self>> {
        if config.mappers.is_empty() && config.body_format.is_none() {
            return None;
        }
        let mappers = config
            .mappers
            .iter()
            .map(|config| Mapper { filter: LogFilter::new(&config.filter, runtime), config: config.clone() });
        Some(Rc::new(Self { mappers: mappers.collect(), body_format: config.body_format.clone() }))
    }
}

impl std::fmt::Debug for LocalReplies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalReplies").field("mappers", &self.mappers.len()).finish_non_exhaustive()
    }
}

impl LocalReplyRewriter for LocalReplies {
    fn rewrite(&self, stream: &Stream, headers: &mut HeaderMap, content: &mut LocalReplyContent) {
        let now = Instant::now();
        let matching = self.mappers.iter().find(|mapper| {
            with_context(stream, now, &content.body, |context| {
                mapper.filter.matches(&FormatContext { response_headers: Some(headers), ..context })
            })
        });
        if let Some(Mapper { config, .. }) = matching {
            if let Some(body) = &config.body {
                content.body = body.clone();
            }
            add_headers(&config.headers, stream, headers, &content.body, now);
            if let Some(status) = config.status_code {
                content.status = status;
                headers.set(b":status", status.to_string().as_bytes());
                stream.info_mut().response_code = Some(status);
            }
        }
        let format = matching.and_then(|mapper| mapper.config.body_format.as_ref()).or(self.body_format.as_ref());
        if let Some(format) = format {
            let mut body = Vec::new();
            with_context(stream, now, &content.body, |context| {
                let context = FormatContext { response_headers: Some(headers), ..context };
                match &format.format {
                    SubstitutionFormat::Text(format) => format.render(&context, &mut body),
                    SubstitutionFormat::Json(format) => format.render(&context, &mut body),
                }
            });
            content.body = Bytes::from(body);
            content.content_type = format.content_type.clone().into();
        }
    }
}

fn add_headers(mutations: &HeaderMutations, stream: &Stream, headers: &mut HeaderMap, body: &[u8], now: Instant) {
    if !mutations.is_empty() {
        with_context(stream, now, body, |context| mutate_headers(mutations, headers, context, Direction::Response));
    }
}

/// What is known while a reply is made, its headers excepted.
fn with_context<T>(stream: &Stream, now: Instant, body: &[u8], ask: impl FnOnce(FormatContext<'_>) -> T) -> T {
    let (info, request) = (stream.info(), stream.headers(Direction::Request));
    ask(FormatContext {
        request_headers: request.as_deref(),
        local_reply_body: body,
        ..FormatContext::new(&info, stream.connection(), now)
    })
}
