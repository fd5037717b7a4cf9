//! Device agents in one process, 10,000 of them, whose hub is killed in mid-stream and starts again: every reading is stored
//! once, all are back within twice the time that they take with mosquitto, and no second sees more attempts to connect than
//! the back-off allows. The same agents with mosquitto in the same run. Exit code 0 only if every bar is held.
//!
//! `--quick`: half a minute with few agents, no bars.

#![expect(clippy::print_stdout, reason = "a benchmark's figures are its output")]

use anyhow::{Context, Result, bail};
use std::process::ExitCode;
use std::time::Duration;
use tests_bench::agents::{Plan, run};
use tests_bench::limit;

/// The whole run.
const ENDS_WITHIN: Duration = Duration::from_secs(600);
/// 10,000 connections in this process and in the broker, with room.
const FILES: u64 = 12_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let quick = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--quick") => true,
        Some(other) => bail!("unknown argument {other}; known is --quick"),
    };
    limit::raise(FILES)?;
    let plan = if quick { Plan::quick() } else { Plan::full() };
    let bars = tokio::time::timeout(ENDS_WITHIN, run(plan))
        .await
        .with_context(|| format!("not done within {} s", ENDS_WITHIN.as_secs()))??;
    let held = bars.print();
    if quick {
        println!("quick: the bars are those of few agents, and none is asked for");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
