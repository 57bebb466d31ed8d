//! Each text was put to Envoy 1.40 as a file whose name ends in `.json`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may panic")]

use super::{super::Value, parse};

fn node(value: &Value) -> String {
    match value {
        Value::List(items) => format!("[{}]", items.iter().map(|item| node(&item.value)).collect::<Vec<_>>().join(",")),
        Value::Map(entries) => {
            let entries: Vec<_> =
                entries.iter().map(|entry| format!("{}:{}", entry.key, node(&entry.node.value))).collect();
            format!("{{{}}}", entries.join(","))
        }
        Value::String(text) => format!("'{text}'"),
        Value::Int(value) => value.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Null => "~".to_owned(),
        Value::Float(value) => format!("float {value}"),
    }
}

fn show(text: &str) -> String {
    match parse(text) {
        Ok(document) => node(&document.root.value),
        Err(remark) => format!("{}:{}: {}", remark.at.line, remark.at.column, remark.message),
    }
}

#[test]
fn json_and_what_envoy_takes_for_json() {
    for (text, wanted) in [
        ("{\"a\": [1, -2.5, true, false, null, \"x\"]}", "{a:[1,float -2.5,true,false,~,'x']}"),
        ("{'a': {b: 1,},}", "{a:{b:1}}"),
        ("[1,]", "[1]"),
        (" 18446744073709551615 ", "18446744073709551615"),
        ("1.5e1", "float 15"),
        (r#""\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00""#, "'\"\\/\u{8}\u{c}\n\r\tAé😀'"),
        ("\"a\nb\"", "'a\nb'"),
        ("{\"a\":1,\"a\":2}", "{a:2}"),
    ] {
        assert_eq!(show(text), wanted, "{text:?}");
    }
}

#[test]
fn what_is_no_json_has_a_place() {
    for (text, wanted) in [
        ("", "1:1: not JSON: expected a value"),
        ("{\"a\":1} x", "1:9: not JSON: something follows"),
        ("{\"a\":1 /* x */}", "1:8: not JSON: expected '}', found '/'"),
        ("{\"a\"\n  1}", "2:3: not JSON: expected ':', found '1'"),
        ("01", "1:1: not JSON: a number"),
        ("1.", "1:1: not JSON: a number"),
        ("1e999", "1:1: not JSON: a number"),
        ("-", "1:1: not JSON: a number"),
        ("NaN", "1:1: not JSON: expected a value"),
        ("\u{feff}{}", "1:1: not JSON: expected a value"),
        (r#""\ud800""#, "1:"),
        (r#""\udc00\ud800""#, "1:"),
        (r#""\u00g0""#, "1:"),
        ("\"a", "1:3: not JSON: a string does not end"),
        ("[1 2]", "1:4: not JSON: expected ']', found '2'"),
    ] {
        assert!(show(text).starts_with(wanted) && show(text).contains("not JSON"), "{text:?}: {}", show(text));
    }
    assert!(show(&"[".repeat(100_000)).contains("nested deeper than"));
}
