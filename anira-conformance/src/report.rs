//! What the checks found: for people a table, for machines JSON.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::Property;

/// How one check ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// The property holds, as far as this check sees.
    Passed {
        /// What was counted or measured, in words; may be empty.
        note: String,
    },
    /// It does not.
    Failed {
        /// What was seen, and what would be right.
        reason: String,
    },
    /// It could not be checked.
    NotApplicable {
        /// What is missing, or the author's excuse.
        why: String,
    },
}

/// One check of one specimen.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Row {
    /// The specimen's name.
    pub specimen: String,
    /// What was checked.
    pub property: Property,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Measured figures by name; the name ends in the unit.
    pub figures: BTreeMap<&'static str, f64>,
}

/// All checks of a backend.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The version of these fields: 1.
    pub schema: u32,
    /// The backend's name.
    pub backend: String,
    /// One row per specimen and property.
    pub rows: Vec<Row>,
}

impl Report {
    /// Whether no check failed, and at least one could be made.
    #[must_use]
    pub fn passed(&self) -> bool {
        !self.rows.is_empty() && self.failures().next().is_none()
    }

    /// The checks that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| matches!(row.outcome, Outcome::Failed { .. }))
    }

    /// The outcomes of a property, one per specimen.
    pub fn outcomes(&self, property: Property) -> impl Iterator<Item = &Outcome> {
        self.rows.iter().filter(move |row| row.property == property).map(|row| &row.outcome)
    }

    /// The report as a JSON document: `{"schema","backend","rows":[{"specimen","property","outcome","figures",…}]}`,
    /// where `outcome` is `passed` (with `note`), `failed` (with `reason`) or `not_applicable` (with `why`).
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings, finite numbers and names: nothing here has no JSON.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

impl fmt::Display for Report {
    /// A table: failures are marked `FAILED`, what could not be checked `-`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "conformance of `{}`", self.backend)?;
        let width = self.rows.iter().map(|row| row.property.name().len()).max().unwrap_or(0);
        let mut specimen = None;
        for row in &self.rows {
            if specimen.replace(&row.specimen) != Some(&row.specimen) {
                writeln!(f, "  {}", row.specimen)?;
            }
            let (mark, text) = match &row.outcome {
                Outcome::Passed { note } => ("ok", note),
                Outcome::Failed { reason } => ("FAILED", reason),
                Outcome::NotApplicable { why } => ("-", why),
            };
            writeln!(f, "    {:width$}  {mark:6}  {text}", row.property)?;
        }
        let count = |of: fn(&Outcome) -> bool| self.rows.iter().filter(|row| of(&row.outcome)).count();
        write!(
            f,
            "  {} passed, {} failed, {} not applicable",
            count(|o| matches!(o, Outcome::Passed { .. })),
            count(|o| matches!(o, Outcome::Failed { .. })),
            count(|o| matches!(o, Outcome::NotApplicable { .. })),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcomes: Vec<Outcome>) -> Report {
        let row = |outcome| Row {
            specimen: "gain".into(),
            property: Property::Reset,
            outcome,
            figures: BTreeMap::from([("median_us", 1.5)]),
        };
        Report { schema: 1, backend: "b".into(), rows: outcomes.into_iter().map(row).collect() }
    }

    #[test]
    fn a_report_passes_only_if_something_was_checked_and_nothing_failed() {
        let passed = Outcome::Passed { note: String::new() };
        let failed = Outcome::Failed { reason: "it did".into() };
        let why = Outcome::NotApplicable { why: "no file".into() };
        assert!(report(vec![passed.clone(), why.clone()]).passed());
        assert!(!report(vec![passed, failed]).passed());
        assert!(!report(vec![]).passed());
    }

    #[test]
    fn a_report_is_a_table_and_a_document() {
        let report = report(vec![
            Outcome::Failed { reason: "the 2nd answer differs".into() },
            Outcome::NotApplicable { why: "no file".into() },
        ]);
        let text = report.to_string();
        assert!(text.contains("reset") && text.contains("FAILED  the 2nd answer differs"), "{text}");
        assert!(text.ends_with("0 passed, 1 failed, 1 not applicable"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
        let row = &json["rows"][0];
        assert_eq!((&row["property"], &row["outcome"]), (&"reset".into(), &"failed".into()));
        assert_eq!(
            (&row["reason"], &row["figures"]["median_us"]),
            (&"the 2nd answer differs".into(), &1.5.into())
        );
        assert_eq!(json["rows"][1]["why"], "no file");
    }
}
