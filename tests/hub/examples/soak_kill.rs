//! 100 rounds of kill -9 of hub and database, every process, at random moments under 200 publishers (MQTT 3.1.1 and
//! 5.0, QoS 1 and 2) that reconnect and resend. Exit code 0 only if nothing acknowledged is lost and nothing is stored
//! twice. An argument is the seed of the moments.

#![expect(clippy::print_stdout, reason = "the counts are its output")]

use anyhow::{Context, Result};
use std::process::ExitCode;
use tests_hub::soak::{Plan, run};

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let seed = match std::env::args().nth(1) {
        Some(text) => text.parse().context("the seed is a number")?,
        None => 1,
    };
    let plan = Plan {
        seed,
        rounds: 100,
        publishers: 200,
    };
    println!("seed {seed}");
    let outcome = run(plan, |line| println!("{line}")).await?;
    println!(
        "{} rounds, {} processes killed, {} connections; {} acknowledged, {} sent again; stored {}: {} lost, {} twice",
        plan.rounds,
        outcome.killed,
        outcome.connections,
        outcome.acknowledged,
        outcome.resent,
        outcome.stored.rows,
        outcome.lost(),
        outcome.doubled()
    );
    Ok(if outcome.lost() == 0 && outcome.doubled() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
