//! The way in: text to model.

use std::{path::Path, sync::Arc};

use prost::Message as _;
use prost_reflect::DynamicMessage;

use crate::{
    check::Checker,
    convert::{self, Context},
    diagnostics::Diagnostics,
    model::{Bootstrap, Origin, Secret},
    node::{Mark, Value, json, yaml},
    proto::envoy::{config::bootstrap::v3 as proto, service::discovery::v3::DiscoveryResponse},
    read::{self, Reader, Unpacked},
    report::Report,
    schema::{Schema, wire},
};

/// What stands for the file in findings about [`LoadOptions::overlay`].
const OVERLAY: &str = "--config-yaml";

/// How a configuration is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// YAML in Envoy's dialect.
    #[default]
    Yaml,
    /// JSON.
    Json,
}

/// What to do about a field that the schema has and this program does not implement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unsupported {
    /// An error.
    #[default]
    Refuse,
    /// A warning, except where going on would weaken what the configuration protects: that stays an error.
    Warn,
}

/// How to load.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Text of `--config-yaml`, merged over the configuration as Envoy does: messages merge, lists append, scalars replace.
    pub overlay: Option<String>,
    /// What to do about fields that are not implemented.
    pub unsupported: Unsupported,
    /// `--service-node`: the node's id unless the configuration sets one.
    pub service_node: String,
    /// `--service-cluster`: the node's cluster unless the configuration sets one.
    pub service_cluster: String,
    /// Look whether the files that the configuration names can be read, and read those whose content belongs into the model.
    pub check_files: bool,
}

/// A configuration that can run.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub bootstrap: Bootstrap,
    /// What is worth saying about it: fields without effect, deprecated fields, duplicate keys.
    pub warnings: Diagnostics,
}

/// Loads a file. As in Envoy, a name that ends in `.yaml` or `.yml` is YAML; anything else is JSON.
///
/// # Errors
/// All findings, if any of them is an error; also a file that cannot be read. Envoy's other formats, `.pb`, `.pb_text` and the like,
/// are refused.
pub fn load_file(path: &Path, options: &LoadOptions) -> Result<Loaded, Diagnostics> {
    let name = path.display().to_string();
    let format = file_format(path, &name)?;
    let text = read_file(path, &name)?;
    load_str(&name, &text, format, options)
}

/// How a file is written, by its name.
pub(crate) fn file_format(path: &Path, name: &str) -> Result<Format, Diagnostics> {
    let extension =
        path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    match extension.as_str() {
        "yaml" | "yml" => Ok(Format::Yaml),
        "pb" | "pb_text" | "pb_length_delimited" => {
            Err(fail(name, format!("files of type .{extension} are not implemented; write YAML or JSON")))
        }
        _ => Ok(Format::Json),
    }
}

/// A file's text.
pub(crate) fn read_file(path: &Path, name: &str) -> Result<String, Diagnostics> {
    let bytes = std::fs::read(path).map_err(|error| fail(name, format!("unable to read file: {error}")))?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..valid).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count().saturating_add(1);
        fail(name, format!("line {line} is not UTF-8"))
    })
}

fn fail(name: &str, message: String) -> Diagnostics {
    Diagnostics::error(Origin { file: name.into(), ..Origin::default() }, message)
}

/// Loads text; `name` stands for the file in findings. Never panics, whatever the text.
///
/// # Errors
/// All findings, if any of them is an error.
pub fn load_str(name: &str, text: &str, format: Format, options: &LoadOptions) -> Result<Loaded, Diagnostics> {
    let mut report = Report::new(name.into());
    let bootstrap = load(&mut report, text, format, options);
    let failed = report.has_errors();
    let findings = Diagnostics::new(name, report.into_items());
    match bootstrap {
        Some(bootstrap) if !failed => Ok(Loaded { bootstrap, warnings: findings }),
        _ => Err(findings),
    }
}

/// Loads the secret of that name from a file with a `DiscoveryResponse`: what file-based SDS reads. The file's name says its format, as in
/// [`load_file`].
///
/// # Errors
/// All findings, if any of them is an error; a file that cannot be read, or that has no such secret.
pub fn load_secret(path: &Path, secret: &str) -> Result<Secret, Diagnostics> {
    let name = path.display().to_string();
    let yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    let format = if yaml { Format::Yaml } else { Format::Json };
    let text = std::fs::read_to_string(path).map_err(|error| fail(&name, format!("unable to read file: {error}")))?;
    let mut report = Report::new(name.as_str().into());
    let options = LoadOptions::default();
    let message = read_root(&mut report, &text, format, &options, "envoy.service.discovery.v3.DiscoveryResponse");
    let response = message.and_then(|serialized| {
        let response = DiscoveryResponse::decode(serialized.as_slice());
        response.map_err(|error| report.error("", format!("the schema does not fit: {error}"))).ok()
    });
    let found =
        response.and_then(|response| convert::secret_of(&mut Context::new(&mut report, &options), response, secret));
    let failed = report.has_errors();
    match found {
        Some(found) if !failed => Ok(found),
        None if !failed => Err(fail(&name, format!("there is no secret {secret} here"))),
        _ => Err(Diagnostics::new(&name, report.into_items())),
    }
}

/// Reads text as a message of that type, checked, and serialized.
fn read_root(report: &mut Report, text: &str, format: Format, options: &LoadOptions, root: &str) -> Option<Vec<u8>> {
    let schema = Schema::get().map_err(|error| report.error("", format!("the schema is damaged: {error}"))).ok()?;
    let Some(descriptor) = schema.message(root) else {
        report.error("", format!("the schema has no {root}"));
        return None;
    };
    let mut message = DynamicMessage::new(descriptor);
    let mut unpacked = Unpacked::new();
    read_text(schema, report, text, format, &mut message, &mut unpacked);
    Checker::new(schema, report, &unpacked, options.unsupported).root(&message);
    Some(wire::encode(&message))
}

fn load(report: &mut Report, text: &str, format: Format, options: &LoadOptions) -> Option<Bootstrap> {
    let schema = Schema::get().map_err(|error| report.error("", format!("the schema is damaged: {error}"))).ok()?;
    let Some(descriptor) = schema.message("envoy.config.bootstrap.v3.Bootstrap") else {
        report.error("", "the schema has no Bootstrap");
        return None;
    };
    let mut message = DynamicMessage::new(descriptor);
    let mut unpacked = Unpacked::new();
    read_text(schema, report, text, format, &mut message, &mut unpacked);
    if let Some(overlay) = options.overlay.as_deref().filter(|overlay| !overlay.trim().is_empty()) {
        let file = std::mem::replace(&mut report.file, Arc::from(OVERLAY));
        read_text(schema, report, overlay, Format::Yaml, &mut message, &mut unpacked);
        report.file = file;
    }
    Checker::new(schema, report, &unpacked, options.unsupported).root(&message);
    let serialized = wire::encode(&message);
    let message = proto::Bootstrap::decode(serialized.as_slice())
        .map_err(|error| report.error("", format!("the schema does not fit: {error}")))
        .ok()?;
    let bootstrap = convert::bootstrap(&mut Context::new(report, options), message);
    Some(Bootstrap { serialized: serialized.into(), ..bootstrap })
}

/// Reads text into a message, as far as it can be read.
pub(crate) fn read_text(
    schema: &'static Schema,
    report: &mut Report,
    text: &str,
    format: Format,
    message: &mut DynamicMessage,
    unpacked: &mut Unpacked,
) {
    let parsed = match format {
        Format::Yaml => yaml::parse(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Format::Json => json::parse(text),
    };
    match parsed {
        Err(remark) => report.break_at(remark.at, "", remark.message),
        Ok(document) => {
            read::remarks(report, document.remarks);
            if matches!(document.root.value, Value::Null) {
                let message = "there is no configuration here";
                report.break_at(Mark::new(1, 1), "", message);
            } else {
                Reader::new(schema, report, unpacked).root(&document.root, message);
            }
        }
    }
}

// === impl LoadOptions ===

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            overlay: None,
            unsupported: Unsupported::default(),
            service_node: String::new(),
            service_cluster: String::new(),
            check_files: true,
        }
    }
}
