//! `envoy.lb` of metadata: what hosts say of themselves, and what is asked of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use prost::Message;
use prost_types::{Struct, Value, value::Kind};

/// The namespace that load balancing reads.
const NAMESPACE: &str = "envoy.lb";

/// A value of `google.protobuf.Value` that can be looked up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MetadataValue {
    /// A value that was not set.
    Unset,
    /// `null`.
    Null,
    /// A truth.
    Bool(bool),
    /// The bits of a number. There is one zero.
    Number(u64),
    /// A text.
    String(Box<str>),
    /// A list.
    List(Vec<Self>),
    /// A structure.
    Struct(BTreeMap<String, Self>),
}

/// Fields of `envoy.lb` by name, such as Envoy's `MetadataMatchCriteria`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataCriteria(Vec<MetadataCriterion>);

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MetadataCriterion {
    /// Its name.
    pub name: Arc<str>,
    /// Its value.
    pub value: MetadataValue,
}

/// `envoy.config.core.v3.Metadata`, as far as it is read here; elsewhere it stays serialized.
#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(btree_map = "string, message", tag = "1")]
    filter_metadata: BTreeMap<String, Struct>,
}

// === impl MetadataValue ===

impl From<Value> for MetadataValue {
    fn from(value: Value) -> Self {
        match value.kind {
            None => Self::Unset,
            Some(Kind::NullValue(_)) => Self::Null,
            Some(Kind::BoolValue(value)) => Self::Bool(value),
            Some(Kind::NumberValue(value)) => Self::Number(if value == 0.0 { 0.0 } else { value }.to_bits()),
            Some(Kind::StringValue(value)) => Self::String(value.into()),
            Some(Kind::ListValue(list)) => Self::List(list.values.into_iter().map(Self::from).collect()),
            Some(Kind::StructValue(fields)) => {
                Self::Struct(fields.fields.into_iter().map(|(name, value)| (name, value.into())).collect())
            }
        }
    }
}

// === impl MetadataCriteria ===

impl MetadataCriteria {
    /// `envoy.lb` of a serialized `envoy.config.core.v3.Metadata`; `None` if it is not there.
    #[must_use]
    pub fn of_metadata(serialized: &[u8]) -> Option<Self> {
        if serialized.is_empty() {
            return None;
        }
        let mut metadata = Metadata::decode(serialized).ok()?;
        Some(metadata.filter_metadata.remove(NAMESPACE)?.into())
    }

    /// The fields of a structure; none of anything else.
    #[must_use]
    pub fn of_value(value: &MetadataValue) -> Self {
        let MetadataValue::Struct(fields) = value else { return Self::default() };
        let criteria = fields.iter();
        Self(
            criteria
                .map(|(name, value)| MetadataCriterion { name: name.as_str().into(), value: value.clone() })
                .collect(),
        )
    }

    /// In the order of their names.
    #[must_use]
    pub fn as_slice(&self) -> &[MetadataCriterion] {
        &self.0
    }

    /// The value of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&MetadataValue> {
        let index = self.0.binary_search_by(|criterion| (*criterion.name).cmp(name)).ok()?;
        self.0.get(index).map(|criterion| &criterion.value)
    }

    /// These, with those of `over` in the place of others of the same name.
    #[must_use]
    pub fn merged(&self, over: &Self) -> Self {
        let own = self.0.iter().filter(|criterion| over.get(&criterion.name).is_none());
        let mut merged: Vec<_> = own.chain(&over.0).cloned().collect();
        merged.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Self(merged)
    }

    /// Those with these names; `None` if there are none.
    #[must_use]
    pub fn filtered(&self, names: &BTreeSet<String>) -> Option<Self> {
        let left: Vec<_> = self.0.iter().filter(|criterion| names.contains(&*criterion.name)).cloned().collect();
        (!left.is_empty()).then_some(Self(left))
    }
}

impl From<Struct> for MetadataCriteria {
    fn from(fields: Struct) -> Self {
        // The fields come in the order of their names.
        let criteria = fields.fields.into_iter();
        Self(criteria.map(|(name, value)| MetadataCriterion { name: name.into(), value: value.into() }).collect())
    }
}

impl FromIterator<MetadataCriterion> for MetadataCriteria {
    fn from_iter<T: IntoIterator<Item = MetadataCriterion>>(criteria: T) -> Self {
        criteria.into_iter().fold(Self::default(), |all, criterion| all.merged(&Self(vec![criterion])))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn criteria(fields: &[(&str, Kind)]) -> MetadataCriteria {
        let fields = fields.iter().map(|(name, kind)| ((*name).to_owned(), Value { kind: Some(kind.clone()) }));
        Struct { fields: fields.collect() }.into()
    }

    fn text(text: &str) -> Kind {
        Kind::StringValue(text.to_owned())
    }

    #[test]
    fn later_values_stand_for_earlier_ones() {
        let merged =
            criteria(&[("b", text("1")), ("c", text("1"))]).merged(&criteria(&[("a", text("2")), ("c", text("2"))]));
        assert_eq!(merged, criteria(&[("a", text("2")), ("b", text("1")), ("c", text("2"))]));
        let names = ["b".to_owned(), "x".to_owned()].into();
        assert_eq!(merged.filtered(&names), Some(criteria(&[("b", text("1"))])));
        assert_eq!(criteria(&[("a", text("2"))]).filtered(&names), None);
        assert_eq!(merged.get("b"), Some(&MetadataValue::String("1".into())));
    }

    #[test]
    fn values_are_equal_as_they_are_meant() {
        let (zero, minus) = (criteria(&[("a", Kind::NumberValue(0.0))]), criteria(&[("a", Kind::NumberValue(-0.0))]));
        assert_eq!(zero, minus);
        assert_ne!(zero, criteria(&[("a", text("0"))]));
    }

    #[test]
    fn only_the_namespace_of_load_balancing_counts() {
        let fields = |name: &str| Struct { fields: [(name.to_owned(), Value { kind: Some(text("1")) })].into() };
        let mut metadata = Metadata::default();
        metadata.filter_metadata.insert("other".to_owned(), fields("a"));
        assert_eq!(MetadataCriteria::of_metadata(&metadata.encode_to_vec()), None);
        metadata.filter_metadata.insert(NAMESPACE.to_owned(), fields("b"));
        assert_eq!(MetadataCriteria::of_metadata(&metadata.encode_to_vec()).unwrap(), criteria(&[("b", text("1"))]));
    }
}
