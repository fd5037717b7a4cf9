//! A hub under attack by strangers over HTTP and SIP, one load after the other, and what those who ask honestly wait
//! meanwhile: monitor, carrier, owners whose calls are up, a device. Exit code 0 only if every bar is held.
//!
//! `--quick`: some seconds with small loads; what is asked is answered, nothing is said about how soon.

#![expect(clippy::print_stdout, reason = "a benchmark's figures are its output")]

use anyhow::{Context, Result, bail};
use std::process::ExitCode;
use std::time::Duration;
use tests_bench::attack::{Plan, run};
use tests_bench::limit;

/// The whole run.
const ENDS_WITHIN: Duration = Duration::from_secs(1_800);
/// 1,100 connections in this process and in the hub, those that come again, and calls, with room.
const FILES: u64 = 8_000;

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
        println!("quick: small loads; bars about time say nothing");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
