//! Runtime values that are given while the program runs.

use prost::Message as _;
use prost_reflect::DynamicMessage;

use crate::{
    convert::runtime_value,
    model::RuntimeValue,
    node::yaml,
    read::{Reader, Unpacked},
    report::Report,
    schema::{Schema, wire},
};

/// Reads a value as `/runtime_modify` takes it: a piece of YAML.
///
/// # Errors
/// What is wrong with the text: it is no YAML.
pub fn parse_runtime_value(text: &str) -> Result<RuntimeValue, String> {
    let schema = Schema::get()?;
    let descriptor = schema.message("google.protobuf.Value").ok_or("the schema has no Value")?;
    let document = yaml::parse(text).map_err(|remark| remark.message)?;
    let (mut report, mut unpacked) = (Report::new("runtime".into()), Unpacked::new());
    let message = Reader::new(schema, &mut report, &mut unpacked).free(&document.root, DynamicMessage::new(descriptor));
    let message = message.ok_or_else(|| "not a value".to_owned())?;
    let value = prost_types::Value::decode(wire::encode(&message).as_slice()).map_err(|error| error.to_string())?;
    Ok(match runtime_value(value) {
        Ok(value) => value,
        Err(Some(_)) => RuntimeValue::Struct { fraction: None, debug: String::new() },
        // It has no meaning, and yet it is there.
        Err(None) => RuntimeValue::Text(String::new()),
    })
}
