//! The hub, which commits before it acknowledges, against brokers that do not: Debian's mosquitto without and with its
//! persistence, and rumqttd with its own listener. The same client with the same bytes in the same run, in turn.
//!
//! A payload has 200 bytes: one reading of 28 channels, which the hub really decodes, checks and stores. With the hub a
//! message counts when its acknowledgement has come, which is after the commit (fsync on); with the others when one
//! subscriber at QoS 1 has it. The client shares the processors with all of them. Only ratios mean something beyond
//! this machine. Exit code 0 only if every bar is held.
//!
//! `--quick`: some seconds, counts are checked, no bars. `--only N`: the loads with N connections alone.

#![expect(clippy::print_stdout, reason = "a benchmark's figures are its output")]

use anyhow::{Context, Result, bail, ensure};
use std::process::ExitCode;
use std::time::Duration;
use tests_bench::compare::{Audit, Plan, run};
use tests_bench::limit;

/// The whole run.
const ENDS_WITHIN: Duration = Duration::from_secs(360);
/// 2,000 connections in this process and in the broker, with room.
const FILES: u64 = 8_192;

// One thread: it is a part of the load on two processors, and this is its cheapest form.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let (mut plan, mut quick) = (Plan::full(), false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => (plan, quick) = (Plan::quick(), true),
            "--only" => {
                let connections: usize = arguments.next().context("--only N")?.parse()?;
                plan.scenarios.retain(|s| s.connections == connections);
            }
            other => bail!("unknown argument {other}; known are --quick and --only N"),
        }
    }
    limit::raise(FILES)?;
    let report = tokio::time::timeout(ENDS_WITHIN, run(plan))
        .await
        .with_context(|| format!("not done within {} s", ENDS_WITHIN.as_secs()))??;
    report.print();
    let Audit {
        acknowledged,
        lost,
        doubled,
    } = report.audit;
    if quick {
        ensure!(
            acknowledged > 0 && lost == 0 && doubled == 0,
            "the hub lost or doubled readings"
        );
        println!("quick: counts are right, nothing is said about speed");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(if report.bars().print() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
