//! `%FILTER_STATE(key:PLAIN)%`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use sandgate_attributes::{StateJson, StateValue, Value};

use crate::format::Rendered;
use crate::json_text;
use crate::operator::text;
use crate::{FormatContext, FormatError};

/// An object of the filter state.
#[derive(Clone, Debug)]
pub(crate) struct FilterState {
    key: String,
    style: Style,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Style {
    Plain,
    Typed,
    Field(String),
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
            "FIELD" => Style::Field(field.to_owned()),
            _ => return Err(refused("Invalid filter state serialize type, only support PLAIN/TYPED/FIELD.")),
        };
        if matches!(style, Style::Field(_)) == field.is_empty() {
            return Err(refused("Invalid filter state serialize type, FIELD should be used with the field name."));
        }
        Ok(Self { key: key.to_owned(), style })
    }

    pub(crate) fn render(&self, context: &FormatContext<'_>, out: &mut Vec<u8>) -> Rendered {
        let Some(state) = context.info.filter_state.get(self.key.as_bytes()) else { return Rendered::Absent };
        match &self.style {
            Style::Plain => state.text().map_or(Rendered::Absent, |value| text(out, &value)),
            Style::Typed => typed(&state, out),
            Style::Field(field) => match state.part(field.as_bytes()) {
                Some(Value::String(value)) => text(out, &value),
                Some(Value::Int(number)) => text(out, number.to_string().as_bytes()),
                _ => Rendered::Absent,
            },
        }
    }
}

/// The object as JSON. What a plugin set is a message of bytes.
fn typed(state: &StateValue, out: &mut Vec<u8>) -> Rendered {
    match state {
        StateValue::Bytes(value) | StateValue::String(value) => {
            out.extend_from_slice(b"{\"@type\":\"type.googleapis.com/google.protobuf.BytesValue\",\"value\":\"");
            out.extend_from_slice(STANDARD.encode(value).as_bytes());
            out.extend_from_slice(b"\"}");
            Rendered::Json
        }
        StateValue::Text { text, json: StateJson::String } => {
            json_text::string(text, out);
            Rendered::Json
        }
        StateValue::Text { text, json: StateJson::Literal } => {
            out.extend_from_slice(text);
            Rendered::Json
        }
        _ => Rendered::Absent,
    }
}
