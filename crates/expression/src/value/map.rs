//! Maps, in the order in which they were made.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bytes::Bytes;

use crate::Value;

/// A map: its keys are bools, integers and strings.
#[derive(Clone, Debug, Default)]
pub struct Map {
    entries: Vec<(Value, Value)>,
    /// Where each key is; only of maps that are large.
    index: Option<HashMap<Key, usize>>,
}

/// A key. `1` and `1u` are two of them, and found by either if the other is not there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Bool(bool),
    Int(i64),
    UInt(u64),
    String(Bytes),
}

/// From here on an index is worth its memory.
const LARGE: usize = 8;

// === impl Key ===

impl Key {
    fn new(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Bool(v) => Self::Bool(*v),
            Value::Int(v) => Self::Int(*v),
            Value::UInt(v) => Self::UInt(*v),
            Value::String(v) => Self::String(v.clone()),
            _ => return None,
        })
    }

    fn is(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Bool(a), Value::Bool(b)) => a == b,
            (Self::Int(a), Value::Int(b)) => a == b,
            (Self::UInt(a), Value::UInt(b)) => a == b,
            (Self::String(a), Value::String(b)) => a == b,
            _ => false,
        }
    }
}

// === impl Map ===

impl Map {
    /// Nothing, if a key is of no type for keys or there twice.
    #[must_use]
    pub fn new(entries: Vec<(Value, Value)>) -> Option<Self> {
        let mut index = HashMap::new();
        for (at, (key, _)) in entries.iter().enumerate() {
            let key = Key::new(key)?;
            if entries.len() < LARGE {
                if entries.iter().take(at).any(|(before, _)| key.is(before)) {
                    return None;
                }
                continue;
            }
            match index.entry(key) {
                Entry::Occupied(_) => return None,
                Entry::Vacant(entry) => entry.insert(at),
            };
        }
        let index = (entries.len() >= LARGE).then_some(index);
        Some(Self { entries, index })
    }

    /// Keys and values.
    #[must_use]
    pub fn entries(&self) -> &[(Value, Value)] {
        &self.entries
    }

    /// What is at `key`; numbers of other types that are the same number find it too.
    #[must_use]
    pub fn get(&self, key: &Value) -> Option<&Value> {
        match key {
            Value::Int(v) => self.find(key).or_else(|| self.find(&Value::UInt(u64::try_from(*v).ok()?))),
            Value::UInt(v) => self.find(key).or_else(|| self.find(&Value::Int(i64::try_from(*v).ok()?))),
            Value::Double(v) => {
                let (int, uint) = (crate::functions::exact_int(*v), crate::functions::exact_uint(*v));
                let int = int.and_then(|v| self.find(&Value::Int(v)));
                int.or_else(|| self.find(&Value::UInt(uint?)))
            }
            _ => self.find(key),
        }
    }

    fn find(&self, key: &Value) -> Option<&Value> {
        let key = Key::new(key)?;
        let at = match &self.index {
            Some(index) => *index.get(&key)?,
            None => self.entries.iter().position(|(candidate, _)| key.is(candidate))?,
        };
        self.entries.get(at).map(|(_, value)| value)
    }
}
