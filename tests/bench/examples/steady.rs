//! Load that lasts: a trickle, a steady pace, as much as goes, calls beneath a load, and kills beneath a load, with the
//! figures of each minute and the bare COPY of the same rows beside them. Exit code 0 only if every bar is held.
//!
//! Arguments are names of parts: trickle, paced, flood, ring, restart; the first three unless it is said. `--quick`: some
//! seconds for each, counts are checked, no bars.

use anyhow::Result;
use std::process::ExitCode;

/// 12,000 connections in this process and in the hub, with room.
const FILES: u64 = 14_000;

// One thread: it is a part of the load on two processors, and this is its cheapest form.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    tests_bench::limit::raise(FILES)?;
    let held = tests_bench::steady::main(std::env::args().skip(1)).await?;
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
