//! Property tests that run for a moment in `make test`, and for as many cases as `FORECALL_FUZZ_CASES` asks for: this crate
//! reads no clock, not even in its tests.

use crate::batch::{HEADER, almost_a_batch, can_be_walked, content, read, written};
use proptest::prop_assert_eq;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

fn fuzz<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
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

#[test]
fn fuzz_batches() {
    fuzz(2_000, &almost_a_batch(), |bytes| can_be_walked(&bytes));
}

/// What is written is read, value by value, but for columns without any.
#[test]
fn fuzz_batches_are_read_as_written() {
    fuzz(500, &content(), |(times, columns)| {
        let bytes = written(&HEADER, &times, &columns);
        let columns: Vec<_> = columns
            .into_iter()
            .filter(|(_, values)| values.iter().any(Option::is_some))
            .collect();
        prop_assert_eq!(read(&bytes), (times, columns));
        Ok(())
    });
}
