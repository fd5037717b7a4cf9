//! `forecall apply` of 10,000 and of 100,000 devices with their owners: time and peak memory of the first and of a second
//! time, how long a hub beside it waits for an acknowledgement and for what an alarm and a call lock, and how much later
//! alarms ring meanwhile. Exit code 0 only if every bar is held.
//!
//! `--quick`: some seconds with small sites, no bars.

use anyhow::Result;
use std::process::ExitCode;

// One thread: it is a part of the load on two processors, and this is its cheapest form.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let held = tests_bench::apply::main(std::env::args().nth(1).as_deref()).await?;
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
