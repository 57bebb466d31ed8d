//! What the admin interface shows of listeners.

use std::collections::BTreeMap;

use super::entry::{Entry, ListenerSource, Warming};
use crate::admin::{ListenerView, ResourceView};

/// Those that are active in the order in which their names came, and then those that only come.
pub(super) fn views(
    active: &BTreeMap<String, Entry>,
    warming: &BTreeMap<String, Warming>,
    refused: &BTreeMap<String, (ResourceView, String)>,
) -> Vec<ListenerView> {
    let mut entries: Vec<_> = active.iter().collect();
    entries.sort_by_key(|(_, entry)| entry.order);
    let warming_view = |name: &str| warming.get(name).and_then(|warming| of_source(&warming.source.borrow()));
    let mut views: Vec<_> = entries
        .iter()
        .map(|(name, entry)| ListenerView {
            name: (*name).clone(),
            address: Some(entry.address),
            active: of_source(&entry.source),
            warming: warming_view(name),
            refused: refused.get(*name).cloned(),
        })
        .collect();
    let others = warming.keys().chain(refused.keys()).filter(|name| !active.contains_key(*name));
    let others: std::collections::BTreeSet<_> = others.collect();
    views.extend(others.into_iter().map(|name| ListenerView {
        name: name.clone(),
        warming: warming_view(name),
        refused: refused.get(name).cloned(),
        ..ListenerView::default()
    }));
    views
}

fn of_source(source: &ListenerSource) -> Option<ResourceView> {
    match source {
        ListenerSource::Static => None,
        ListenerSource::Provided(view) => Some(view.clone()),
    }
}
