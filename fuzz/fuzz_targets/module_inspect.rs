#![no_main]

use libfuzzer_sys::fuzz_target;
use sandgate_abi::ModuleInfo;

fuzz_target!(|data: &[u8]| {
    match ModuleInfo::parse(data) {
        Ok(module) => {
            for export in &module.exports {
                let _ = module.function(export.name);
            }
            let _ = module.memory();
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
