//! `xtask check`: what a developer runs before every commit.

use crate::run::{cargo, run, succeeds};
use crate::tidy;
use anyhow::Result;

/// Format, lints with warnings refused, unit tests, house rules; stops at the first that fails.
pub fn check() -> Result<()> {
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    tidy::tidy()?;
    run(&mut cargo(&[
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]))?;
    run(&mut cargo(unit_tests()))
}

fn unit_tests() -> &'static [&'static str] {
    if succeeds(&mut cargo(&["nextest", "--version"])) {
        &["nextest", "run", "--workspace", "--lib", "--bins"]
    } else {
        &["test", "--quiet", "--workspace", "--lib", "--bins"]
    }
}
