//! `sandgate check`: everything that keeps a configuration from running as written.

use std::process::ExitCode;

use sandgate_host::NativeEngine;
use sandgate_proxy::validate;

use crate::cli::CheckArgs;
use crate::{configuration, logger};

/// Prints all findings; the exit code is 1 if the configuration would not run.
pub(crate) fn check(args: &CheckArgs, native: &NativeEngine) -> ExitCode {
    // Findings say what is wrong; the log of a start would say it twice.
    if let Err(error) = logger::install("off", "", None) {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let loaded = match configuration::load(&args.config, args.file.as_deref(), "", "") {
        Ok(loaded) => loaded,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    if !loaded.warnings.is_empty() {
        println!("{}", loaded.warnings);
    }
    let host = match configuration::host(&args.config, native, &loaded.bootstrap) {
        Ok(host) => host,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let errors = validate(&loaded.bootstrap, &host);
    for error in &errors {
        eprintln!("{error}");
    }
    if errors.is_empty() {
        println!("the configuration runs as written");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
