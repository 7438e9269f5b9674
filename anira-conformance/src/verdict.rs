//! How a check ends inside: with a note, or stopped early.

use std::collections::BTreeMap;

use anira_traits::Error;

use crate::Outcome;

/// Why a check did not get to its end.
#[derive(Debug)]
pub(crate) enum Stop {
    Failed(String),
    NotApplicable(String),
}

/// What a check that got to its end has to say.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    pub(crate) note: String,
    pub(crate) figures: BTreeMap<&'static str, f64>,
}

pub(crate) type Verdict<T = Passed> = Result<T, Stop>;

/// An error where none should be.
impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(format!("{}: {error}", error.kind()))
    }
}

impl Stop {
    /// The same end, said of this.
    pub(crate) fn at(self, what: &str) -> Self {
        match self {
            Self::Failed(reason) => Self::Failed(format!("{what}: {reason}")),
            other => other,
        }
    }
}

pub(crate) fn fail<T>(reason: impl Into<String>) -> Verdict<T> {
    Err(Stop::Failed(reason.into()))
}

pub(crate) fn skip<T>(why: impl Into<String>) -> Verdict<T> {
    Err(Stop::NotApplicable(why.into()))
}

pub(crate) fn pass(note: impl Into<String>) -> Verdict {
    Ok(Passed { note: note.into(), figures: BTreeMap::new() })
}

/// For the report.
pub(crate) fn outcome(verdict: Verdict) -> (Outcome, BTreeMap<&'static str, f64>) {
    match verdict {
        Ok(passed) => (Outcome::Passed { note: passed.note }, passed.figures),
        Err(Stop::Failed(reason)) => (Outcome::Failed { reason }, BTreeMap::new()),
        Err(Stop::NotApplicable(why)) => (Outcome::NotApplicable { why }, BTreeMap::new()),
    }
}
