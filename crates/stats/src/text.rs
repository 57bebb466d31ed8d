//! Stats that are texts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::StatsStore;

/// A text that is shown as long as this is there; empty at first.
#[derive(Debug)]
pub struct TextReadout(Arc<Cell>);

#[derive(Debug)]
struct Cell {
    name: String,
    /// `None`: never written.
    value: Mutex<Option<String>>,
}

/// All there are.
#[derive(Debug, Default)]
pub(crate) struct TextReadouts(Mutex<Vec<Weak<Cell>>>);

/// A text and whether it was ever written.
pub(crate) type Text = (String, bool);

// === impl TextReadout ===

impl TextReadout {
    /// A text with this name, registered in `store`.
    #[must_use]
    pub fn new(store: &StatsStore, name: &str) -> Self {
        let cell = Arc::new(Cell { name: crate::scope_name(name).into_owned(), value: Mutex::default() });
        store.texts.add(&cell);
        Self(cell)
    }

    /// Shows another text.
    pub fn set(&self, value: &str) {
        *self.0.value.lock().unwrap_or_else(PoisonError::into_inner) = Some(value.to_owned());
    }
}

// === impl TextReadouts ===

impl TextReadouts {
    fn add(&self, cell: &Arc<Cell>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that are gone go when there is no room, so that each is looked at a few times only.
        if all.len() == all.capacity() {
            all.retain(|cell| cell.strong_count() > 0);
        }
        all.push(Arc::downgrade(cell));
    }

    /// By name; of several with one name the last that has a text counts.
    pub(crate) fn read(&self) -> BTreeMap<String, Text> {
        let mut texts = BTreeMap::new();
        for cell in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade) {
            let value = cell.value.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let used = value.is_some();
            if used || !texts.contains_key(&cell.name) {
                texts.insert(cell.name.clone(), (value.unwrap_or_default(), used));
            }
        }
        texts
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use crate::{StatsQuery, SubscriptionStats};

    fn query(store: &StatsStore, parameters: &[(&str, &str)]) -> String {
        let parameters = parameters.iter().map(|(name, value)| (*name, (*value).to_owned()));
        StatsQuery::parse(parameters).unwrap().render(store)
    }

    #[test]
    fn texts_come_first_and_go_with_their_owner() {
        let store = StatsStore::new();
        let stats = SubscriptionStats::new(&store, "cds.");
        stats.update_success().inc();
        let (version, identifier) = (TextReadout::new(&store, "cds.version_text"), TextReadout::new(&store, "cds.z"));
        version.set("a\"<b>");
        let text = query(&store, &[("filter", "text|z$|success")]);
        assert_eq!(text, "cds.version_text: \"a&quot;&lt;b&gt;\"\ncds.z: \"\"\ncds.update_success: 1\n");
        let used = query(&store, &[("usedonly", ""), ("type", "TextReadouts"), ("format", "json")]);
        assert_eq!(used, r#"{"stats":[{"name":"cds.version_text","value":"a\"<b>"}]}"#);
        assert_eq!(query(&store, &[("type", "Gauges"), ("filter", "text")]), "");
        drop((version, identifier));
        assert_eq!(query(&store, &[("type", "TextReadouts")]), "");
    }
}
