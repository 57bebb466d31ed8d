//! Findings about a configuration, and how they are shown.

use std::fmt;

use crate::model::Origin;

/// How many findings are shown; with two lines each they fit a screen.
const SHOWN: usize = 20;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A field has no effect, which is as it should be.
    Note,
    /// The configuration runs, but perhaps not as its author thinks.
    Warning,
    /// The configuration does not run.
    Error,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Where it is.
    pub origin: Origin,
    /// What it is.
    pub message: String,
}

/// Findings in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
}

// === impl Severity ===

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

// === impl Diagnostic ===

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.origin.place(), self.severity, self.message)?;
        if !self.origin.path.is_empty() {
            write!(f, "\n    at {}", self.origin.path)?;
        }
        Ok(())
    }
}

// === impl Diagnostics ===

impl Diagnostics {
    /// Puts findings into the order of the text, those of `file` first.
    pub(crate) fn new(file: &str, mut items: Vec<Diagnostic>) -> Self {
        items.sort_by_key(|item| (*item.origin.file != *file, item.origin.line, item.origin.column));
        let mut seen = std::collections::HashSet::new();
        items.retain(|item| seen.insert((item.origin.clone(), item.message.clone())));
        Self { items }
    }

    /// One error.
    #[must_use]
    pub fn error(origin: Origin, message: impl Into<String>) -> Self {
        Self { items: vec![Diagnostic { severity: Severity::Error, origin, message: message.into() }] }
    }

    /// The findings.
    #[must_use]
    pub fn items(&self) -> &[Diagnostic] {
        &self.items
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many are as bad as that.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.items.iter().filter(|item| item.severity == severity).count()
    }

    /// Whether any finding keeps the configuration from running.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }
}

impl Diagnostics {
    /// The errors in one line, for who sent what they are about: `filter_chains[0].filters: …; address: …`. It does not say which resource
    /// that was.
    #[must_use]
    pub fn detail(&self) -> String {
        let errors: Vec<_> = self.items.iter().filter(|item| item.severity == Severity::Error).collect();
        let shown = errors.iter().take(SHOWN).map(|item| match item.origin.path.as_str() {
            "" => item.message.clone(),
            path => format!("{path}: {}", item.message),
        });
        let mut text = shown.collect::<Vec<_>>().join("; ");
        if errors.len() > SHOWN {
            text.push_str(&format!("; and {} more", errors.len().saturating_sub(SHOWN)));
        }
        text
    }
}

/// The first findings, the worst ones before the others, and how many there are: one screen at most.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown: Vec<_> = self.items.iter().collect();
        shown.sort_by_key(|item| std::cmp::Reverse(item.severity));
        for item in shown.iter().take(SHOWN) {
            writeln!(f, "{item}")?;
        }
        if shown.len() > SHOWN {
            writeln!(f, "… and {} more", shown.len().saturating_sub(SHOWN))?;
        }
        let (errors, warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        write!(f, "{errors} error{}, {warnings} warning{}", plural(errors), plural(warnings))
    }
}

impl std::error::Error for Diagnostics {}
