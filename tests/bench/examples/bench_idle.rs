//! What an idle device costs the hub's memory, plain and over TLS, and how soon all devices are back after a restart;
//! mosquitto and rumqttd with its own listener beside it. And how many devices a second come, say one thing and go, with sessions
//! that are forgotten then and, printed only, with sessions that are kept. Exit code 0 only if every bar is held.
//!
//! `--quick`: some seconds with few connections, no bars.

#![expect(clippy::print_stdout, reason = "a benchmark's figures are its output")]

use anyhow::{Context, Result, bail};
use std::process::ExitCode;
use std::time::Duration;
use tests_bench::crowd::{Plan, run};
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
    if quick {
        println!("quick: every connection was taken, nothing is said about memory or speed");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(if bars.print() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
