//! Load that lasts: whether the last minute is as cheap as the first, and a full week as an empty one.

pub mod fleet;
pub mod flood;
pub mod histogram;
pub mod loaded;
pub mod minute;
pub mod restarts;
pub mod ring;
pub mod scored;
pub mod site;
pub mod trunk;
pub mod week;

use crate::bar::Bars;
use anyhow::{Context, Result, bail};
use flood::Flood;
use loaded::{Load, Wanted};
use ring::Rings;
use std::time::Duration;
use tests_hub::soak::restart;
use tokio::time::Instant;

/// A part that is run by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Few readings of many devices, into an empty database and into a full week.
    Trickle,
    /// A steady pace into a full week.
    Paced,
    /// As much as goes.
    Flood,
    /// From reading to INVITE.
    Ring,
    /// Kills of hub and database beneath a steady load.
    Restart,
}

/// What runs unless it is said: about half an hour.
const UNLESS_SAID: [Part; 3] = [Part::Trickle, Part::Paced, Part::Flood];
/// With every part.
const ENDS_WITHIN: Duration = Duration::from_secs(5_400);

impl Part {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Trickle, Self::Paced, Self::Flood, Self::Ring, Self::Restart];

    fn name(self) -> &'static str {
        match self {
            Self::Trickle => "trickle",
            Self::Paced => "paced",
            Self::Flood => "flood",
            Self::Ring => "ring",
            Self::Restart => "restart",
        }
    }
}

/// How much is done in each part.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Devices of trickle and steady pace.
    pub devices: usize,
    /// Rows of the full week.
    pub rows: u64,
    /// Autovacuum is given so long to see them.
    pub vacuum_within: Duration,
    /// The trickle.
    pub trickle: Load,
    /// The steady pace.
    pub paced: Load,
    /// As much as goes.
    pub flood: Flood,
    /// What is rung.
    pub rings: Rings,
    /// Kills.
    pub restarts: restart::Plan,
}

impl Plan {
    /// What the bars hold for.
    pub fn full() -> Self {
        let minute = Duration::from_secs(60);
        Self {
            // At 200 readings a second each has one a minute.
            devices: 12_000,
            rows: 10_000_000,
            vacuum_within: Duration::from_secs(150),
            trickle: Load {
                rate: 200.0,
                warm: Duration::from_secs(15),
                minute,
                minutes: 1,
            },
            paced: Load {
                rate: 2_000.0,
                warm: Duration::ZERO,
                minute,
                minutes: 6,
            },
            flood: Flood {
                devices: 250,
                minute,
                json: 8,
                cbor: 1,
            },
            rings: Rings {
                count: 200,
                every: Duration::from_millis(400),
                others: 2_000,
                rates: [200.0, 2_000.0],
            },
            restarts: restart::Plan {
                devices: 100,
                worn: 20,
                each: 6_000,
                pace: Duration::from_millis(200),
                kill_every: Duration::from_secs(180),
            },
        }
    }

    /// Some seconds: does it work at all?
    pub fn quick() -> Self {
        let minute = Duration::from_millis(600);
        Self {
            devices: 40,
            rows: 20_000,
            vacuum_within: Duration::ZERO,
            trickle: Load {
                rate: 100.0,
                warm: Duration::from_millis(200),
                minute,
                minutes: 1,
            },
            paced: Load {
                rate: 200.0,
                warm: Duration::ZERO,
                minute: minute / 2,
                minutes: 6,
            },
            // So many that none sends more than a device may (1,000 a second and 10,000 at once), however fast the machine is.
            flood: Flood {
                devices: 40,
                minute: minute / 2,
                json: 8,
                cbor: 2,
            },
            rings: Rings {
                count: 3,
                every: Duration::from_millis(200),
                others: 20,
                rates: [50.0, 100.0],
            },
            restarts: restart::Plan {
                devices: 8,
                worn: 2,
                each: 1_000,
                pace: Duration::from_millis(8),
                kill_every: Duration::from_millis(1_500),
            },
        }
    }
}

/// Measures these parts and prints each figure as it comes. What every run holds to, however short it is, is an error:
/// each acknowledged reading is stored, once.
///
/// # Errors
/// Something does not work, or a reading is lost or doubled.
pub async fn run(plan: &Plan, parts: &[Part]) -> Result<Bars> {
    let mut bars = Bars::default();
    let wanted = Wanted {
        trickle: parts.contains(&Part::Trickle),
        paced: parts.contains(&Part::Paced),
    };
    if wanted.trickle || wanted.paced {
        let begun = Instant::now();
        loaded::measure(plan, wanted, &mut bars)
            .await
            .context("trickle and steady pace")?;
        ended("trickle and steady pace", begun);
    }
    for part in parts {
        let begun = Instant::now();
        let measured = match part {
            // They share the full week.
            Part::Trickle | Part::Paced => continue,
            Part::Flood => flood::measure(plan, &mut bars).await,
            Part::Ring => ring::measure(plan, &mut bars).await,
            Part::Restart => restarts::measure(plan, &mut bars).await,
        };
        measured.with_context(|| part.name())?;
        ended(part.name(), begun);
    }
    Ok(bars)
}

fn ended(what: &str, begun: Instant) {
    println!("{what}: {:.0} s in all", begun.elapsed().as_secs_f64());
}

/// Runs with the arguments of a program: names of parts, and `--quick`. Whether every bar was held.
///
/// # Errors
/// Something does not work, or a reading is lost or doubled.
pub async fn main(arguments: impl Iterator<Item = String>) -> Result<bool> {
    let (mut plan, mut quick, mut parts) = (Plan::full(), false, Vec::new());
    for argument in arguments {
        if argument == "--quick" {
            (plan, quick) = (Plan::quick(), true);
            continue;
        }
        match Part::ALL.into_iter().find(|part| part.name() == argument) {
            Some(part) => parts.push(part),
            None => bail!(
                "unknown argument {argument}; known are --quick and {}",
                Part::ALL.map(Part::name).join(", ")
            ),
        }
    }
    if parts.is_empty() {
        parts = UNLESS_SAID.to_vec();
    }
    let bars = tokio::time::timeout(ENDS_WITHIN, run(&plan, &parts))
        .await
        .with_context(|| format!("not done within {} s", ENDS_WITHIN.as_secs()))??;
    if quick {
        println!("quick: every acknowledged reading is stored once, nothing is said about speed");
        return Ok(true);
    }
    let held = bars.print();
    if let Some(line) = not_run(&parts) {
        println!("{line}");
    }
    Ok(held)
}

/// So that nobody takes for held what was not measured; `None` if everything was.
fn not_run(parts: &[Part]) -> Option<String> {
    let left = Part::ALL.into_iter().filter(|part| !parts.contains(part));
    let left: Vec<&str> = left.map(Part::name).collect();
    (!left.is_empty()).then(|| format!("not run, so nothing is said about them: {}", left.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::{Part, UNLESS_SAID, not_run};

    #[test]
    fn parts_that_were_not_run_are_named() {
        let told = not_run(&UNLESS_SAID).unwrap();
        assert!(told.ends_with(": ring, restart"), "{told}");
        assert_eq!(not_run(&Part::ALL), None);
    }
}
