//! Tags: parts of a stat's name that say which one it is (`cluster.<name>.…`), taken out of it for Prometheus and DogStatsD.

mod defaults;
mod extractor;

use std::collections::HashMap;
use std::sync::Arc;

use extractor::Extractor;

/// A tag of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagSpecifier {
    /// `tag_name` alone: Envoy's own rules for that tag.
    Default(String),
    /// `tag_name` and a regular expression whose first group is taken out of the name, and whose second group, or else
    /// the first, is the value.
    Regex(String, String),
    /// `tag_name` and a value that every stat has.
    Fixed(String, String),
}

/// Why a tag cannot be had; the texts are Envoy's.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// No regular expression, and no rules for a tag of that name.
    #[error("No regex specified for tag specifier and no default regex for name: '{0}'")]
    NoDefault(String),
    /// Not a regular expression.
    #[error("Invalid regex '{regex}': {reason}")]
    Regex {
        /// As configured.
        regex: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A tag without a name.
    #[error("tag_name cannot be empty")]
    NoName,
}

/// Takes tags out of names.
#[derive(Clone, Debug)]
pub struct TagProducer {
    /// For every name.
    everywhere: Vec<Arc<Extractor>>,
    /// For names that begin with this part.
    by_first_part: HashMap<String, Vec<Arc<Extractor>>>,
}

impl Default for TagProducer {
    fn default() -> Self {
        let mut producer = Self { everywhere: Vec::new(), by_first_part: HashMap::new() };
        defaults::all().for_each(|extractor| producer.add(extractor));
        producer
    }
}

impl TagProducer {
    /// Envoy's own rules (if `use_defaults`), then those of the configuration. With `overrides`, a tag of the configuration
    /// replaces Envoy's of the same name.
    ///
    /// # Errors
    /// A tag without rules, or with a regular expression that is none.
    pub fn new(use_defaults: bool, overrides: bool, specifiers: &[TagSpecifier]) -> Result<Self, TagError> {
        let mut producer = Self { everywhere: Vec::new(), by_first_part: HashMap::new() };
        if use_defaults {
            let replaced = |name: &str| {
                overrides
                    && specifiers.iter().any(|specifier| match specifier {
                        TagSpecifier::Default(_) => false,
                        TagSpecifier::Regex(tag, _) | TagSpecifier::Fixed(tag, _) => tag == name,
                    })
            };
            defaults::all().filter(|rule| !replaced(rule.name())).for_each(|rule| producer.add(rule));
        }
        for specifier in specifiers {
            match specifier {
                TagSpecifier::Default(name) | TagSpecifier::Regex(name, _) if name.is_empty() => {
                    return Err(TagError::NoName);
                }
                TagSpecifier::Default(name) => {
                    let rules: Vec<_> = defaults::all().filter(|rule| rule.name() == name).collect();
                    if rules.is_empty() {
                        return Err(TagError::NoDefault(name.clone()));
                    }
                    rules.into_iter().for_each(|rule| producer.add(rule));
                }
                TagSpecifier::Regex(name, regex) => producer.add(Extractor::regex(name, regex)?),
                TagSpecifier::Fixed(name, value) => producer.add(Extractor::fixed(name, value)),
            }
        }
        Ok(producer)
    }

    /// The name without its tags, and the tags in the order of the rules.
    #[must_use]
    pub fn extract(&self, name: &str) -> (String, Vec<(&str, String)>) {
        let first = name.split_once('.').map(|(first, _)| first);
        let here = first.and_then(|first| self.by_first_part.get(first)).into_iter().flatten();
        let mut tags: Vec<(&str, String)> = Vec::new();
        let mut removed = Vec::new();
        for extractor in self.everywhere.iter().chain(here) {
            // Of two rules for one tag the first that matches counts.
            if tags.iter().any(|(tag, _)| *tag == extractor.name()) {
                continue;
            }
            if let Some(found) = extractor.extract(name) {
                tags.push((extractor.name(), found.value));
                removed.extend(found.removed);
            }
        }
        let kept = name.char_indices().filter(|(at, _)| !removed.iter().any(|range| range.contains(at)));
        (kept.map(|(_, c)| c).collect(), tags)
    }

    fn add(&mut self, extractor: impl Into<Arc<Extractor>>) {
        let extractor = extractor.into();
        match extractor.first_part() {
            Some(first) => self.by_first_part.entry(first.to_owned()).or_default().push(extractor),
            None => self.everywhere.push(extractor),
        }
    }
}

#[cfg(test)]
mod tests;
