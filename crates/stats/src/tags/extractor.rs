//! One rule that takes a tag out of names.

use std::ops::Range;

use regex::Regex;

use super::TagError;

/// A rule for one tag.
#[derive(Debug)]
pub(super) struct Extractor {
    name: String,
    rule: Rule,
    first_part: Option<String>,
}

#[derive(Debug)]
enum Rule {
    Regex {
        regex: Regex,
        /// Names without this text are not looked at.
        needs: &'static str,
        /// A value that is none.
        except: &'static str,
    },
    /// `cluster.$.**`: parts of the name; `$` is the value, `*` any part, `**` all that follow.
    Parts(Vec<&'static str>),
    Fixed(String),
}

/// A tag that was found.
pub(super) struct Found {
    pub(super) value: String,
    /// The bytes of the name that are taken out.
    pub(super) removed: Option<Range<usize>>,
}

impl Extractor {
    pub(super) fn fixed(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), rule: Rule::Fixed(value.to_owned()), first_part: None }
    }

    pub(super) fn regex(name: &str, pattern: &str) -> Result<Self, TagError> {
        let regex = Regex::new(pattern)
            .map_err(|error| TagError::Regex { regex: pattern.to_owned(), reason: error.to_string() })?;
        Ok(Self::with_regex(name, regex, pattern, "", ""))
    }

    pub(super) fn with_regex(
        name: &str,
        regex: Regex,
        pattern: &str,
        needs: &'static str,
        except: &'static str,
    ) -> Self {
        Self { name: name.to_owned(), rule: Rule::Regex { regex, needs, except }, first_part: first_part(pattern) }
    }

    pub(super) fn parts(name: &str, pattern: &'static str) -> Self {
        let parts: Vec<_> = pattern.split('.').collect();
        let first_part = parts.first().filter(|first| !["$", "*"].contains(*first)).map(|first| (*first).to_owned());
        Self { name: name.to_owned(), rule: Rule::Parts(parts), first_part }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The first part that names must have.
    pub(super) fn first_part(&self) -> Option<&str> {
        self.first_part.as_deref()
    }

    pub(super) fn extract(&self, name: &str) -> Option<Found> {
        match &self.rule {
            Rule::Fixed(value) => Some(Found { value: value.clone(), removed: None }),
            Rule::Parts(pattern) => {
                let removed = match_parts(pattern, name)?;
                let value = name.get(removed.clone())?.trim_matches('.').to_owned();
                Some(Found { value, removed: Some(removed) })
            }
            Rule::Regex { regex, needs, except } => {
                if !name.contains(needs) {
                    return None;
                }
                let captures = regex.captures(name)?;
                // A rule without a group takes nothing.
                let removed = (captures.len() > 1).then(|| captures.get(1))?;
                let value = if captures.len() > 2 { captures.get(2) } else { removed };
                let value = value.map_or("", |value| value.as_str());
                (except.is_empty() || value != *except)
                    .then(|| Found { value: value.to_owned(), removed: removed.map(|removed| removed.range()) })
            }
        }
    }
}

/// Where the `$` of a pattern is in a name, with the dot that it leaves over.
fn match_parts(pattern: &[&str], name: &str) -> Option<Range<usize>> {
    let (mut at, mut found) = (0, None);
    let mut parts = name.split('.').map(|part| {
        let range = at..at + part.len();
        at = range.end + 1;
        (part, range)
    });
    let mut pattern = pattern.iter().peekable();
    while let Some(wanted) = pattern.next() {
        match *wanted {
            "**" => {
                let Some(next) = pattern.next() else {
                    parts.next()?;
                    return found.map(|found| with_dot(&found, name));
                };
                parts.find(|(part, _)| part == next)?;
            }
            "$" => found = Some(parts.next()?.1),
            "*" => {
                parts.next()?;
            }
            text => {
                parts.next().filter(|(part, _)| *part == text)?;
            }
        }
    }
    if parts.next().is_some() {
        return None;
    }
    found.map(|found| with_dot(&found, name))
}

fn with_dot(found: &Range<usize>, name: &str) -> Range<usize> {
    if found.end < name.len() { found.start..found.end + 1 } else { found.start.saturating_sub(1)..found.end }
}

/// The first part of every name that a pattern can match, if the pattern begins with one.
fn first_part(pattern: &str) -> Option<String> {
    let rest = pattern.strip_prefix('^')?;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    let (first, after) = rest.split_at(end);
    let ends_part = after.starts_with("\\.") || after.starts_with("(?=\\.)") || after == "$";
    (!first.is_empty() && ends_part).then(|| first.to_owned())
}
