//! Metadata.

use sandgate_config::model;

use crate::ValueMatcher;

/// A compiled `envoy.type.matcher.v3.MetadataMatcher`.
#[derive(Clone, Debug)]
pub struct MetadataMatcher {
    filter: Box<[u8]>,
    path: Vec<Box<[u8]>>,
    value: ValueMatcher,
    invert: bool,
}

// === impl MetadataMatcher ===

impl MetadataMatcher {
    /// Of a configuration.
    #[must_use]
    pub fn new(config: &model::MetadataMatcher) -> Self {
        Self {
            filter: config.filter.as_bytes().into(),
            path: config.path.iter().map(|key| key.as_bytes().into()).collect(),
            value: ValueMatcher::new(&config.value),
            invert: config.invert,
        }
    }

    /// Whether a serialized `envoy.config.core.v3.Metadata` is as wanted; empty bytes are one without anything.
    #[must_use]
    pub fn matches(&self, metadata: &[u8]) -> bool {
        let path = self.path.iter().map(|key| &**key);
        let value = sandgate_attributes::metadata_value(metadata, &self.filter, path);
        self.value.matches(value.as_ref()) != self.invert
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `{filter_metadata: {f: {a: {b: true}}}}`, serialized.
    const METADATA: &[u8] =
        b"\x0a\x17\x0a\x01f\x12\x12\x0a\x10\x0a\x01a\x12\x0b\x2a\x09\x0a\x07\x0a\x01b\x12\x02\x20\x01";

    fn matcher(path: &[&str], value: model::ValueMatcher, invert: bool) -> MetadataMatcher {
        let path = path.iter().map(|&key| key.to_owned()).collect();
        MetadataMatcher::new(&model::MetadataMatcher { filter: "f".into(), path, value, invert })
    }

    #[test]
    fn paths_lead_to_values() {
        let flag = model::ValueMatcher::Bool(true);
        assert!(matcher(&["a", "b"], flag.clone(), false).matches(METADATA));
        assert!(!matcher(&["a", "b"], flag.clone(), true).matches(METADATA));
        assert!(!matcher(&["a"], flag.clone(), false).matches(METADATA));
        assert!(matcher(&["a", "c"], flag, true).matches(METADATA));
        assert!(matcher(&["a"], model::ValueMatcher::Present(true), false).matches(METADATA));
        assert!(!matcher(&["a"], model::ValueMatcher::Present(false), false).matches(b""));
        assert!(matcher(&["a"], model::ValueMatcher::Present(true), true).matches(b""));
    }
}
