//! What a text check found, where, and how to mend it.

use std::fmt;

/// Whether a finding fails the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Has to be mended.
    Error,
    /// Is said, and passes.
    Warning,
}

/// One place that a check objects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) weight: Weight,
    /// Below the root, with forward slashes.
    pub(crate) path: String,
    /// From 1.
    pub(crate) line: usize,
    /// What is wrong.
    pub(crate) what: String,
    /// What would be right.
    pub(crate) mend: String,
}

impl Finding {
    /// A finding that fails the run.
    pub(crate) fn error(path: &str, line: usize, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { weight: Weight::Error, path: path.into(), line, what: what.into(), mend: mend.into() }
    }

    /// The same finding as a warning.
    pub(crate) fn warning(mut self) -> Self {
        self.weight = Weight::Warning;
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = if self.weight == Weight::Warning { "warning: " } else { "" };
        write!(f, "{}:{}: {weight}{}; {}", self.path, self.line, self.what, self.mend)
    }
}
