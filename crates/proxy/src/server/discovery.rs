//! What a configuration expects from a control plane or a file while the server runs, and nobody here asks for yet.

use sandgate_config::model::{Bootstrap, RuntimeLayerKind};

use super::StartError;

const NOT_YET: &str = "resources of control planes are not implemented";

/// Refuses the first of them.
pub(super) fn refuse(bootstrap: &Bootstrap) -> Result<(), StartError> {
    let mut layers = bootstrap.layered_runtime.layers.iter().filter_map(|layer| match &layer.kind {
        RuntimeLayerKind::Rtds { source, .. } => Some(&source.origin),
        _ => None,
    });
    match layers.next() {
        Some(origin) => Err(StartError::Unsupported { origin: Box::new(origin.clone()), what: NOT_YET }),
        None => Ok(()),
    }
}
