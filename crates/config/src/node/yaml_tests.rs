//! Each line was put to Envoy 1.40, as the value of a string field, a number field or a boolean field.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may panic")]

use super::{super::Value, parse, plain};

fn typed(text: &str) -> String {
    match plain(text) {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("bool {value}"),
        Value::Int(value) => format!("int {value}"),
        Value::String(text) => format!("string {text}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn plain_scalars_have_the_types_of_yaml_1_1() {
    for (text, wanted) in [
        ("", "null"),
        ("~", "null"),
        ("null", "null"),
        ("NULL", "null"),
        ("nUll", "string nUll"),
        ("y", "bool true"),
        ("N", "bool false"),
        ("yes", "bool true"),
        ("NO", "bool false"),
        ("On", "bool true"),
        ("off", "bool false"),
        ("TRUE", "bool true"),
        ("yEs", "string yEs"),
        ("oN", "string oN"),
        ("t", "string t"),
        ("5", "int 5"),
        ("+5", "int 5"),
        ("-5", "int -5"),
        ("017", "int 15"),
        ("08", "string 08"),
        ("00", "int 0"),
        ("0x1F", "int 31"),
        ("-0x5", "int -5"),
        ("0x", "string 0x"),
        ("0xg", "string 0xg"),
        ("0o14", "string 0o14"),
        ("0b1", "string 0b1"),
        ("1_000", "string 1_000"),
        ("1:30", "string 1:30"),
        ("1.5", "string 1.5"),
        ("1e3", "string 1e3"),
        (".inf", "string .inf"),
        ("+", "string +"),
        ("+-5", "string +-5"),
        ("2147483647", "int 2147483647"),
        ("2147483648", "string 2147483648"),
        ("0x80000000", "string 2147483648"),
        ("-2147483649", "string -2147483649"),
        ("99999999999999999999", "string 99999999999999999999"),
        ("é", "string é"),
    ] {
        assert_eq!(typed(text), wanted, "{text:?}");
    }
}

/// The tree without places.
fn show(text: &str) -> String {
    fn node(value: &Value) -> String {
        match value {
            Value::List(items) => {
                format!("[{}]", items.iter().map(|item| node(&item.value)).collect::<Vec<_>>().join(","))
            }
            Value::Map(entries) => {
                let entries: Vec<_> =
                    entries.iter().map(|entry| format!("{}:{}", entry.key, node(&entry.node.value))).collect();
                format!("{{{}}}", entries.join(","))
            }
            Value::String(text) => format!("'{text}'"),
            Value::Int(value) => value.to_string(),
            Value::Bool(value) => value.to_string(),
            Value::Null => "~".to_owned(),
            Value::Float(value) => value.to_string(),
        }
    }
    match parse(text) {
        Ok(document) => {
            let remarks: String =
                document.remarks.iter().map(|remark| format!(" !{}:{}", remark.at.line, remark.message)).collect();
            format!("{}{remarks}", node(&document.root.value))
        }
        Err(remark) => format!("{}:{}: {}", remark.at.line, remark.at.column, remark.message),
    }
}

#[test]
fn trees_are_those_of_yaml_cpp() {
    for (text, wanted) in [
        ("a: 'n'\nb: \"5\"\nc: |\n  5\n", "{a:'n',b:'5',c:'5\n'}"),
        ("a: !!str 5", "{a:5}"),
        ("a: ! 5", "{a:'5'}"),
        ("a: !foo n", "{a:false}"),
        ("!ignore a: {b: c}\nd: e", "{d:'e'}"),
        ("a: !ignore b", "{a:'b'}"),
        ("!ignore a: &x 5\nb: *x", "{b:5}"),
        ("a: &x [1]\nb: *x", "{a:[1],b:[1]}"),
        ("a: {<<: {b: 1}}", "{a:{<<:{b:1}}}"),
        ("&k a: b\nc: *k", "{a:'b',c:'a'}"),
        ("a: &k b\n*k : c", "{a:'b',b:'c'}"),
        ("~: x\n5: yes?\nn: z", "{null:'x',5:'yes?',n:'z'}"),
        ("a: &x 1\nb: &x 2\nc: *x", "{a:1,b:2,c:2}"),
        ("", "~"),
        ("a: 1\n---\nb: [", "{a:1} !2:only the first YAML document is read"),
        ("a: 1\n...\n", "{a:1}"),
        ("%YAML 1.2\n---\na: 1", "{a:1}"),
        ("a: 1\na: 2\nb: 3", "{a:2,b:3} !2:duplicate key \"a\": it replaces the one in line 1"),
        ("? a\n: b", "{a:'b'}"),
        ("{\n\t\"a\": [1,],\n}", "{a:[1]}"),
        ("a: b\r\nc: d\r\n", "{a:'b',c:'d'}"),
    ] {
        assert_eq!(show(text), wanted, "{text:?}");
    }
}

#[test]
fn what_is_no_yaml_has_a_place() {
    for (text, wanted) in [
        ("a: [", "2:1: not YAML"),
        ("[a]: b", "1:1: a key must be a scalar"),
        ("? {a: b}\n: c", "1:3: a key must be a scalar"),
        ("a: &x [*x]", "1:8: an alias may not stand inside of its own anchor"),
        ("a: *x", "1:4: not YAML"),
        ("a:\n\tb: 1", "2:"),
    ] {
        assert!(show(text).starts_with(wanted), "{text:?}: {}", show(text));
    }
}

#[test]
fn nesting_is_bounded() {
    let deep = "[".repeat(100_000);
    assert!(show(&deep).contains("recursion limit exceeded"), "{}", show(&deep));
    let deep: String = (0..5000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert!(show(&deep).contains("nested deeper than"), "{}", show(&deep));
}
