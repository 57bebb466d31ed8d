//! JSON.

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use sandgate_formatter::JsonFormat;

use super::support::Sample;

fn text(text: &str) -> Value {
    Value { kind: Some(Kind::StringValue(text.to_owned())) }
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let fields = fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Value { kind: Some(Kind::StructValue(Struct { fields })) }
}

fn list<const N: usize>(values: [Value; N]) -> Value {
    Value { kind: Some(Kind::ListValue(ListValue { values: values.into() })) }
}

fn number(number: f64) -> Value {
    Value { kind: Some(Kind::NumberValue(number)) }
}

fn format(value: Value) -> JsonFormat {
    let Some(Kind::StructValue(root)) = value.kind else { panic!("no object") };
    JsonFormat::parse(&root).unwrap()
}

fn render(format: &JsonFormat) -> String {
    let mut out = Vec::new();
    format.render(&Sample::new().context(), &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn one_command_keeps_its_type_and_several_make_a_string() {
    let format = format(object([
        ("z", text("%RESPONSE_CODE%")),
        ("a", text("%RESPONSE_CODE% %REQ(none)%")),
        ("b", text("%REQ(none)%")),
        ("c", list([number(1.0), number(0.5), text("c\"")])),
        ("quote", text("%RESP(x-b)%")),
    ]));
    assert_eq!(
        render(&format),
        "{\"a\":\"200 -\",\"b\":null,\"c\":[1,0.5,\"c\\\"\"],\"quote\":\"qu\\\"ote\",\"z\":200}\n"
    );
}

#[test]
fn empty_values_are_omitted_with_their_keys_and_objects() {
    let value = object([
        ("absent", text("%REQ(none)%")),
        ("inner", object([("absent", text("%REQ(none)%"))])),
        ("list", list([text("%REQ(none)%"), Value { kind: Some(Kind::NullValue(0)) }])),
        ("mixed", text("x%REQ(none)%")),
    ]);
    assert_eq!(render(&format(value).omitting_empty_values()), "{\"list\":[],\"mixed\":\"x\"}\n");
    let nothing = object([("absent", text("%REQ(none)%"))]);
    assert_eq!(render(&format(nothing).omitting_empty_values()), "{}\n");
    assert_eq!(render(&format(object([]))), "{}\n");
}

#[test]
fn bytes_that_are_not_utf_8_become_numbers() {
    let mut sample = Sample::new();
    sample.request.set(b"x-a", b"\"\xff\x01z");
    let mut out = Vec::new();
    format(object([("a", text("%REQ(x-a)%"))])).render(&sample.context(), &mut out);
    assert_eq!(out, b"{\"a\":\"\\u0022\\u00ff\\u0001z\"}\n");
}

#[test]
fn bad_strings_anywhere_are_refused() {
    let Some(Kind::StructValue(root)) = object([("a", list([object([("b", text("%NOPE%"))])]))]).kind else {
        panic!("no object")
    };
    assert_eq!(JsonFormat::parse(&root).unwrap_err().to_string(), "Not supported field in StreamInfo: NOPE");
}
