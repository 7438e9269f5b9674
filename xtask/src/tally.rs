//! How many tests passed, by what the test programs themselves say.

use std::fmt;

/// Sums of the lines in which a test program gives its result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
    /// Test programs that gave a result.
    pub(crate) programs: u64,
}

impl Tally {
    /// Adds what this line of output says, if it is a result.
    pub(crate) fn line(&mut self, line: &str) {
        let Some(result) = line.trim_start().strip_prefix("test result:") else { return };
        let mut before = "";
        for word in result.split_whitespace() {
            let number = || before.parse().unwrap_or(0);
            match word.trim_end_matches(';') {
                "passed" => self.passed += number(),
                "failed" => self.failed += number(),
                "ignored" => self.ignored += number(),
                _ => {}
            }
            before = word;
        }
        self.programs += 1;
    }

    /// Adds another tally.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.programs += other.programs;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.ignored > 0 { write!(f, ", {} ignored", self.ignored) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_summed_and_other_lines_are_not() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test a ... ok",
            "test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.00s",
            "test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
            "test result: \u{1b}[32mok\u{1b}(B\u{1b}[m. 5 passed; 0 failed; 0 ignored; 0 measured",
            "thread 'x' panicked: test result: ok. 99 passed;",
        ] {
            tally.line(line);
        }
        assert_eq!(tally, Tally { passed: 17, failed: 2, ignored: 1, programs: 3 });
        assert_eq!(tally.to_string(), "17 passed, 2 failed, 1 ignored");
    }
}
