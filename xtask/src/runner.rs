//! Runs the steps of a plan in order and times them.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::plan::Step;
use crate::table;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    /// With the error's text.
    Failed(String),
    NotRun,
}

/// A step that was run, or skipped because one before it failed.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) name: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) time: Duration,
    pub(crate) tally: Tally,
}

/// Runs the steps, prints the table and the sum. Whether all passed.
pub(crate) fn run(plan: &[Step], workspace: &Workspace, keep_going: bool) -> bool {
    let records = execute(plan, workspace, keep_going);
    print!("\n{}", table::minutes(&records));
    println!("{}", verdict(&records));
    records.iter().all(|record| record.outcome == Outcome::Passed)
}

fn execute(plan: &[Step], workspace: &Workspace, keep_going: bool) -> Vec<Record> {
    let mut records = Vec::new();
    let mut stopped = false;
    for step in plan {
        let (start, mut tally) = (Instant::now(), Tally::default());
        let outcome = if stopped {
            Outcome::NotRun
        } else {
            println!("\n== {}: {}", step.name, step.proves);
            match (step.run)(workspace, &mut tally) {
                Ok(()) => Outcome::Passed,
                Err(error) => {
                    eprintln!("== {} failed: {error:#}", step.name);
                    show_disk(&workspace.target);
                    stopped = !keep_going;
                    Outcome::Failed(format!("{error:#}"))
                }
            }
        };
        records.push(Record { name: step.name, outcome, time: start.elapsed(), tally });
    }
    records
}

/// What room is left where cargo builds: without any, what fails says anything but that.
fn show_disk(target: &Path) {
    match Command::new("df").arg("-h").arg(target).output() {
        Ok(output) if output.status.success() => eprint!("{}", String::from_utf8_lossy(&output.stdout)),
        // Not every system has it, and a step that failed has its own error.
        _ => {}
    }
}

/// The last line: plain counts if every step passed, else which step failed, so that nobody reads counts as success.
fn verdict(records: &[Record]) -> String {
    let mut sum = Tally::default();
    records.iter().for_each(|record| sum.add(record.tally));
    let failed: Vec<_> =
        records.iter().filter(|r| matches!(r.outcome, Outcome::Failed(_))).map(|r| r.name).collect();
    if failed.is_empty() { sum.to_string() } else { format!("failed: {}; tests: {sum}", failed.join(", ")) }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use anyhow::bail;

    use super::*;

    fn workspace() -> Workspace {
        Workspace { root: PathBuf::new(), target: PathBuf::new(), packages: Vec::new() }
    }

    fn plan() -> Vec<Step> {
        vec![
            Step {
                name: "first",
                proves: "",
                run: |_, tally| {
                    tally.passed = 2;
                    Ok(())
                },
            },
            Step {
                name: "second",
                proves: "",
                run: |_, tally| {
                    tally.failed = 1;
                    bail!("one test failed")
                },
            },
            Step {
                name: "third",
                proves: "",
                run: |_, tally| {
                    tally.passed = 5;
                    Ok(())
                },
            },
        ]
    }

    #[test]
    fn a_failure_stops_the_rest_unless_told_to_keep_going() {
        let records = execute(&plan(), &workspace(), false);
        assert_eq!(records[2].outcome, Outcome::NotRun);
        assert_eq!(verdict(&records), "failed: second; tests: 2 passed, 1 failed");
        let records = execute(&plan(), &workspace(), true);
        assert_eq!(records[2].outcome, Outcome::Passed);
        assert_eq!(verdict(&records), "failed: second; tests: 7 passed, 1 failed");
    }

    #[test]
    fn the_last_line_is_plain_when_all_passed() {
        let records = execute(&plan()[..1], &workspace(), false);
        assert_eq!(verdict(&records), "2 passed, 0 failed");
    }
}
