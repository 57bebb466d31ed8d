//! Texts that mean harm, and texts that mean nothing.

use sandgate_config::{Format, LoadOptions, load_str};

use crate::support::{Slot, accepted, config, refused};

#[test]
fn nesting_ends_where_envoys_does() {
    let objects = |depth| format!("node: {{metadata: {}1{}}}", "{a: ".repeat(depth), "}".repeat(depth));
    accepted(&objects(98));
    refused(&objects(99), "nested deeper than 100 levels");
    let lists = |depth| format!("node: {{metadata: {{a: {}1{}}}}}", "[".repeat(depth), "]".repeat(depth));
    accepted(&lists(97));
    refused(&lists(98), "nested deeper than 100 levels");
    let json = format!(
        "{{{}}}",
        objects(5000).replace("node", "'node'").replace("metadata", "'metadata'").replace("a:", "'a':")
    );
    let findings = load_str("test.json", &json, Format::Json, &LoadOptions::default()).unwrap_err();
    assert!(findings.to_string().contains("nested deeper than"), "{findings}");
    // Also in an `Any`, and in what is in that.
    let deep = format!("{}1{}", "{a: ".repeat(60), "}".repeat(60));
    accepted(&config(Slot::RouteConfig, "").replace(
        "match: {prefix: \"/\"}",
        &format!("match: {{prefix: \"/\"}}\n                metadata: {{filter_metadata: {{x: {deep}}}}}"),
    ));
    refused(
        &config(
            Slot::Filters,
            &format!("- name: x\n  typed_config: {}", "{typed_config: ".repeat(150) + &"}".repeat(150)),
        ),
        "",
    );
}

#[test]
fn an_alias_bomb_goes_off_quietly() {
    let mut text = "node:\n  metadata:\n    a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..12 {
        let before = level - 1;
        let aliases = vec![format!("*a{before}"); 10].join(",");
        text.push_str(&format!("    a{level}: &a{level} [{aliases}]\n"));
    }
    let findings = refused(&text, "more than 400000 values, counting those of aliases");
    assert_eq!(findings.items().len(), 1, "{findings}");
    // A few thousand are nothing out of the ordinary.
    let small: String = text.lines().take(6).map(|line| format!("{line}\n")).collect();
    accepted(&small);
}

#[test]
fn wrong_values_by_the_thousand_are_told_in_time() {
    let list = vec!["{name: 5}"; 20_000].join(",");
    let findings = load_str(
        "test.yaml",
        &format!("static_resources: {{clusters: [{list}]}}"),
        Format::Yaml,
        &LoadOptions::default(),
    );
    assert_eq!(findings.unwrap_err().items().len(), 10_000);
}

/// Every prefix of a good text, and every text with one character changed, is dealt with.
#[test]
fn broken_texts_never_panic() {
    let text = config(Slot::Listener, "metadata: {filter_metadata: {a: {b: [1, 2.5, ~, true]}}}");
    let options = LoadOptions { check_files: false, ..LoadOptions::default() };
    let mut accepted = 0;
    for (index, _) in text.char_indices().step_by(41) {
        for format in [Format::Yaml, Format::Json] {
            let _ = load_str("test", &text[..index], format, &options);
        }
        for insert in ["{", "]", "\"", ":", "-", "&a ", "*a", "\n", "\t", "!", "|", "?", "%", "5"] {
            let text = format!("{}{insert}{}", &text[..index], &text[index..]);
            accepted += usize::from(load_str("test", &text, Format::Yaml, &options).is_ok());
        }
    }
    assert!(accepted > 0);
}
