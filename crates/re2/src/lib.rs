//! Regular expressions, RE2's as Envoy has them.
#![forbid(unsafe_code)]

use std::fmt;

use regex::bytes;

/// Memory that one compiled expression may take, in bytes. Envoy sets no limit of its own beside RE2's 8 MiB.
const SIZE_LIMIT: usize = 8 << 20;

/// A compiled expression. Compared by its text.
///
/// Syntax is RE2's: `\d`, `\s`, `\w` and `\b` are about ASCII, `.` matches a character in UTF-8, and there are no look-arounds or back
/// references. A copy has scratch memory of its own: give each thread one, so that threads do not wait for each other.
#[derive(Clone)]
pub struct Regex {
    pattern: String,
    whole: bytes::Regex,
    anywhere: bytes::Regex,
}

/// Why an expression is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid regex '{pattern}': {reason}")]
pub struct RegexError {
    /// The expression.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Envoy's `envoy.type.matcher.v3.RegexMatchAndSubstitute`.
#[derive(Clone, Debug, PartialEq)]
pub struct RegexRewrite {
    /// Every match of it is replaced.
    pub pattern: Regex,
    /// The replacement, split at its references to groups.
    substitution: Vec<Piece>,
    flaw: Option<SubstitutionFlaw>,
}

/// A mistake in a substitution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubstitutionFlaw {
    /// A group that the expression has not.
    #[error("the expression has no group {0}, so that nothing is replaced")]
    NoSuchGroup(usize),
    /// A backslash before something else than a digit or a backslash.
    #[error("a backslash before anything but a digit or a backslash ends the substitution")]
    Escape,
}

/// A part of a substitution.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Group(usize),
}

// === impl Regex ===

impl Regex {
    /// Compiles an expression.
    ///
    /// # Errors
    /// [`RegexError`] if RE2 would refuse it, or if it is too large when compiled.
    pub fn new(pattern: &str) -> Result<Self, RegexError> {
        let compile = |text: &str| {
            bytes::RegexBuilder::new(text).size_limit(SIZE_LIMIT).build().map_err(|error| {
                let reason = match error {
                    regex::Error::CompiledTooBig(_) => "it is too large when compiled".to_owned(),
                    // The last line says what is wrong; the ones before draw where, in the translated text.
                    error => {
                        let text = error.to_string();
                        text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
                    }
                };
                RegexError { pattern: pattern.to_owned(), reason }
            })
        };
        let translated = translate(pattern);
        let anywhere = compile(&translated)?;
        let whole = compile(&format!(r"\A(?:{translated})\z"))?;
        Ok(Self { pattern: pattern.to_owned(), whole, anywhere })
    }

    /// The expression.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Whether all of `text` matches.
    #[must_use]
    pub fn is_full_match(&self, text: &[u8]) -> bool {
        self.whole.is_match(text)
    }

    /// Whether a part of `text` matches.
    #[must_use]
    pub fn is_partial_match(&self, text: &[u8]) -> bool {
        self.anywhere.is_match(text)
    }

    /// Groups that the expression captures, the whole match not counted.
    #[must_use]
    pub fn group_count(&self) -> usize {
        self.anywhere.captures_len().saturating_sub(1)
    }
}

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.pattern == other.pattern
    }
}

impl Eq for Regex {}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Regex({:?})", self.pattern)
    }
}

// === impl RegexRewrite ===

impl RegexRewrite {
    /// Takes a substitution in RE2's notation: `\1` to `\9` are groups, `\0` is the match, `\\` a backslash. Mistakes in it are not
    /// refused, as Envoy does not refuse them: see [`RegexRewrite::flaw`].
    #[must_use]
    pub fn new(pattern: Regex, substitution: &str) -> Self {
        let mut this = Self { pattern, substitution: Vec::new(), flaw: None };
        let mut text = Vec::new();
        let mut bytes = substitution.bytes();
        while let Some(byte) = bytes.next() {
            match (byte, if byte == b'\\' { bytes.next() } else { None }) {
                (b'\\', Some(b'\\')) => text.push(b'\\'),
                (b'\\', Some(digit @ b'0'..=b'9')) => {
                    let group = usize::from(digit - b'0');
                    if group > this.pattern.group_count() {
                        this.flaw = Some(SubstitutionFlaw::NoSuchGroup(group));
                        return this;
                    }
                    this.substitution.push(Piece::Text(std::mem::take(&mut text)));
                    this.substitution.push(Piece::Group(group));
                }
                (b'\\', _) => {
                    this.flaw = Some(SubstitutionFlaw::Escape);
                    break;
                }
                (byte, _) => text.push(byte),
            }
        }
        this.substitution.push(Piece::Text(text));
        this
    }

    /// What is wrong with the substitution: one that names a group that is not there leaves every text as it is, and one with a backslash
    /// before anything but a digit or a backslash ends there (observed in Envoy 1.40).
    #[must_use]
    pub fn flaw(&self) -> Option<SubstitutionFlaw> {
        self.flaw
    }

    /// Replaces every match in `text`.
    #[must_use]
    pub fn replace_all(&self, text: &[u8]) -> Vec<u8> {
        if matches!(self.flaw, Some(SubstitutionFlaw::NoSuchGroup(_))) {
            return text.to_vec();
        }
        let mut out = Vec::with_capacity(text.len());
        let mut end = 0;
        for captures in self.pattern.anywhere.captures_iter(text) {
            let Some(found) = captures.get(0) else { continue };
            out.extend_from_slice(text.get(end..found.start()).unwrap_or_default());
            end = found.end();
            for piece in &self.substitution {
                match piece {
                    Piece::Text(text) => out.extend_from_slice(text),
                    Piece::Group(group) => {
                        out.extend_from_slice(captures.get(*group).map(|group| group.as_bytes()).unwrap_or_default());
                    }
                }
            }
        }
        out.extend_from_slice(text.get(end..).unwrap_or_default());
        out
    }
}

/// From RE2's syntax to the library's, which differ in classes: here those of Perl are Unicode's, and `[`, `&&`, `~~` in a bracket are
/// operators.
#[must_use]
pub fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern.chars().peekable();
    let mut in_class = false;
    // A bracket right after the opening one stands for itself.
    let mut first = false;
    while let Some(char) = rest.next() {
        let was_first = std::mem::take(&mut first);
        match char {
            '\\' => match rest.next() {
                Some('Q') => quote(&mut rest, &mut out),
                Some(escaped) => match ascii_class(escaped) {
                    Some(class) => out.push_str(class),
                    None if !in_class && matches!(escaped, 'b' | 'B') => {
                        out.push_str(if escaped == 'b' { r"(?-u:\b)" } else { r"(?-u:\B)" });
                    }
                    // Any byte.
                    None if escaped == 'C' && !in_class => out.push_str("(?s-u:.)"),
                    None => {
                        out.push('\\');
                        out.push(escaped);
                    }
                },
                None => out.push('\\'),
            },
            '[' if !in_class => {
                out.push('[');
                if rest.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                (in_class, first) = (true, true);
            }
            '[' if rest.peek() == Some(&':') => out.push('['),
            ']' if in_class && was_first => out.push_str("\\]"),
            ']' if in_class => {
                // The end of `[:alpha:]` is not that of the class.
                if !(out.ends_with(':') && open_posix(&out)) {
                    in_class = false;
                }
                out.push(']');
            }
            '[' | '&' | '~' if in_class => {
                out.push('\\');
                out.push(char);
            }
            other => out.push(other),
        }
    }
    out
}

/// Whether `[:` stands after the last `]` of what was written.
fn open_posix(out: &str) -> bool {
    let open = out.rfind("[:");
    open.is_some_and(|open| out.get(open..).is_some_and(|rest| !rest.contains(']') && rest.len() > 3))
}

/// What stands between `\Q` and `\E`.
fn quote(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) {
    while let Some(char) = rest.next() {
        if char == '\\' && rest.next_if_eq(&'E').is_some() {
            return;
        }
        out.push_str(&regex::escape(char.encode_utf8(&mut [0; 4])));
    }
}

fn ascii_class(escaped: char) -> Option<&'static str> {
    Some(match escaped {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        's' => r"[\t\n\f\r ]",
        'S' => r"[^\t\n\f\r ]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn full(pattern: &str, text: &str) -> bool {
        Regex::new(pattern).unwrap().is_full_match(text.as_bytes())
    }

    #[test]
    fn a_full_match_takes_all_of_the_text() {
        assert!(full("/b[io]t", "/bit"));
        assert!(!full("/b[io]t", "/bite"));
        assert!(!full("a|b", "ab"));
        assert!(Regex::new("b").unwrap().is_partial_match(b"abc"));
    }

    #[test]
    fn classes_are_those_of_re2() {
        assert!(full(r"\d+", "12"));
        assert!(!full(r"\d", "٣"));
        assert!(!full(r"\w", "é"));
        assert!(full(r"[\w-]+", "a-b_9"));
        assert!(full(r"[^\d]", "é"));
        assert!(full(r"[[:alpha:]&~\]]+", "a&~]"));
        assert!(full("[]a]+", "]a"));
        assert!(full("[[a]+", "[a"));
        assert!(full("[a&&b]+", "a&b"));
        assert!(!full(r"\s", "\u{b}"));
        assert!(full(r"\Qa.b\E.", "a.bc"));
        assert!(full(".", "é"));
    }

    #[test]
    fn what_re2_refuses_is_refused() {
        for bad in ["(", r"(a)\1", "(?=a)", "[", "*", "(?<!a)b"] {
            assert!(Regex::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn substitutions_refer_to_groups() {
        let rewrite = |pattern, substitution| RegexRewrite::new(Regex::new(pattern).unwrap(), substitution);
        let replaced = |pattern, substitution, text: &str| {
            String::from_utf8(rewrite(pattern, substitution).replace_all(text.as_bytes())).unwrap()
        };
        assert_eq!(replaced("^/service/([^/]+)(/.*)$", r"\2/instance/\1", "/service/foo/v1"), "/v1/instance/foo");
        assert_eq!(replaced("one", "two", "/x/one/y/one"), "/x/two/y/two");
        assert_eq!(replaced("(?i)/xxx/", "/yyy/", "/aaa/XxX/bbb"), "/aaa/yyy/bbb");
        assert_eq!(replaced("b", r"<\0\\>", "abc"), r"a<b\>c");
        assert_eq!(replaced("a", r"\1", "abc"), "abc");
        assert_eq!(replaced("b", r"x\y", "abc"), "axc");
        assert_eq!(replaced("b", r"x\", "abc"), "axc");
        assert_eq!(rewrite("a", r"\1").flaw(), Some(SubstitutionFlaw::NoSuchGroup(1)));
        assert_eq!(rewrite("(a)", r"\1").flaw(), None);
    }
}
