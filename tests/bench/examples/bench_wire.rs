//! Bytes a value, and time to write and read one, of the same samples as a batch and in other formats: one table. Exit code
//! 0 only if every bar is held.

use anyhow::Result;
use std::process::ExitCode;

fn main() -> Result<ExitCode> {
    let held = tests_bench::wire::run()?.print();
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
