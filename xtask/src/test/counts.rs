//! How many tests did what, from the closing lines of the runners.

/// Who runs the tests, and so whose closing line counts: nextest shows what a failed test's own process said, and that
/// closes with a line of the other kind.
#[derive(Clone, Copy)]
pub enum Runner {
    /// `cargo test`, also for doc tests.
    Cargo,
    /// `cargo nextest run`.
    Nextest,
}

/// How many tests did what.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Passed.
    pub passed: u32,
    /// Failed, timed out, or not started.
    pub failed: u32,
    /// Left out by the runner.
    pub skipped: u32,
}

impl Counts {
    /// Adds those of another run.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// Reads the closing line of `cargo test` (one for each test binary) or of nextest (one for all).
    pub fn parse(runner: Runner, line: &str) -> Option<Self> {
        let figures = match runner {
            Runner::Cargo => line.strip_prefix("test result: ")?.split_once(". ")?.1,
            Runner::Nextest => line.trim_start().strip_prefix("Summary [")?.split_once(" run: ")?.1,
        };
        let mut counts = Self::default();
        for part in without_parentheses(figures).split([',', ';']) {
            let Some((number, word)) = part.trim().split_once(' ') else {
                continue;
            };
            let Ok(number) = number.parse::<u32>() else { continue };
            match word.trim() {
                "passed" => counts.passed += number,
                "failed" | "timed out" | "exec failed" => counts.failed += number,
                "skipped" | "ignored" => counts.skipped += number,
                _ => {}
            }
        }
        Some(counts)
    }
}

fn without_parentheses(text: &str) -> String {
    let mut depth = 0_usize;
    text.chars()
        .filter(|&c| {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => return depth == 0,
            }
            false
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Counts, Runner};

    fn counts(passed: u32, failed: u32, skipped: u32) -> Option<Counts> {
        Some(Counts {
            passed,
            failed,
            skipped,
        })
    }

    #[test]
    fn reads_the_closing_lines_of_both_runners() {
        let cargo = "test result: FAILED. 5 passed; 1 failed; 2 ignored; 0 measured; 3 filtered out; finished in 0.01s";
        assert_eq!(Counts::parse(Runner::Cargo, cargo), counts(5, 1, 2));
        let nextest =
            "     Summary [   1.234s] 13 tests run: 10 passed (1 slow, 2 leaky), 1 failed, 2 timed out, 4 skipped";
        assert_eq!(Counts::parse(Runner::Nextest, nextest), counts(10, 3, 4));
        assert_eq!(
            Counts::parse(
                Runner::Nextest,
                "     Summary [   0.001s] 1 test run: 1 passed, 0 skipped"
            ),
            counts(1, 0, 0)
        );
        assert_eq!(Counts::parse(Runner::Cargo, "running 5 tests"), None);
    }

    #[test]
    fn a_failed_test_is_counted_once() {
        let said =
            "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.01s";
        assert_eq!(Counts::parse(Runner::Nextest, said), None);
        assert_eq!(Counts::parse(Runner::Nextest, said.trim_start()), None);
        // As shown by the other runner among what a failed test printed.
        assert_eq!(Counts::parse(Runner::Cargo, said), None);
    }
}
