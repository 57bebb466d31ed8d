#![no_main]

use libfuzzer_sys::fuzz_target;
use sandgate_config::{Format, LoadOptions, load_str};

fuzz_target!(|text: &str| {
    let options = LoadOptions { check_files: false, ..LoadOptions::default() };
    for format in [Format::Yaml, Format::Json] {
        if let Err(findings) = load_str("fuzz", text, format, &options) {
            assert!(!findings.to_string().is_empty());
        }
    }
});
