#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use sandgate_config::model::{FractionalPercent, RuntimeLayer, RuntimeValue};

use super::*;

fn layer(name: &str, values: &[(&str, f64)]) -> RuntimeLayer {
    let values = values.iter().map(|(key, value)| ((*key).to_owned(), RuntimeValue::Number(*value))).collect();
    RuntimeLayer { name: name.to_owned(), kind: RuntimeLayerKind::Static(values), ..RuntimeLayer::default() }
}

fn percent(numerator: u32, key: &str) -> RuntimeFractionalPercent {
    RuntimeFractionalPercent { default: FractionalPercent { numerator, denominator: 100 }, key: key.to_owned() }
}

fn admin() -> Runtime {
    Runtime::new(&LayeredRuntime { layers: vec![RuntimeLayer::default()] })
}

fn set(runtime: &Runtime, key: &str, value: &str) -> Result<(), RuntimeError> {
    runtime.merge(&[(key.to_owned(), value.to_owned())])
}

#[test]
fn later_layers_hide_earlier_ones() {
    let layers = vec![layer("a", &[("x", 1.0), ("y", 2.0)]), layer("b", &[("x", 3.0)])];
    let runtime = Runtime::new(&LayeredRuntime { layers });
    assert_eq!([runtime.integer("x", 9), runtime.integer("y", 9), runtime.integer("z", 9)], [3, 2, 9]);
    assert_eq!(runtime.view().entries["x"], ["1", "3"]);
    assert_eq!(runtime.view().entries["y"], ["2", ""]);
    assert_eq!(set(&runtime, "x", "4"), Err(RuntimeError::NoAdminLayer));
}

#[test]
fn a_layer_can_be_replaced_where_it_stands() {
    let layers = vec![layer("a", &[("x", 1.0)]), layer("b", &[]), RuntimeLayer::default()];
    let runtime = Runtime::new(&LayeredRuntime { layers });
    let values = |value| [("x".to_owned(), RuntimeValue::Number(value))];
    runtime.set_layer(1, &values(2.0));
    assert_eq!((runtime.integer("x", 9), &*runtime.view().entries["x"]), (2, &["1", "2", ""].map(str::to_owned)[..]));
    set(&runtime, "x", "3").unwrap();
    runtime.set_layer(1, &values(4.0));
    assert_eq!(runtime.integer("x", 9), 3, "the admin's layer is above");
    set(&runtime, "x", "").unwrap();
    runtime.set_layer(1, &[]);
    assert_eq!(runtime.integer("x", 9), 1);
    runtime.set_layer(7, &values(5.0));
    assert_eq!(runtime.integer("x", 9), 1);
}

#[test]
fn the_admin_layer_can_be_filled_and_emptied() {
    let runtime = admin();
    let feature = percent(50, "f");
    assert!(runtime.feature_enabled(&feature, 49) && !runtime.feature_enabled(&feature, 150));
    set(&runtime, "f", "0").unwrap();
    assert!(!runtime.feature_enabled(&feature, 0));
    set(&runtime, "f", "{numerator: 10, denominator: TEN_THOUSAND}").unwrap();
    assert!(runtime.feature_enabled(&feature, 10_009) && !runtime.feature_enabled(&feature, 10));
    set(&runtime, "f", "101").unwrap();
    assert!(runtime.feature_enabled(&feature, 99));
    assert!(runtime.view().admin_overrides);
    set(&runtime, "f", "").unwrap();
    assert!(!runtime.view().admin_overrides && runtime.view().entries.is_empty());
    assert!(!runtime.feature_enabled(&feature, 50));
}

#[test]
fn a_broken_value_changes_nothing() {
    let runtime = admin();
    let both = [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "[".to_owned())];
    assert!(matches!(runtime.merge(&both), Err(RuntimeError::Value(_))));
    assert_eq!(runtime.integer("a", 7), 7);
}

#[test]
fn switches_and_numbers_have_their_types() {
    let runtime = admin();
    for (key, value) in [("yes", "true"), ("quoted", "\"true\""), ("number", "2.5"), ("zero", "0")] {
        set(&runtime, key, value).unwrap();
    }
    assert!(runtime.boolean("yes", false) && !runtime.boolean("quoted", false) && !runtime.boolean("zero", true));
    assert!((runtime.double(&RuntimeDouble { default: 0.0, key: "number".to_owned() }) - 2.5).abs() < 1e-9);
    assert_eq!(runtime.integer("number", 0), 2);
    assert_eq!(runtime.uint32(&RuntimeUInt32 { default: 4, key: "yes".to_owned() }), 4);
    assert!(runtime.flag(&RuntimeFeatureFlag { default: true, key: String::new() }));
}
