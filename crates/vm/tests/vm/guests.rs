//! The guests in `plugins/`: those shaped like the SDKs' load and start, the broken ones are refused.

use std::path::{Path, PathBuf};

use sandgate_vm::LoadError;

use crate::recorder::Recorder;
use crate::support::{ALL, for_each_engine, limits};

fn plugin(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins").join(name)
}

#[test]
fn guests_of_every_sdk_start() {
    for_each_engine(|engine| {
        for name in ["hello", "sdk-assemblyscript", "sdk-cpp", "sdk-go", "sdk-tinygo", "sdk-zig"] {
            let code = std::fs::read(plugin(&format!("{name}/{name}.wasm"))).unwrap();
            let module = engine.compile(&code).unwrap_or_else(|error| panic!("{name}: {error}"));
            let host = Recorder::default();
            *host.random.borrow_mut() = vec![1, 2, 3];
            let mut vm = module.instantiate(host, &limits(), &ALL).unwrap_or_else(|error| panic!("{name}: {error}"));
            vm.start().unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    });
}

#[test]
fn broken_modules_are_refused_as_in_envoy() {
    for_each_engine(|engine| {
        let mut seen = 0;
        for entry in std::fs::read_dir(plugin("broken")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "wasm") {
                continue;
            }
            seen += 1;
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let Err(error) = engine.compile(&std::fs::read(&path).unwrap()) else { panic!("{name} must not load") };
            assert!(!error.to_string().contains('\n'), "one line: {error}");
            match name.as_str() {
                "header-only" | "other-version" | "component" => assert_eq!(error, LoadError::UnknownAbi, "{name}"),
                "dangling-export" => assert!(matches!(error, LoadError::Compile(_)), "{name}: {error}"),
                _ => assert!(matches!(error, LoadError::Corrupted(_)), "{name}: {error}"),
            }
        }
        assert!(seen > 0);
    });
}
