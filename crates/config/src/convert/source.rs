//! Data in files, environment variables, and the configuration itself.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::Context;
use crate::proto::envoy::config::core::v3::{DataSource, data_source::Specifier};

/// Where data is.
pub(super) enum Data {
    File(PathBuf),
    Inline(Bytes),
}

/// Finds out where data is; an environment variable is read at once.
pub(super) fn data(context: &mut Context<'_>, source: DataSource) -> Option<Data> {
    Some(match context.required("a source", source.specifier)? {
        Specifier::Filename(name) => {
            let path = PathBuf::from(name);
            if context.options.check_files {
                check_file(context, &path)?;
            }
            Data::File(path)
        }
        Specifier::InlineBytes(bytes) => Data::Inline(bytes.into()),
        Specifier::InlineString(text) => Data::Inline(text.into()),
        Specifier::EnvironmentVariable(name) => match variable(&name) {
            Some(value) => Data::Inline(value),
            None => {
                context.error_at("environment_variable", format!("environment variable doesn't exist: {name}"));
                return None;
            }
        },
    })
}

/// Reads data of which at most `limit` bytes are allowed.
pub(super) fn read(context: &mut Context<'_>, source: DataSource, limit: usize) -> Option<Bytes> {
    let bytes = match data(context, source)? {
        Data::Inline(bytes) => bytes,
        Data::File(path) if context.options.check_files => match std::fs::read(&path) {
            Ok(bytes) => bytes.into(),
            Err(error) => {
                context.error_at("filename", format!("{}: {error}", path.display()));
                return None;
            }
        },
        Data::File(_) => Bytes::new(),
    };
    if bytes.len() > limit {
        context.error(format!("response body size is {} bytes; maximum is {limit}", bytes.len()));
        return None;
    }
    Some(bytes)
}

/// The value of an environment variable, if it is set.
pub(super) fn variable(name: &str) -> Option<Bytes> {
    use std::os::unix::ffi::OsStringExt as _;
    // `std` panics on names that cannot be.
    if name.is_empty() || name.contains(['=', '\0']) {
        return None;
    }
    std::env::var_os(name).map(|value| value.into_vec().into())
}

fn check_file(context: &mut Context<'_>, path: &Path) -> Option<()> {
    let problem = match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => match std::fs::File::open(path) {
            Ok(_) => return Some(()),
            Err(error) => error.to_string(),
        },
        Ok(_) => "it is not a regular file".to_owned(),
        Err(error) => error.to_string(),
    };
    context.error_at("filename", format!("Invalid path: {}: {problem}", path.display()));
    None
}
