//! Reading the configuration that the command line names.

use std::path::Path;
use std::sync::Arc;

use sandgate_config::{Diagnostics, Format, LoadOptions, Loaded, Unsupported, load_file, load_str};

use sandgate_host::{Host, LoadError};

use crate::cli::{self, ConfigArgs};
use crate::logger::WasmLog;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigurationError {
    /// Envoy's words.
    #[error("At least one of --config-path or --config-yaml or Options::configProto() should be non-empty")]
    None,
    /// Everything that was found.
    #[error("{0}")]
    Findings(Diagnostics),
}

/// Loads the file, the text, or the text over the file.
///
/// # Errors
/// Nothing to load, or all that is wrong with it.
pub(crate) fn load(
    args: &ConfigArgs,
    file: Option<&Path>,
    service_node: &str,
    service_cluster: &str,
) -> Result<Loaded, ConfigurationError> {
    let mut options = LoadOptions {
        unsupported: match args.unsupported {
            cli::Unsupported::Refuse => Unsupported::Refuse,
            cli::Unsupported::Warn => Unsupported::Warn,
        },
        service_node: service_node.to_owned(),
        service_cluster: service_cluster.to_owned(),
        ..LoadOptions::default()
    };
    let loaded = match (file.or(args.config_path.as_deref()), &args.config_yaml) {
        (None, None) => return Err(ConfigurationError::None),
        (None, Some(text)) => load_str("--config-yaml", text, Format::Yaml, &options),
        (Some(path), overlay) => {
            options.overlay.clone_from(overlay);
            load_file(path, &options)
        }
    };
    loaded.map_err(ConfigurationError::Findings)
}

/// The Wasm host with the runtimes that are built in.
///
/// # Errors
/// Wasmtime does not support this machine.
pub(crate) fn host(args: &ConfigArgs) -> Result<Arc<Host>, LoadError> {
    let builder = Host::builder(Arc::new(WasmLog)).default_engines()?;
    Ok(builder.strict_runtime(args.strict_runtime).explain(args.explain).build())
}
