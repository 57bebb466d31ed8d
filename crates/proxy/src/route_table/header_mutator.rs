//! Headers that routes and their like add and remove.

use std::rc::Rc;

use sandgate_config::model::{HeaderAppendAction, HeaderMutations};
use sandgate_formatter::FormatContext;
use sandgate_http::{Direction, HeaderMap};
use smallvec::SmallVec;

/// The changes of all levels, in the order in which they are made: those made later win.
#[derive(Clone, Debug, Default)]
pub(super) struct HeaderMutator {
    levels: Option<Rc<[Rc<HeaderMutations>]>>,
}

// === impl HeaderMutator ===

impl HeaderMutator {
    /// Of levels in order; those that change nothing are left out.
    pub(super) fn new<'a>(levels: impl IntoIterator<Item = &'a Rc<HeaderMutations>>) -> Self {
        let levels: Vec<_> = levels.into_iter().filter(|level| !level.is_empty()).cloned().collect();
        Self { levels: (!levels.is_empty()).then(|| levels.into()) }
    }

    /// Whether nothing is ever changed.
    pub(super) fn is_empty(&self) -> bool {
        self.levels.is_none()
    }

    /// Makes the changes; values are made from `base` and the headers as they are, which are those of `side`.
    pub(super) fn evaluate(&self, headers: &mut HeaderMap, base: FormatContext<'_>, side: Direction) {
        for level in self.levels.iter().flat_map(|levels| levels.iter()) {
            mutate_headers(level, headers, base, side);
        }
    }
}

/// A context that has these headers, too.
pub(super) fn with_headers<'h>(base: FormatContext<'h>, headers: &'h HeaderMap, side: Direction) -> FormatContext<'h> {
    match side {
        Direction::Request => FormatContext { request_headers: Some(headers), ..base },
        Direction::Response => FormatContext { response_headers: Some(headers), ..base },
    }
}

/// Removals first; then all values are made; then those that overwrite are set; then the others are added.
pub(crate) fn mutate_headers(
    mutations: &HeaderMutations,
    headers: &mut HeaderMap,
    base: FormatContext<'_>,
    side: Direction,
) {
    for name in &mutations.remove {
        headers.remove(name.as_bytes());
    }
    let mut values = Vec::new();
    let mut set: SmallVec<[(&str, usize, usize); 4]> = SmallVec::new();
    let mut add: SmallVec<[(&str, usize, usize); 4]> = SmallVec::new();
    for option in &mutations.add {
        let start = values.len();
        match option.value.constant() {
            Some(text) => values.extend_from_slice(text.as_bytes()),
            None => option.value.render(&with_headers(base, headers, side), &mut values),
        }
        if values.len() == start && !option.keep_empty_value {
            continue;
        }
        let exists = || headers.contains(option.name.as_bytes());
        let entry = (option.name.as_str(), start, values.len());
        match option.action {
            HeaderAppendAction::AppendIfExistsOrAdd => add.push(entry),
            HeaderAppendAction::AddIfAbsent if exists() => {}
            HeaderAppendAction::AddIfAbsent => add.push(entry),
            HeaderAppendAction::OverwriteIfExists if !exists() => {}
            HeaderAppendAction::OverwriteIfExists | HeaderAppendAction::OverwriteIfExistsOrAdd => set.push(entry),
        }
    }
    for (name, start, end) in set {
        headers.replace(name.as_bytes(), values.get(start..end).unwrap_or_default());
    }
    for (name, start, end) in add {
        headers.add(name.as_bytes(), values.get(start..end).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use std::time::{Instant, SystemTime};

    use sandgate_config::model::HeaderValueOption;
    use sandgate_filter::{ConnectionInfo, StreamInfo};
    use sandgate_formatter::Format;

    use super::*;

    fn option(name: &str, value: &str, action: HeaderAppendAction) -> HeaderValueOption {
        let value = Format::parse(value).unwrap().omitting_empty_values();
        HeaderValueOption { name: name.into(), value, action, keep_empty_value: false }
    }

    #[test]
    fn values_are_made_before_anything_is_set() {
        use HeaderAppendAction::{AddIfAbsent, AppendIfExistsOrAdd, OverwriteIfExists, OverwriteIfExistsOrAdd};
        let level = HeaderMutations {
            remove: vec!["gone".into()],
            add: vec![
                option("added", "%REQ(over)%", AppendIfExistsOrAdd),
                option("over", "new", OverwriteIfExistsOrAdd),
                option("gone", "%REQ(gone)%", AppendIfExistsOrAdd),
                option("over", "absent", AddIfAbsent),
                option("none", "never", OverwriteIfExists),
            ],
        };
        let mut headers = HeaderMap::new();
        for (name, value) in [("gone", "1"), ("over", "old"), ("kept", "2")] {
            headers.append(name.as_bytes(), value.as_bytes());
        }
        let now = Instant::now();
        let info = StreamInfo::new(None, SystemTime::UNIX_EPOCH, now);
        let connection = ConnectionInfo::default();
        let mutator = HeaderMutator::new([&Rc::new(level), &Rc::new(HeaderMutations::default())]);
        mutator.evaluate(&mut headers, FormatContext::new(&info, &connection, now), Direction::Request);
        let line = |(n, v): (&[u8], &[u8])| format!("{}: {}", String::from_utf8_lossy(n), String::from_utf8_lossy(v));
        assert_eq!(headers.iter().map(line).collect::<Vec<_>>(), ["kept: 2", "over: new", "added: old"]);
        assert!(HeaderMutator::new([&Rc::new(HeaderMutations::default())]).is_empty());
    }
}
