//! Runtime layers.

use sandgate_config::model::{FractionalPercent, RuntimeLayerKind, RuntimeValue};
use sandgate_config::parse_runtime_value;

use crate::support::{Slot, accepted, config, table};

#[test]
fn layers_are_checked_as_envoy_does() {
    table(
        Slot::Top,
        &[
            ("layered_runtime: {}", None),
            ("layered_runtime: {layers: [{name: a, static_layer: {}}, {name: b, admin_layer: {}}]}", None),
            (
                "layered_runtime: {layers: [{name: a, static_layer: {}}, {name: a, admin_layer: {}}]}",
                Some("Duplicate layer name: a"),
            ),
            (
                "layered_runtime: {layers: [{name: a, admin_layer: {}}, {name: b, admin_layer: {}}]}",
                Some("Too many admin layers specified in LayeredRuntime, at most one may be specified"),
            ),
            ("layered_runtime: {layers: [{name: a}]}", Some("is required")),
            ("layered_runtime: {layers: [{static_layer: {}}]}", Some("name")),
            (
                "layered_runtime: {layers: [{name: a, static_layer: {x: {y: [1]}}}]}",
                Some("Invalid runtime entry value for x.y"),
            ),
            (
                "layered_runtime: {layers: [{name: a, static_layer: {x: null}}]}",
                Some("Invalid runtime entry value for x"),
            ),
            ("layered_runtime: {layers: [{name: a, disk_layer: {symlink_root: /x}}]}", Some("disk_layer")),
            (
                "layered_runtime: {layers: [{name: a, rtds_layer: {name: x, rtds_config: {ads: {}}}}]}",
                Some("ADS must be configured to support an ADS config source"),
            ),
        ],
    );
}

#[test]
fn a_structure_is_keys_with_dots_unless_it_is_a_fraction() {
    let text = "layered_runtime: {layers: [{name: a, static_layer: {b: {c: 1, d: {e: hi}}, f: {numerator: 7, denominator: MILLION}, g: {numerator: 1, h: 2}}}]}";
    let bootstrap = accepted(&config(Slot::Top, text));
    let RuntimeLayerKind::Static(values) = &bootstrap.layered_runtime.layers[0].kind else { panic!() };
    let keys: Vec<_> = values.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["b.c", "b.d.e", "f", "g"]);
    let fractions = values.iter().map(|(_, value)| match value {
        RuntimeValue::Struct { fraction, .. } => *fraction,
        _ => None,
    });
    let million = FractionalPercent { numerator: 7, denominator: 1_000_000 };
    assert_eq!(fractions.collect::<Vec<_>>(), [None, None, Some(million), None]);
    let RuntimeValue::Struct { debug, .. } = &values[2].1 else { panic!() };
    let wanted = "fields {\n  key: \"denominator\"\n  value {\n    string_value: \"MILLION\"\n  }\n}\nfields {\n  key: \"numerator\"\n  value {\n    number_value: 7\n  }\n}\n";
    assert_eq!(debug, wanted);
}

#[test]
fn values_that_come_later_are_pieces_of_yaml() {
    assert_eq!(parse_runtime_value("5"), Ok(RuntimeValue::Number(5.0)));
    assert_eq!(parse_runtime_value("on"), Ok(RuntimeValue::Bool(true)));
    assert_eq!(parse_runtime_value("1.5"), Ok(RuntimeValue::Text("1.5".to_owned())));
    let fraction = Some(FractionalPercent { numerator: 5, denominator: 100 });
    assert!(
        matches!(parse_runtime_value("{numerator: 5}"), Ok(RuntimeValue::Struct { fraction: f, .. }) if f == fraction)
    );
    assert!(matches!(parse_runtime_value("{x: 5}"), Ok(RuntimeValue::Struct { fraction: None, .. })));
    assert!(parse_runtime_value("[1").is_err());
}
