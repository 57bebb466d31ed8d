//! Format strings.

use prost_types::Struct;
use sandgate_formatter::{Format, JsonFormat};

use super::{Context, source, type_name};
use crate::{
    model::{BodyFormat, SubstitutionFormat},
    proto::envoy::config::core::v3::{SubstitutionFormatString, substitution_format_string::Format as Kind},
};

/// What Envoy writes where no format is configured.
const ACCESS_LOG_DEFAULT: &str = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" \
    %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \
    \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"\n";

/// The most a format may have when it is read from a file.
const MAX_FORMAT: usize = 1 << 20;

/// Commands' parsers that are built in anyway.
const BUILT_IN: [&str; 2] =
    ["envoy.extensions.formatter.metadata.v3.Metadata", "envoy.extensions.formatter.cel.v3.Cel"];

/// Envoy's default for access logs.
pub(super) fn access_log_default(context: &mut Context<'_>) -> Option<SubstitutionFormat> {
    text(context, ACCESS_LOG_DEFAULT, false)
}

/// Reads text with commands.
pub(super) fn text(context: &mut Context<'_>, text: &str, omit_empty: bool) -> Option<SubstitutionFormat> {
    match Format::parse(text) {
        Ok(format) if omit_empty => Some(SubstitutionFormat::Text(format.omitting_empty_values())),
        Ok(format) => Some(SubstitutionFormat::Text(format)),
        Err(error) => {
            context.error(error.to_string());
            None
        }
    }
}

/// Reads JSON with commands in its strings.
pub(super) fn json(context: &mut Context<'_>, json: &Struct, omit_empty: bool) -> Option<SubstitutionFormat> {
    match JsonFormat::parse(json) {
        Ok(format) if omit_empty => Some(SubstitutionFormat::Json(format.omitting_empty_values())),
        Ok(format) => Some(SubstitutionFormat::Json(format)),
        Err(error) => {
            context.error(error.to_string());
            None
        }
    }
}

/// Converts a format.
pub(super) fn format(context: &mut Context<'_>, message: SubstitutionFormatString) -> Option<SubstitutionFormat> {
    context.list("formatters", message.formatters, |context, formatter| {
        if !formatter.typed_config.as_ref().map(type_name).is_some_and(|name| BUILT_IN.contains(&name)) {
            context.unknown_extension("formatter", &formatter.name, formatter.typed_config.as_ref());
        }
        None::<()>
    });
    let omit_empty = message.omit_empty_values;
    match context.required("a format", message.format)? {
        Kind::TextFormat(format) => context.field("text_format", |context| text(context, &format, omit_empty)),
        Kind::JsonFormat(format) => context.field("json_format", |context| json(context, &format, omit_empty)),
        Kind::TextFormatSource(source) => context.field("text_format_source", |context| {
            let bytes = source::read(context, source, MAX_FORMAT)?;
            let Ok(format) = std::str::from_utf8(&bytes) else {
                context.error("the format is not UTF-8");
                return None;
            };
            text(context, format, omit_empty)
        }),
    }
}

/// Converts the format of a body, with its content type.
pub(super) fn body(context: &mut Context<'_>, mut message: SubstitutionFormatString) -> Option<BodyFormat> {
    let content_type = std::mem::take(&mut message.content_type);
    let format = format(context, message)?;
    let fitting = match &format {
        SubstitutionFormat::Text(_) => "text/plain",
        SubstitutionFormat::Json(_) => "application/json",
    };
    let content_type = if content_type.is_empty() { fitting.to_owned() } else { content_type };
    Some(BodyFormat { format, content_type })
}
