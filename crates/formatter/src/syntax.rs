//! From text to parts.

use std::sync::LazyLock;

use regex::Regex;

use crate::FormatError;
use crate::command;
use crate::format::{Command, Part};

/// `%COMMAND(PARAMETERS):LENGTH%`, as Envoy's parser has it; no line break in the parameters.
static COMMAND: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^%((?:[A-Z]|[0-9]|_)+)(?:\((.*?)\))?(?::([0-9]+))?%").ok());

/// Reads a format. `%%` is a percent sign.
pub(crate) fn parse(format: &str) -> Result<Vec<Part>, FormatError> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut position = 0;
    while let Some(rest) = format.get(position..).filter(|rest| !rest.is_empty()) {
        let plain = rest.find('%').unwrap_or(rest.len());
        if plain > 0 {
            text.push_str(rest.get(..plain).unwrap_or_default());
            position += plain;
            continue;
        }
        if rest.starts_with("%%") {
            text.push('%');
            position += 2;
            continue;
        }
        if !text.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut text)));
        }
        let (command, length) =
            parse_command(rest)?.ok_or_else(|| FormatError::NoCommand { format: format.to_owned(), position })?;
        parts.push(Part::Command(command));
        position += length;
    }
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    Ok(parts)
}

/// The command at the beginning of `text` and the bytes it takes; `None` if there is none.
fn parse_command(text: &str) -> Result<Option<(Command, usize)>, FormatError> {
    let Some(captures) = COMMAND.as_ref().and_then(|regex| regex.captures(text)) else { return Ok(None) };
    let group = |index| captures.get(index).map_or("", |group| group.as_str());
    let max_length = match captures.get(3) {
        None => None,
        Some(digits) => match digits.as_str().parse::<usize>() {
            Ok(length) => Some(length),
            Err(_) => return Ok(None),
        },
    };
    let command = command::command(group(1), group(2), max_length)?;
    Ok(Some((command, group(0).len())))
}
