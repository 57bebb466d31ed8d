//! `%FILTER_STATE(key:PLAIN)%`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use sandgate_attributes::StateValue;

use crate::format::Rendered;
use crate::operator::text;
use crate::{FormatContext, FormatError};

/// An object of the filter state. All objects here are bytes that plugins have set.
#[derive(Clone, Debug)]
pub(crate) struct FilterState {
    key: String,
    style: Style,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Plain,
    Typed,
    Field,
}

// === impl FilterState ===

impl FilterState {
    pub(crate) fn parse(parameters: &str) -> Result<Self, FormatError> {
        let refused = |why: &str| FormatError::Parameter(why.to_owned());
        let mut fields = parameters.split(':');
        let key = fields.next().unwrap_or_default();
        let style = fields.next().unwrap_or_default();
        let field = fields.next().unwrap_or_default();
        if key.is_empty() {
            return Err(refused("Invalid filter state configuration, key cannot be empty."));
        }
        let style = match style {
            "" | "TYPED" => Style::Typed,
            "PLAIN" => Style::Plain,
            "FIELD" => Style::Field,
            _ => return Err(refused("Invalid filter state serialize type, only support PLAIN/TYPED/FIELD.")),
        };
        if (style == Style::Field) == field.is_empty() {
            return Err(refused("Invalid filter state serialize type, FIELD should be used with the field name."));
        }
        Ok(Self { key: key.to_owned(), style })
    }

    pub(crate) fn render(&self, context: &FormatContext<'_>, out: &mut Vec<u8>) -> Rendered {
        let state = context.info.filter_state.get(self.key.as_bytes());
        match (state.as_ref().and_then(StateValue::text), self.style) {
            (Some(value), Style::Plain) => text(out, value),
            (Some(value), Style::Typed) => {
                out.extend_from_slice(b"{\"@type\":\"type.googleapis.com/google.protobuf.BytesValue\",\"value\":\"");
                out.extend_from_slice(STANDARD.encode(value).as_bytes());
                out.extend_from_slice(b"\"}");
                Rendered::Json
            }
            _ => Rendered::Absent,
        }
    }
}
