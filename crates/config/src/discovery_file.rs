//! Files with resources.

use std::path::Path;

use bytes::Bytes;
use prost::Message as _;
use prost_reflect::DynamicMessage;

use crate::{
    diagnostics::Diagnostics,
    load::{Format, file_format, read_file, read_text},
    proto::envoy::service::discovery::v3::DiscoveryResponse,
    read::Unpacked,
    report::Report,
    schema::{Schema, wire},
};

/// What a file with a `DiscoveryResponse` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiscoveryFile {
    /// `version_info`.
    pub version_info: String,
    /// `resources`: the type URL and the bytes of each, in order. Some may be an `envoy.service.discovery.v3.Resource` with another one
    /// inside.
    pub resources: Vec<(String, Bytes)>,
}

/// Reads a file with a `DiscoveryResponse`, in YAML or JSON as its name says (see [`load_file`](crate::load_file)). What is in its resources
/// is only checked against the schema; [`ResourceLoader`](crate::ResourceLoader) sees to the rest.
///
/// # Errors
/// All findings, if any of them is an error; a file that cannot be read.
pub fn read_discovery_file(path: &Path) -> Result<DiscoveryFile, Diagnostics> {
    let name = path.display().to_string();
    let format = file_format(path, &name)?;
    let text = read_file(path, &name)?;
    let mut report = Report::new(name.as_str().into());
    match response(&mut report, &text, format) {
        Some(DiscoveryResponse { version_info, resources }) if !report.has_errors() => Ok(DiscoveryFile {
            version_info,
            resources: resources.into_iter().map(|any| (any.type_url, any.value.into())).collect(),
        }),
        _ => Err(Diagnostics::new(&name, report.into_items())),
    }
}

fn response(report: &mut Report, text: &str, format: Format) -> Option<DiscoveryResponse> {
    let schema = Schema::get().map_err(|error| report.error("", format!("the schema is damaged: {error}"))).ok()?;
    let mut message = DynamicMessage::new(schema.message("envoy.service.discovery.v3.DiscoveryResponse")?);
    read_text(schema, report, text, format, &mut message, &mut Unpacked::new());
    DiscoveryResponse::decode(wire::encode(&message).as_slice()).ok()
}
