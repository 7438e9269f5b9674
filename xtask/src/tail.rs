//! What a call that failed said of it, in few lines: who reads of a failure in CI often sees no more than the end of the output.

use std::collections::VecDeque;
use std::fmt::Write;
use std::mem;

/// Lines that are kept of what looks like a reason.
const REASONS: usize = 60;

/// Lines that are kept of what came last, shown where nothing looks like a reason.
const LAST: usize = 20;

/// One stream's lines that tell why, as far as one can see, and its last ones.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    reasons: Vec<String>,
    last: VecDeque<String>,
    within: Option<Within>,
}

/// Of what kind the lines are that come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    /// What cargo or the compiler says, up to an empty line.
    Error,
    /// What a test program says of the tests that failed, up to its result.
    Failures,
}

impl Tail {
    /// The next line.
    pub(crate) fn line(&mut self, line: &str) {
        if line.starts_with("error") && self.within.is_none() {
            self.within = Some(Within::Error);
        } else if line == "failures:" {
            self.within = Some(Within::Failures);
        }
        if self.within.is_some() && self.reasons.len() < REASONS {
            self.reasons.push(line.to_owned());
        }
        let ends = match self.within {
            Some(Within::Error) => line.is_empty(),
            Some(Within::Failures) => line.starts_with("test result:"),
            None => false,
        };
        if ends {
            self.within = None;
        }
        if self.last.len() == LAST {
            self.last.pop_front();
        }
        self.last.push_back(line.to_owned());
    }

    fn lines(&self) -> Vec<&str> {
        let last = || self.last.iter().map(String::as_str).collect();
        if self.reasons.is_empty() { last() } else { self.reasons.iter().map(String::as_str).collect() }
    }
}

/// Both streams' lines, each marked, behind a message.
pub(crate) fn report(output: &Tail, errors: &Tail) -> String {
    let mut text = String::new();
    for (name, tail) in [("its output", output), ("its errors", errors)] {
        let mut title = format!("\nof {name}:\n");
        for line in tail.lines().into_iter().filter(|line| !line.is_empty()) {
            let _ = writeln!(text, "{}  | {line}", mem::take(&mut title));
        }
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(text: &str) -> Tail {
        let mut tail = Tail::default();
        text.lines().for_each(|line| tail.line(line));
        tail
    }

    #[test]
    fn what_looks_like_a_reason_is_kept_however_much_comes_after() {
        let passed = "test other ... ok\n".repeat(1_000);
        let output = format!(
            "{passed}failures:\n\n---- a stdout ----\nleft: 1\n\nfailures:\n    a\n\ntest result: FAILED. 1 failed\n{passed}"
        );
        let errors = "   Compiling a\nerror: cannot link\n  No space left on device\n\n   Compiling b\n";
        assert_eq!(
            report(&tail(&output), &tail(errors)),
            "\nof its output:\n  | failures:\n  | ---- a stdout ----\n  | left: 1\n  | failures:\n  |     a\n  \
             | test result: FAILED. 1 failed\n\nof its errors:\n  | error: cannot link\n  |   No space left on device"
        );
    }

    #[test]
    fn without_a_reason_the_last_lines_stand() {
        let many: String = (0..100).map(|i| format!("{i}\n")).collect();
        let report = report(&tail(&many), &tail(""));
        assert!(report.starts_with("\nof its output:\n  | 80\n") && report.ends_with("  | 99"), "{report}");
    }

    #[test]
    fn there_is_an_end_to_it() {
        let report = report(&tail(&"error\n".repeat(1_000)), &tail(""));
        assert_eq!(report.lines().count(), REASONS + 2);
    }
}
