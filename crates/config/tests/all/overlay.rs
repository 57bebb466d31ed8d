//! `--config-yaml`.

use sandgate_config::{Diagnostics, Format, LoadOptions, Loaded, load_str};

use crate::support::{Slot, config};

const ADMIN: &str = "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 80}}}";

fn load(top: &str, overlay: &str) -> Result<Loaded, Diagnostics> {
    let options = LoadOptions { overlay: Some(overlay.to_owned()), ..LoadOptions::default() };
    load_str("test.yaml", &config(Slot::Top, top), Format::Yaml, &options)
}

#[test]
fn messages_merge_and_scalars_are_replaced() {
    let loaded =
        load(ADMIN, "{\"admin\": {\"address\": {\"socket_address\": {\"port_value\": 90}}}, node: {id: x}}").unwrap();
    assert_eq!(loaded.bootstrap.admin.unwrap().address, "127.0.0.1:90".parse().unwrap());
    assert_eq!(loaded.bootstrap.node.id, "x");
    assert_eq!(loaded.bootstrap.listeners.len(), 1);
    // What cannot be told from unset replaces nothing; a member of a oneof can.
    let loaded = load("node: {id: x}", "node: {id: ''}").unwrap();
    assert_eq!(loaded.bootstrap.node.id, "x");
    let loaded = load(ADMIN, "admin: {address: {socket_address: {port_value: 0}}}").unwrap();
    assert_eq!(loaded.bootstrap.admin.unwrap().address.port(), 0);
}

#[test]
fn lists_are_extended() {
    let loaded = load("", "static_resources: {clusters: [{name: d, type: STATIC}]}").unwrap();
    let names: Vec<_> = loaded.bootstrap.clusters.iter().map(|cluster| cluster.name.as_str()).collect();
    assert_eq!(names, ["c", "d"]);
    let findings = load("", "static_resources: {clusters: [{name: c, type: STATIC}]}").unwrap_err();
    assert!(
        findings
            .to_string()
            .contains("--config-yaml:1:31: error: duplicate cluster 'c'\n    at static_resources.clusters[1]"),
        "{findings}"
    );
}

#[test]
fn findings_name_the_text_they_are_about() {
    let findings =
        load("bar: 1", "foo: 1\nadmin: {address: {socket_address: {address: x, port_value: 0}}}").unwrap_err();
    let text = findings.to_string();
    assert!(text.contains("test.yaml:26:1: error: unknown field \"bar\""), "{text}");
    assert!(text.contains("--config-yaml:1:1: error: unknown field \"foo\""), "{text}");
    assert!(text.contains("--config-yaml:2:45: error: malformed IP address: x"), "{text}");
    // Those of the file come first.
    assert!(text.find("\"bar\"") < text.find("\"foo\""), "{text}");
}

#[test]
fn an_empty_one_changes_nothing() {
    assert!(load("", "").is_ok());
    assert!(load("", " \n").is_ok());
}
