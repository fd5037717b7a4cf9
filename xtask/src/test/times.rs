//! Where the time of a run went: its phases, and the slowest tests.

use std::time::{Duration, Instant};

/// How many of the slowest tests are named.
const SLOWEST: usize = 10;

/// Phases of a run in their order, and the tests that passed or failed in it.
pub struct Times {
    phases: Vec<(&'static str, Duration)>,
    since: Instant,
    tests: Vec<(Duration, String)>,
    /// The runner has counted; what it says of tests afterwards it says for the second time.
    is_counted: bool,
}

impl Times {
    /// Begins the first phase.
    pub fn start() -> Self {
        Self {
            phases: Vec::new(),
            since: Instant::now(),
            tests: Vec::new(),
            is_counted: false,
        }
    }

    /// Ends a phase; the next one begins.
    pub fn end(&mut self, phase: &'static str) {
        self.phases.push((phase, self.since.elapsed()));
        self.since = Instant::now();
    }

    /// Notes a test, where the line is one of nextest's about a test that ended. Returns whether it is about one that
    /// passed, which nobody needs to read.
    pub fn note(&mut self, line: &str) -> bool {
        self.is_counted |= line.trim_start().starts_with("Summary [");
        if self.is_counted {
            return false;
        }
        let Some(test) = Test::parse(line) else {
            return false;
        };
        self.tests.push((test.took, test.name.to_owned()));
        test.passed
    }

    /// The closing lines: seconds of each phase, and the slowest tests, slowest first.
    pub fn lines(&mut self) -> Vec<String> {
        let phases = self
            .phases
            .iter()
            .map(|(phase, took)| format!("{phase} {:.0} s", took.as_secs_f64()));
        let mut lines = vec![format!("time: {}", phases.collect::<Vec<_>>().join(", "))];
        self.tests.sort_by(|one, other| other.cmp(one));
        let slowest = self.tests.iter().take(SLOWEST);
        lines.extend(slowest.map(|(took, name)| format!("slow: {:7.1} s  {name}", took.as_secs_f64())));
        lines
    }
}

struct Test<'a> {
    passed: bool,
    took: Duration,
    name: &'a str,
}

impl<'a> Test<'a> {
    /// Reads `PASS [   0.004s] (  1/748) crate test` and the like: a word in capitals, seconds, where the runner counts
    /// also the count, and the name.
    fn parse(line: &'a str) -> Option<Self> {
        let (word, rest) = line.trim_start().split_once(" [")?;
        let (seconds, name) = rest.split_once("s] ")?;
        let passed = word == "PASS";
        if !passed && !matches!(word, "FAIL" | "TIMEOUT" | "LEAK" | "SIGKILL" | "SIGABRT") {
            return None;
        }
        let took = Duration::try_from_secs_f64(seconds.trim().parse().ok()?).ok()?;
        let name = name.trim_start();
        let name = match name.strip_prefix('(') {
            Some(counted) => counted.split_once(')')?.1,
            None => name,
        };
        Some(Self {
            passed,
            took,
            name: name.trim(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Times;

    #[test]
    fn the_slowest_tests_come_first_and_passes_are_not_shown() {
        let mut times = Times::start();
        assert!(times.note("        PASS [   0.004s] (  1/748) hub-core ticket::closes"));
        assert!(times.note("        PASS [  14.100s] tests-hub::hub demo::plays"));
        assert!(!times.note("        FAIL [   1.250s] (  3/748) hub-core ticket::opens"));
        assert!(!times.note("        SLOW [> 60.000s] (  3/748) hub-core ticket::opens"));
        assert!(!times.note("    Starting 13 tests across 2 binaries"));
        assert!(!times.note("     Summary [   1.234s] 13 tests run: 12 passed, 1 failed, 0 skipped"));
        assert!(!times.note("        FAIL [   1.250s] (  3/748) hub-core ticket::opens"));
        times.end("tests");
        let lines = times.lines();
        assert_eq!(
            lines[1..],
            [
                "slow:    14.1 s  tests-hub::hub demo::plays",
                "slow:     1.2 s  hub-core ticket::opens",
                "slow:     0.0 s  hub-core ticket::closes"
            ]
        );
        assert!(lines[0].starts_with("time: tests "), "{lines:?}");
    }
}
