//! A trickle and a steady pace: into an empty database, and into a week that already holds millions of rows. Beside each the
//! bare COPY of the same rows at the same pace.

use super::fleet::{Fleet, Form};
use super::minute::Minute;
use super::scored::Scored;
use super::site::Site;
use super::{Plan, week};
use crate::bar::Bars;
use anyhow::{Context, Result, ensure};
use hub_core::clock::{CivilClock, SystemClock};
use jiff::Timestamp;
use std::time::Duration;
use tests_hub::bare::{Bare, Paced};

/// Processors that a trickle may keep busy, or three times the COPY's.
const TRICKLE_CORES: f64 = 0.15;
/// What the hub may take of the COPY's: processor, and log at a trickle and at a steady pace.
const CORES_OF_COPY: f64 = 3.0;
const TRICKLE_WAL_OF_COPY: f64 = 4.0;
const PACED_WAL_OF_COPY: f64 = 3.0;
/// In a full week against an empty one.
const FULL_CPU: f64 = 1.3;
const FULL_P50: f64 = 1.3;
const FULL_P99: f64 = 1.5;
/// The last two minutes against the second and the third.
const LAST_CPU: f64 = 1.15;
const LAST_P50: f64 = 1.25;
const LAST_P99: f64 = 1.5;
const PACED_DATABASE_CORES: f64 = 0.5;
/// Of a hundred readings 99 are scored, and the scores saved, within so many milliseconds: one of the hub's own bounds.
const SCORED_MS: f64 = 100.0;
const OF_A_HUNDRED: f64 = 0.99;
/// Of the reading that begins the week; each start of the devices after it has one more.
const BOOT: u64 = 21;

/// One load, and how long it lasts.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Readings a second.
    pub rate: f64,
    /// Not measured.
    pub warm: Duration,
    /// One measured minute; another length only where nothing is said about speed.
    pub minute: Duration,
    /// Number of minutes.
    pub minutes: u32,
}

/// What was measured of one load.
struct Leg {
    form: Form,
    from: Timestamp,
    to: Timestamp,
    minutes: Vec<Minute>,
    scored: Scored,
    copy: Option<Paced>,
}

impl Leg {
    fn sum(&self) -> Minute {
        Minute::sum(&self.minutes)
    }

    fn copy(&self) -> Result<Paced> {
        self.copy.context("the COPY has not run")
    }
}

/// Which of the parts are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// The trickle, empty and full.
    pub trickle: bool,
    /// The steady pace.
    pub paced: bool,
}

/// Measures what is wanted.
///
/// # Errors
/// Something does not work, or an acknowledged reading is not stored.
pub async fn measure(plan: &Plan, wanted: Wanted, bars: &mut Bars) -> Result<()> {
    let trickle = [(Form::Json, plan.trickle), (Form::Cbor, plan.trickle)];
    let mut empty = Vec::new();
    if wanted.trickle {
        let mut site = Site::new(plan.devices, None).await?;
        empty = legs(&mut site, plan.devices, &trickle, "an empty database", 0).await?;
        beside(&site, &mut empty, None).await?;
    }
    let mut site = Site::new(plan.devices, None).await?;
    begin_week(&mut site).await?;
    let before = week::fill(&site, plan.rows, plan.vacuum_within).await?;
    let mut loads = Vec::new();
    if wanted.trickle {
        loads.extend(trickle);
    }
    if wanted.paced {
        loads.push((Form::Json, plan.paced));
    }
    let mut full = legs(&mut site, plan.devices, &loads, "the full week", before).await?;
    let first = full.first().context("nothing is wanted")?.from;
    beside(&site, &mut full, Some(first)).await?;
    let paced = full.split_off(empty.len());
    for (empty, full) in empty.iter().zip(&full) {
        trickle_bars(empty, full, bars)?;
    }
    for leg in &paced {
        paced_bars(leg, bars)?;
    }
    Ok(())
}

/// The hub makes the week's partition with the first reading.
async fn begin_week(site: &mut Site) -> Result<()> {
    site.serve().await?;
    let mut fleet = Fleet::connect(site.lab.mqtt, 0..1, BOOT).await?;
    fleet.pace(Form::Json, 1.0, Duration::from_secs(1)).await?;
    fleet.settle().await?;
    site.stop().await
}

/// Starts the hub, puts these loads on it in turn, stops it and counts its rows, of which there were `before` already.
async fn legs(site: &mut Site, devices: usize, loads: &[(Form, Load)], into: &str, before: u64) -> Result<Vec<Leg>> {
    site.serve().await?;
    let mut fleet = Fleet::connect(site.lab.mqtt, 0..devices, BOOT + 1).await?;
    let mut legs = Vec::new();
    for (form, load) in loads {
        println!("{:.0} readings a second as {} into {into}", load.rate, form.name());
        legs.push(leg(site, &mut fleet, *form, *load).await?);
    }
    let acknowledged = fleet.totals.acknowledged();
    drop(fleet);
    site.stop().await?;
    let rows = site.rows().await?;
    ensure!(
        rows == before + acknowledged,
        "{acknowledged} acknowledged beside {before} rows, {rows} rows stored"
    );
    Ok(legs)
}

async fn leg(site: &Site, fleet: &mut Fleet, form: Form, load: Load) -> Result<Leg> {
    let mut probe = site.probe().await?;
    let totals = fleet.totals.clone();
    fleet.pace(form, load.rate, load.warm).await?;
    fleet.settle().await?;
    probe.checkpoint().await?;
    totals.take_late();
    let before = probe.scored_so_far().await;
    let from = SystemClock.now();
    let (minutes, ()) = tokio::try_join!(
        probe.minutes(&totals, load.minute, load.minutes),
        fleet.pace(form, load.rate, load.minute * load.minutes)
    )?;
    let scored = probe.scored_so_far().await.since(&before);
    fleet.settle().await?;
    println!(
        "  scored and saved after their receipt: {:.2} % within {SCORED_MS} ms, 99 % within {} ms",
        scored.share_within(SCORED_MS) * 100.0,
        scored.bound_ms(OF_A_HUNDRED)
    );
    println!(
        "  the sender was late by {:.0} ms at most",
        totals.take_late().as_secs_f64() * 1e3
    );
    Ok(Leg {
        form,
        from,
        to: SystemClock.now(),
        minutes,
        scored,
        copy: None,
    })
}

/// The rows of each leg once more, by a bare COPY into the cluster of the stopped hub.
async fn beside(site: &Site, legs: &mut [Leg], filled_before: Option<Timestamp>) -> Result<()> {
    let mut bare = Bare::open_paced(&site.lab.state(), filled_before).await?;
    for leg in legs {
        let copy = bare.stretch(leg.from, leg.to).await?;
        println!(
            "  bare COPY of its {} rows of {}, {} commits in {:.0} s: {:.3} cores (CPU s: {}), wal {:.0} B a row",
            copy.rows,
            leg.form.name(),
            copy.commits,
            copy.took.as_secs_f64(),
            copy.cores(),
            copy.cpu,
            copy.wal_a_row()
        );
        leg.copy = Some(copy);
    }
    bare.close().await
}

fn trickle_bars(empty: &Leg, full: &Leg, bars: &mut Bars) -> Result<()> {
    let form = empty.form.name();
    for (name, leg) in [("empty", empty), ("full", full)] {
        let (sum, copy) = (leg.sum(), leg.copy()?);
        // Told with as many digits as the figure itself.
        let cores = (copy.cores() * CORES_OF_COPY * 1e3).round() / 1e3;
        bars.at_most(
            &format!("trickle_{form}_{name}_cores"),
            sum.cores(),
            cores.max(TRICKLE_CORES),
        );
        bars.at_most(
            &format!("trickle_{form}_{name}_wal_of_copy"),
            sum.wal_a_reading() / copy.wal_a_row(),
            TRICKLE_WAL_OF_COPY,
        );
        bars.at_most(
            &format!("trickle_{form}_{name}_scored_within_ms"),
            leg.scored.bound_ms(OF_A_HUNDRED),
            SCORED_MS,
        );
    }
    let (empty, full) = (empty.sum(), full.sum());
    let mut against = |what: &str, ratio: f64, bound: f64| {
        bars.at_most(&format!("trickle_{form}_{what}_full_to_empty"), ratio, bound);
    };
    against("cpu", full.cpu_us() / empty.cpu_us(), FULL_CPU);
    against("p50", full.p50_ms() / empty.p50_ms(), FULL_P50);
    against("p99", full.p99_ms() / empty.p99_ms(), FULL_P99);
    Ok(())
}

fn paced_bars(leg: &Leg, bars: &mut Bars) -> Result<()> {
    let minutes = &leg.minutes;
    let early = minutes.get(1..3).context("fewer than three minutes")?;
    let late = &minutes[minutes.len() - 2..];
    let (early, late) = (Minute::sum(early), Minute::sum(late));
    bars.at_most("paced_cpu_last_to_early", late.cpu_us() / early.cpu_us(), LAST_CPU);
    bars.at_most("paced_p50_last_to_early", late.p50_ms() / early.p50_ms(), LAST_P50);
    bars.at_most("paced_p99_last_to_early", late.p99_ms() / early.p99_ms(), LAST_P99);
    let sum = leg.sum();
    bars.at_most(
        "paced_database_cores",
        sum.cpu.database / sum.took.as_secs_f64(),
        PACED_DATABASE_CORES,
    );
    bars.at_most("paced_scored_within_ms", leg.scored.bound_ms(OF_A_HUNDRED), SCORED_MS);
    bars.at_most(
        "paced_wal_of_copy",
        sum.wal_a_reading() / leg.copy()?.wal_a_row(),
        PACED_WAL_OF_COPY,
    );
    Ok(())
}
