//! What routes and their like do to headers.

use sandgate_formatter::Format;

use super::Context;
use crate::{
    model::{HeaderAppendAction, HeaderMutations, HeaderValueOption},
    proto::envoy::config::core::v3::{self as proto, header_value_option::HeaderAppendAction as Action},
};

/// Converts the lists of `…_headers_to_add` and `…_headers_to_remove`; `which` is `request` or `response`.
pub(super) fn header_mutations(
    context: &mut Context<'_>,
    which: &str,
    add: Vec<proto::HeaderValueOption>,
    remove: Vec<String>,
) -> HeaderMutations {
    HeaderMutations {
        add: context.list(&format!("{which}_headers_to_add"), add, header_value_option),
        remove: context.list(&format!("{which}_headers_to_remove"), remove, |context, name| {
            if !is_modifiable(&name) {
                context.error(":-prefixed or host headers may not be removed");
                return None;
            }
            Some(name.to_ascii_lowercase())
        }),
    }
}

/// Converts a header to be added.
pub(super) fn header_value_option(
    context: &mut Context<'_>,
    message: proto::HeaderValueOption,
) -> Option<HeaderValueOption> {
    let header = context.required("header", message.header)?;
    if !is_modifiable(&header.key) {
        context.error_at("header.key", ":-prefixed or host headers may not be modified");
        return None;
    }
    let mut action = match Action::try_from(message.append_action) {
        Ok(Action::AddIfAbsent) => HeaderAppendAction::AddIfAbsent,
        Ok(Action::OverwriteIfExistsOrAdd) => HeaderAppendAction::OverwriteIfExistsOrAdd,
        Ok(Action::OverwriteIfExists) => HeaderAppendAction::OverwriteIfExists,
        Ok(Action::AppendIfExistsOrAdd) | Err(_) => HeaderAppendAction::AppendIfExistsOrAdd,
    };
    if let Some(append) = message.append {
        if action != HeaderAppendAction::AppendIfExistsOrAdd {
            context.error("Both append and append_action are set and it's not allowed");
        } else if !append {
            action = HeaderAppendAction::OverwriteIfExistsOrAdd;
        }
    }
    let value = format(context, "header.value", &header.value)?.omitting_empty_values();
    Some(HeaderValueOption {
        name: header.key.to_ascii_lowercase(),
        value,
        action,
        keep_empty_value: message.keep_empty_value,
    })
}

/// Reads a format string at `field`.
pub(super) fn format(context: &mut Context<'_>, field: &str, text: &str) -> Option<Format> {
    Format::parse(text).map_err(|error| context.error_at(field, error.to_string())).ok()
}

fn is_modifiable(name: &str) -> bool {
    !name.starts_with(':') && !name.eq_ignore_ascii_case("host")
}
