//! 100 calls at once through the hub's voice side beside SIPp's echo, and 3,000 calls one after the other. Exit code 0 only if
//! every bar is held.
//!
//! `--quick`: some seconds with few calls; each comes up, nothing is said about what it costs.

#![expect(clippy::print_stdout, reason = "a benchmark's figures are its output")]

use anyhow::{Context, Result, bail};
use std::process::ExitCode;
use std::time::Duration;
use tests_bench::calls::{Plan, run};
use tests_bench::limit;

/// The whole run.
const ENDS_WITHIN: Duration = Duration::from_secs(1_800);
/// Two sockets a call in this process and in the hub, its devices' connections, and the database's, with room.
const FILES: u64 = 4_000;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let quick = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--quick") => true,
        Some(other) => bail!("unknown argument {other}; known is --quick"),
    };
    limit::raise(FILES)?;
    let plan = if quick { Plan::quick() } else { Plan::full() };
    let bars = tokio::time::timeout(ENDS_WITHIN, run(&plan))
        .await
        .with_context(|| format!("not done within {} s", ENDS_WITHIN.as_secs()))??;
    let held = bars.print();
    if quick {
        println!("quick: few calls; bars about cost say nothing");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
