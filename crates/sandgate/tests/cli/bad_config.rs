//! A configuration that cannot run is refused in one screen that names file, line, path and cause; the exit code is 1.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::path::PathBuf;

use crate::support::{root, run};

/// A file of its own for a test, in the system's directory for such; removed when dropped.
struct ConfigFile(PathBuf);

impl ConfigFile {
    fn new(name: &str, from: &str, to: &str) -> Self {
        let text = std::fs::read_to_string(root().join("examples/hello/envoy.yaml")).unwrap();
        assert!(text.contains(from), "the example has no {from:?}");
        let path = std::env::temp_dir().join(format!("sandgate-{}-{name}.yaml", std::process::id()));
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        Self(path)
    }
}

impl Drop for ConfigFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Breaks the example, and expects every word of `wanted` in what `run`, `run --mode validate` and `check` say.
fn refused(name: &str, from: &str, to: &str, wanted: &[&str]) {
    let file = ConfigFile::new(name, from, to);
    let path = file.0.to_str().unwrap();
    for arguments in [vec!["run", "-c", path], vec!["run", "--mode", "validate", "-c", path], vec!["check", path]] {
        let output = run(&arguments);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        for word in wanted {
            assert!(said.contains(word), "{arguments:?} does not say {word:?}: {said}");
        }
        assert!(said.lines().count() <= 40, "more than a screen: {said}");
    }
}

const GUEST: &str = "plugins/hello/hello.wasm";

#[test]
fn an_unknown_field() {
    let path = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config";
    refused("unknown", "stat_prefix:", "stat_prefixx:", &["unknown.yaml:1", "stat_prefixx", "did you mean", path]);
}

#[test]
fn a_value_of_the_wrong_type() {
    refused("type", "port_value: 8000", "port_value: many", &["type.yaml:1", "port_value", "expected a whole number"]);
}

#[test]
fn a_missing_module_file() {
    refused("missing", GUEST, "plugins/hello/nope.wasm", &["plugins/hello/nope.wasm", "missing.yaml:"]);
}

#[test]
fn a_file_that_is_no_module() {
    refused("nomodule", GUEST, "README.md", &["hello", "Failed to load Wasm code"]);
}

#[test]
fn a_module_without_an_abi_version() {
    refused("noabi", GUEST, "plugins/no-abi/no-abi.wasm", &["hello", "Missing or unknown Proxy-Wasm ABI version"]);
}

#[test]
fn a_module_with_an_unknown_import() {
    refused("import", GUEST, "plugins/unknown-import/unknown-import.wasm", &["hello", "missing import: "]);
}

#[test]
fn a_plugin_that_refuses_its_configuration() {
    refused(
        "false",
        GUEST,
        "plugins/configure-false/configure-false.wasm",
        &["hello", "Failed to configure base Wasm plugin"],
    );
}

#[test]
fn a_configuration_that_runs_passes_check() {
    let output = run(&["check", "-c", "examples/hello/envoy.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_file_that_is_not_there() {
    for arguments in [["run", "-c", "nope.yaml"], ["check", "-c", "nope.yaml"]] {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("nope.yaml"));
    }
}

#[test]
fn no_configuration_at_all() {
    let output = run(&["run"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--config-path"));
}
