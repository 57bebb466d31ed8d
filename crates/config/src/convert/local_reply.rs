//! Local replies.

use super::{Context, access_log, header_mutations::header_value_option, source, substitution_format};
use crate::{
    model::{HeaderMutations, LocalReplyConfig, ResponseMapper},
    proto::envoy::extensions::filters::network::http_connection_manager::v3 as proto,
};

/// As for bodies of direct responses, unless a route configuration says otherwise.
const MAX_BODY: usize = 1 << 20;

/// Converts the configuration of local replies.
pub(super) fn local_reply(context: &mut Context<'_>, message: proto::LocalReplyConfig) -> LocalReplyConfig {
    let mappers = context.list("mappers", message.mappers, mapper);
    let body_format = message
        .body_format
        .and_then(|format| context.field("body_format", |context| substitution_format::body(context, format)));
    LocalReplyConfig { mappers, body_format }
}

fn mapper(context: &mut Context<'_>, message: proto::ResponseMapper) -> Option<ResponseMapper> {
    let filter = context.required("filter", message.filter)?;
    let filter = context.field("filter", |context| access_log::filter(context, filter));
    let body = message.body.map(|body| context.field("body", |context| source::read(context, body, MAX_BODY)));
    let body_format = message
        .body_format_override
        .map(|format| context.field("body_format_override", |context| substitution_format::body(context, format)));
    let add = context.list("headers_to_add", message.headers_to_add, header_value_option);
    Some(ResponseMapper {
        filter: filter?,
        status_code: message.status_code,
        body: body.flatten(),
        body_format: body_format.flatten(),
        headers: HeaderMutations { add, ..HeaderMutations::default() },
    })
}
