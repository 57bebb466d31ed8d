//! `%COALESCE({"operators": […]})%`: the first value that is there.

use serde_json::Value;

use crate::FormatContext;
use crate::FormatError;
use crate::command;
use crate::format::{Command, Rendered};

/// Reads the parameter, which is JSON.
pub(crate) fn parse(json: &str) -> Result<Vec<Command>, FormatError> {
    let value: Value =
        serde_json::from_str(json).map_err(|error| refused(format!("failed to parse JSON configuration: {error}")))?;
    let operators = value
        .get("operators")
        .ok_or_else(|| refused("JSON configuration must contain 'operators' array".to_owned()))?
        .as_array()
        .ok_or_else(|| {
            refused("'operators' must be an array: key 'operators' missing or not an array from lines 1-1".to_owned())
        })?;
    if operators.is_empty() {
        return Err(refused("'operators' array must not be empty".to_owned()));
    }
    let commands = operators.iter().enumerate();
    commands
        .map(|(index, operator)| {
            entry(operator).map_err(|why| refused(format!("failed to parse operator at index {index}: {why}")))
        })
        .collect()
}

fn refused(why: String) -> FormatError {
    FormatError::Parameter(format!("COALESCE: {why}"))
}

fn entry(operator: &Value) -> Result<Command, String> {
    if let Value::String(name) = operator {
        return make(name, "", None);
    }
    let Value::Object(fields) = operator else {
        return Err(
            "operator entry must be either a string (command name) or an object with 'command' field".to_owned()
        );
    };
    let Some(Value::String(name)) = fields.get("command") else {
        return Err("operator object must have 'command' field: key 'command' missing or not a string from lines 1-1"
            .to_owned());
    };
    let parameters = match fields.get("param") {
        None => "",
        Some(Value::String(parameters)) => parameters,
        Some(_) => {
            return Err("'param' field must be a string: key 'param' missing or not a string from lines 1-1".to_owned());
        }
    };
    let max_length = match fields.get("max_length") {
        None => None,
        Some(length) => Some(max_length(length)?),
    };
    make(name, parameters, max_length)
}

fn max_length(value: &Value) -> Result<usize, String> {
    let length = value.as_i64().ok_or_else(|| {
        "'max_length' field must be an integer: key 'max_length' missing or not an integer from lines 1-1".to_owned()
    })?;
    usize::try_from(length)
        .ok()
        .filter(|length| *length > 0)
        .ok_or_else(|| "'max_length' must be a positive integer".to_owned())
}

fn make(name: &str, parameters: &str, max_length: Option<usize>) -> Result<Command, String> {
    command::command(name, parameters, max_length).map_err(|error| match error {
        FormatError::UnknownCommand(name) => format!("unknown command: '{name}'"),
        error => error.to_string(),
    })
}

/// Appends the first value that is neither absent nor empty.
pub(crate) fn render(commands: &[Command], context: &FormatContext<'_>, out: &mut Vec<u8>) -> Rendered {
    let before = out.len();
    for command in commands {
        let rendered = command.render(context, out);
        if rendered != Rendered::Absent && out.len() > before {
            return rendered;
        }
        out.truncate(before);
    }
    Rendered::Absent
}
