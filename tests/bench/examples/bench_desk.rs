//! Observations to findings and tickets: 100,000 of as many appliances, of which 1,000 open one, through the scorer's
//! transaction, beside the bare inserts and updates of the same rows. Exit code 0 only if the bar is held.
//!
//! `--quick`: some seconds with few appliances, no bar.

use anyhow::Result;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let held = tests_bench::desk::main(std::env::args().nth(1).as_deref()).await?;
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
