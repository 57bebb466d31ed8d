//! `%CEL(expression)%` and `%TYPED_CEL(expression)%`.

use std::sync::Arc;

use sandgate_expression::{CompileError, Environment, Expression, Value};

use crate::format::Rendered;
use crate::json_text;
use crate::operator::text;
use crate::{FormatContext, FormatError};

/// An expression over the attributes of the stream.
#[derive(Clone, Debug)]
pub(crate) struct ExpressionOf {
    expression: Arc<Expression>,
    /// As the only thing in a JSON string it keeps its type.
    pub(crate) typed: bool,
}

// === impl ExpressionOf ===

impl ExpressionOf {
    pub(crate) fn parse(text: &str, typed: bool) -> Result<Self, FormatError> {
        let expression = Expression::parse(text.as_bytes(), &Environment::filters()).map_err(|error| {
            FormatError::Parameter(match error {
                CompileError::Syntax(what) => format!("Not able to parse expression: {what}"),
                CompileError::Unknown(what) => format!("failed to create an expression: {what}"),
            })
        })?;
        Ok(Self { expression: Arc::new(expression), typed })
    }

    pub(crate) fn render(&self, context: &FormatContext<'_>, out: &mut Vec<u8>) -> Rendered {
        let printed = context.with_activation(|activation| self.expression.print(activation));
        printed.map_or(Rendered::Absent, |printed| text(out, &printed))
    }

    /// The value as JSON.
    pub(crate) fn render_value(
        &self,
        context: &FormatContext<'_>,
        max_length: Option<usize>,
        out: &mut Vec<u8>,
    ) -> Rendered {
        let value = context.with_activation(|activation| self.expression.evaluate(activation).ok());
        match value {
            None | Some(Value::Null) => Rendered::Absent,
            Some(Value::String(value)) => {
                let length = max_length.unwrap_or(value.len()).min(value.len());
                text(out, value.get(..length).unwrap_or_default())
            }
            Some(Value::Double(value)) => {
                json_text::number(value, out);
                Rendered::Json
            }
            Some(value) => match value.to_json() {
                Some(serde_json::Value::String(value)) => text(out, value.as_bytes()),
                Some(json) => {
                    out.extend_from_slice(json.to_string().as_bytes());
                    Rendered::Json
                }
                None => Rendered::Absent,
            },
        }
    }
}
