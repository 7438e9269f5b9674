//! The tables that a plan prints: what it holds, and how long each step took.

use std::fmt::Write;

use crate::plan::Step;
use crate::runner::{Outcome, Record};
use crate::tally::Tally;

/// The steps and what each proves.
pub(crate) fn contents(plan: &[Step]) -> String {
    plan.iter().fold(String::new(), |mut text, step| {
        let _ = writeln!(text, "{:<10} {}", step.name, step.proves);
        text
    })
}

/// Minutes, result and tests of every step, and their sum, as a Markdown table that documents can take over.
pub(crate) fn minutes(records: &[Record]) -> String {
    let mut text =
        String::from("| step     | minutes | result  | tests |\n|----------|--------:|---------|------:|\n");
    let mut sum = Tally::default();
    for record in records {
        sum.add(record.tally);
        let result = match record.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed(_) => "FAILED",
            Outcome::NotRun => "not run",
        };
        row(&mut text, record.name, record.time.as_secs_f64(), result, record.tally);
    }
    let time = records.iter().map(|record| record.time.as_secs_f64()).sum();
    row(&mut text, "sum", time, "", sum);
    text
}

fn row(text: &mut String, name: &str, seconds: f64, result: &str, tally: Tally) {
    let tests = match tally.passed + tally.failed {
        0 => String::new(),
        n => n.to_string(),
    };
    let _ = writeln!(text, "| {name:<8} | {:>7.1} | {result:<7} | {tests:>5} |", seconds / 60.0);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn minutes_and_tests_add_up() {
        let record = |name, outcome, seconds, passed| Record {
            name,
            outcome,
            time: Duration::from_secs(seconds),
            tally: Tally { passed, ..Tally::default() },
        };
        let table = minutes(&[
            record("fmt", Outcome::Passed, 6, 0),
            record("debug", Outcome::Failed("why".into()), 90, 41),
            record("loom", Outcome::NotRun, 0, 0),
        ]);
        let right = "\
| step     | minutes | result  | tests |
|----------|--------:|---------|------:|
| fmt      |     0.1 | passed  |       |
| debug    |     1.5 | FAILED  |    41 |
| loom     |     0.0 | not run |       |
| sum      |     1.6 |         |    41 |
";
        assert_eq!(table, right);
    }
}
