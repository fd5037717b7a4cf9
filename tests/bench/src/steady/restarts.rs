//! Twenty minutes of a steady load in which hub and database are killed every three: see [`tests_hub::soak::restart`].

use super::Plan;
use crate::bar::Bars;
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use tests_hub::soak::restart::run;

/// From a kill until the hub is ready and acknowledges again, in seconds.
const READY_S: f64 = 15.0;
/// From a kill until what was stored is scored, in seconds.
const SCORED_S: f64 = 30.0;
/// Memory and disk in the end against what they were at first. Memory is that of a new process after each kill, so it is
/// compared at the same age: just before the next one.
const GROWTH: f64 = 1.25;

/// Measures it.
///
/// # Errors
/// Something does not work.
pub async fn measure(plan: &Plan, bars: &mut Bars) -> Result<()> {
    let restarts = plan.restarts;
    println!(
        "{} rigs with a reading every {:?}, hub and database killed every {:?}",
        restarts.devices, restarts.pace, restarts.kill_every
    );
    println!(
        "  each kill begins a new process, so memory is compared at the same age: {:?} after the hub was back, just before the next kill",
        restarts.kill_every
    );
    let outcome = run(restarts, |line| println!("  {line}")).await?;
    println!(
        "  {} acknowledged, stored {}: {} lost, {} twice; {} findings",
        outcome.acknowledged,
        outcome.stored.rows,
        outcome.lost(),
        outcome.doubled(),
        outcome.findings
    );
    ensure!(!outcome.ready.is_empty(), "nothing was killed");
    ensure!(
        (outcome.lost(), outcome.doubled()) == (0, 0),
        "acknowledged readings were lost or doubled"
    );
    let longest = |of: &[Duration]| of.iter().map(Duration::as_secs_f64).fold(0.0, f64::max);
    bars.at_most("restart_ready_s", longest(&outcome.ready), READY_S);
    bars.at_most("restart_scored_s", longest(&outcome.scored), SCORED_S);
    bars.at_most("restart_memory_growth", growth(&outcome.memory)?, GROWTH);
    bars.at_most("restart_disk_growth_beside_readings", growth(&outcome.disk)?, GROWTH);
    bars.at_least("restart_findings", outcome.findings as f64, restarts.worn as f64);
    bars.at_most("restart_other_findings", outcome.other_findings as f64, 0.0);
    bars.at_most("restart_other_windows", outcome.other_windows as f64, 0.0);
    Ok(())
}

/// The greatest of the second half against the first of all.
fn growth(of: &[f64]) -> Result<f64> {
    let (first, rest) = of.split_first().context("nothing was measured")?;
    let late = &rest[rest.len() / 2..];
    Ok(late.iter().copied().fold(f64::NAN, f64::max) / first)
}
