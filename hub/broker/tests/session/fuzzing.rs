//! Property tests that run for a moment in `make test`, and for as long as asked where `FORECALL_FUZZ_SECONDS` is set.

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use std::time::{Duration, Instant};

/// Runs `test` on values of `strategy`: `cases` of them, or as many as fit into the time asked for. What fails is printed
/// in its smallest form.
pub fn fuzz<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let asked = std::env::var("FORECALL_FUZZ_SECONDS").ok();
    let seconds = asked.map(|text| text.parse().expect("FORECALL_FUZZ_SECONDS is a number of seconds"));
    let until = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runs = 0u64;
    loop {
        // Another runner has other random numbers.
        if let Err(error) = TestRunner::new(config.clone()).run(strategy, &test) {
            panic!("after {runs} cases: {error}");
        }
        runs += u64::from(cases);
        if until.is_none_or(|until| Instant::now() >= until) {
            return;
        }
    }
}
