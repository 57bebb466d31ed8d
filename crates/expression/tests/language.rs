//! The language without a stream: values, operators, macros, limits.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

use sandgate_expression::{Activation, Environment, EvaluateError, Expression};

/// The value's bytes, or why there are none.
fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let expression = Expression::parse(text.as_bytes(), &Environment::plugins()).map_err(|error| error.to_string())?;
    let value = expression.evaluate(&Activation::none()).map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    value.serialize(&mut out).map_err(|error| error.to_string())?;
    Ok(out)
}

fn is_true(text: &str) {
    assert_eq!(bytes(text), Ok(vec![1]), "{text}");
}

fn fails(text: &str, with: EvaluateError) {
    assert_eq!(bytes(text), Err(with.to_string()), "{text}");
}

fn is_none(text: &str) {
    assert!(Expression::parse(text.as_bytes(), &Environment::plugins()).is_err(), "{text}");
}

#[test]
fn operators_have_their_precedence() {
    for text in [
        "1 + 2 * 3 == 7",
        "(1 + 2) * 3 == 9",
        "2 * 3 % 4 == 2",
        "-7 / 2 == -3 && -7 % 2 == -1",
        "1 in [1] == true",
        "--1 == 1 && !!true",
        "false ? false : true ? true : false",
        "-9223372036854775808 < 0",
        "!false || 1 / 0 == 1",
    ] {
        is_true(text);
    }
}

#[test]
fn numbers_of_all_types_are_compared_as_numbers() {
    for text in
        ["1 == 1u && 1u == 1.0 && 1 == 1.0", "1 < 1.5 && 1.5 > 1u && -1 < 1u", "[1] == [1.0]", "{1: 2}[1u] == 2"]
    {
        is_true(text);
    }
    is_true("1 != '1' && null != 1");
    fails("1 < 'a'", EvaluateError::NoMatchingOverload);
}

#[test]
fn what_decides_makes_up_for_errors() {
    for text in ["1 / 0 == 1 || true", "!(1 / 0 == 1 && false)", "[1, 'a'].exists(x, x > 0)", "!['a', 1].all(x, x > 1)"]
    {
        is_true(text);
    }
    fails("true && 1 / 0 == 1", EvaluateError::DivisionByZero);
    fails("['a', 1].exists(x, x > 1)", EvaluateError::NoMatchingOverload);
}

#[test]
fn macros_fold_lists_and_the_keys_of_maps() {
    for text in [
        "[1, 2, 3].map(x, x > 1, x * 2) == [4, 6]",
        "[1, 2, 3].filter(x, x > 1) == [2, 3]",
        "{'a': 1}.map(k, k) == ['a']",
        "[1, 2].exists_one(x, x == 2) && ![2, 2].exists_one(x, x == 2)",
        "[1].map(x, [2].map(y, x + y)) == [[3]]",
        "[1].map(x, [2].map(x, x)) == [[2]]",
        "has({'a': 1}.a) && !has({'a': 1}.b)",
    ] {
        is_true(text);
    }
    is_none("has(1)");
    is_none("[1].all(x.y, true)");
    is_none("[1].map(x, x, x, x)");
}

#[test]
fn strings_have_escapes_and_raw_ones_have_none() {
    assert_eq!(bytes(r#"'\x41\u00e9\101\n'"#), Ok("A\u{e9}A\n".into()));
    assert_eq!(bytes(r#"b'\xff\377'"#), Ok(vec![255, 255]));
    assert_eq!(bytes(r#"r'a\n'"#), Ok(b"a\\n".to_vec()));
    assert_eq!(bytes("'''a'b'''"), Ok(b"a'b".to_vec()));
    for text in [r"'\ud800'", r"'\q'", r"b'\u0041'", "'a\n'", "'a"] {
        is_none(text);
    }
}

#[test]
fn expressions_are_no_deeper_than_envoy_has_them() {
    let nested = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
    let chain = |n: usize| vec!["1"; n].join("+");
    assert!(bytes(&nested(31)).is_ok() && bytes(&chain(32)).is_ok());
    is_none(&nested(32));
    is_none(&chain(33));
    is_none(&"(".repeat(100_000));
    assert_eq!(bytes(&vec!["false"; 5_000].join("||")), Ok(vec![0]));
    is_true(&format!("{}true", "!".repeat(1_000)));
}

#[test]
fn an_evaluation_ends() {
    let list = |n: usize| format!("[{}]", vec!["1"; n].join(","));
    is_true(&format!("{}.all(x, x == 1)", list(9_999)));
    fails(&format!("{}.all(x, x == 1) || true", list(10_000)), EvaluateError::TooLong);
    let doubled = format!("size(['a']{})", ".map(x, x + x)".repeat(29));
    is_true(&format!("{doubled} == 1").replace(".map(x, x + x)".repeat(29).as_str(), ".map(x, x + x)"));
    fails(&doubled, EvaluateError::TooLong);
}

#[test]
fn filters_have_less_of_the_language() {
    let filters = Environment::filters();
    for text in ["[1].all(x, true)", "string(1) == '1'"] {
        assert!(Expression::parse(text.as_bytes(), &filters).is_err(), "{text}");
    }
    let concatenation = Expression::parse(b"'a' + 'b' == 'ab'", &filters).unwrap();
    assert!(!concatenation.matches(&Activation::none()));
    let extract = Expression::parse(br"re.extract('a-12', '([a-z])-([0-9]+)', '\\2\\1') == '12a'", &filters).unwrap();
    assert!(extract.matches(&Activation::none()));
}
