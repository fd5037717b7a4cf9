//! Property tests that run for a moment in `make test`, and for as many cases as `FORECALL_FUZZ_CASES` asks for: the crates
//! of the agent read no clock, not even in their tests. They give back what memory they take.

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// Runs `test` on values of `strategy`: `cases` of them, or as many as asked for. What fails is printed in its smallest form.
pub fn fuzz<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let asked = std::env::var("FORECALL_FUZZ_CASES").ok();
    let asked = asked.map(|text| text.parse().expect("FORECALL_FUZZ_CASES is a number of cases"));
    let config = Config {
        cases: asked.unwrap_or(cases),
        failure_persistence: None,
        ..Config::default()
    };
    if let Err(error) = TestRunner::new(config).run(strategy, test) {
        panic!("{error}");
    }
}
