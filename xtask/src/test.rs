//! `xtask test`: everything a stranger or a CI needs to know that this checkout works.

use crate::run::{Output, cargo, run, run_reading, succeeds};
use crate::{setup, tidy};
use std::path::Path;

use anyhow::{Result, ensure};

/// Sets up, builds, runs all tests and doc tests, tidies, and closes with `N passed, N failed, N skipped`.
pub fn test() -> Result<()> {
    setup::setup(setup::Purpose::Test)?;
    // Everything at once, so that tests which start the program find it built, with the same features.
    run(&mut cargo(&["build", "--workspace", "--all-targets"]))?;
    if !Path::new("../shared/data/skab").is_dir() {
        println!("test: no recorded data at ../shared/data: the tests that replay them do nothing and count as passed");
    }
    let mut counts = Counts::default();
    let tests_held = run_tests(&mut counts)?;
    let docs_held = run_counted(&["test", "--workspace", "--doc"], Runner::Cargo, &mut counts)?;
    let tidy_result = tidy::tidy();
    println!(
        "{} passed, {} failed, {} skipped",
        counts.passed, counts.failed, counts.skipped
    );
    tidy_result?;
    ensure!(tests_held && docs_held, "tests failed: see above");
    ensure!(counts.passed > 0, "no test ran");
    Ok(())
}

fn run_tests(counts: &mut Counts) -> Result<bool> {
    if succeeds(&mut cargo(&["nextest", "--version"])) {
        return run_counted(&["nextest", "run", "--workspace"], Runner::Nextest, counts);
    }
    // One thread: tests on loopback measure deadlines, and only nextest can hold just those apart.
    let arguments = [
        "test",
        "--workspace",
        "--no-fail-fast",
        "--lib",
        "--bins",
        "--tests",
        "--",
        "--test-threads",
        "1",
    ];
    run_counted(&arguments, Runner::Cargo, counts)
}

fn run_counted(arguments: &[&str], runner: Runner, counts: &mut Counts) -> Result<bool> {
    let output = match runner {
        Runner::Cargo => Output::Stdout,
        Runner::Nextest => Output::Stderr,
    };
    run_reading(&mut cargo(arguments), output, |line| {
        if let Some(found) = Counts::parse(runner, line) {
            counts.add(found);
        }
    })
}

/// Who runs the tests, and so whose closing line counts: nextest shows what a failed test's own process said, and that
/// closes with a line of the other kind.
#[derive(Clone, Copy)]
enum Runner {
    Cargo,
    Nextest,
}

/// How many tests did what.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    passed: u32,
    failed: u32,
    skipped: u32,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// Reads the closing line of `cargo test` (one for each test binary) or of nextest (one for all).
    fn parse(runner: Runner, line: &str) -> Option<Self> {
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
