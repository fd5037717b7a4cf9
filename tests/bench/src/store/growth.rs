//! A history that grows: how fast it is added to, how long queries take, and what space it takes.

use super::base::{Base, CHANNELS, Server};
use super::query::{self, Latency};
use super::{Plan, Report, load, size};
use crate::bar::median;
use anyhow::{Context, Result};
use hub_store::retention::UpkeepStore;
use hub_store::telemetry::TelemetryStore;
use sqlx::Executor;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// Values of one measured part.
const PART: usize = 500_000;
/// Parts that are compared, of a new history and of the grown one.
const PARTS: usize = 12;
/// The same while followers run beside: each as long as so many of the others, so that these get their rounds. An even count,
/// so that either history is the first one as often.
const TURNS: usize = 4;
const PARTS_OF_A_TURN: usize = 8;
/// Rows of one step of the roll-up and of the aggregates.
const STEP: usize = 50_000;
/// The same of the hub's worker for aggregates.
const AGGREGATE_STEP: usize = 20_000;
/// Between two rounds beside ingest: of the roll-up as it is unless it is set (`rollup_pause_ms`), of the aggregates the least
/// that can be set (`aggregate_pause_s`).
const PAUSE: Duration = Duration::from_secs(1);
/// A step waits so long for ingest to be calm, as in the hub.
const PATIENCE: Duration = Duration::from_secs(1);

/// When the hub's workers count and aggregate what was stored.
#[derive(Clone, Copy)]
enum Followers {
    /// When all of a part is stored: what they take is not in its rate.
    After,
    /// Meanwhile, at their pauses.
    Beside,
}

/// Lets it grow to each stage of the plan.
pub(super) async fn measure(server: &Server, plan: &Plan, report: &mut Report) -> Result<()> {
    let base = server.base("growth", plan.devices).await?;
    let fleet = base.fleet.clone();
    let part = PART.min(plan.round);
    let (mut values, mut rates, mut stages) = (0, Vec::new(), Vec::new());
    println!("a history that grows, of {} devices; times in ms", plan.devices);
    for stage in &plan.stages {
        while values < *stage {
            rates.push(grow(&base, values, part, Followers::After, report).await?);
            values += part;
        }
        let mut sql = base.sql().await?;
        sql.execute("vacuum analyze telemetry, fleet_hour, device_day").await?;
        let newest = fleet.minute(values as u64 / u64::from(CHANNELS));
        let latencies = query::measure(&base, newest, plan.times).await?;
        tell(values, &rates, &latencies);
        if *stage == plan.beside {
            for latency in &latencies {
                let name = format!("{}_against_psql", latency.name);
                report.bars.at_most(&name, latency.ours / latency.psql, 1.5);
            }
            sizes(server, &base, values, report).await?;
        }
        stages.push(latencies);
    }
    let (first, last) = (stages.first().context("no stage")?, stages.last().context("no stage")?);
    for (before, after) in first.iter().zip(last) {
        let name = format!("{}_growth", before.name);
        report.bars.at_most(&name, after.ours / before.ours, 2.0);
    }
    values += kept(server, plan, (&base, values), Followers::After, report).await?;
    let is_off = server.autovacuum(false).await?;
    println!(
        "the same with roll-up and aggregates beside ingest, a round a second at most; autovacuum is {}",
        if is_off { "off" } else { "as the server has it" }
    );
    kept(server, plan, (&base, values), Followers::Beside, report).await?;
    server.autovacuum(true).await?;
    report.stored += load::stored(&base).await?;
    server.drop(base).await
}

/// Values a second of one part behind so many values; the hub's workers have done their part too in the end.
async fn grow(base: &Base, values: usize, part: usize, followers: Followers, report: &mut Report) -> Result<f64> {
    let messages = |values: usize| values as u64 / u64::from(CHANNELS);
    let ingest = load::ingest(base, &base.fleet, messages(values)..messages(values + part));
    let (rate, stored) = match followers {
        Followers::After => ingest.await?,
        Followers::Beside => {
            let ((rate, stored), rolled_up, aggregated) = beside(base, ingest).await?;
            let rows = messages(part);
            println!(
                "  {rate:.0}/s behind {values} values; of {rows} new rows {rolled_up} were rolled up meanwhile, {aggregated} aggregated"
            );
            (rate, stored)
        }
    };
    report.acknowledged += stored;
    catch_up(base).await?;
    Ok(rate)
}

/// How much of the rate of a new history the grown one has kept: parts go into both in turn, so that what else the machine
/// does affects both. By how many values the grown one has grown.
async fn kept(
    server: &Server,
    plan: &Plan,
    (grown, values): (&Base, usize),
    followers: Followers,
    report: &mut Report,
) -> Result<usize> {
    let (name, bar, turns, parts) = match followers {
        Followers::After => ("new", "ingest_rate_kept", PARTS, 1),
        Followers::Beside => (
            "new_beside",
            "ingest_rate_kept_beside_followers",
            TURNS,
            PARTS_OF_A_TURN,
        ),
    };
    let new = server.base(name, plan.devices).await?;
    let (part, first) = (PART.min(plan.round), plan.stages.first().context("no stage")?);
    let mut begun = 0;
    while begun < *first {
        grow(&new, begun, part, Followers::After, report).await?;
        begun += part;
    }
    let turn = part * parts;
    let (mut few, mut many) = (Vec::new(), Vec::new());
    for n in 0..turns {
        let few_first = n % 2 == 0;
        if few_first {
            few.push(grow(&new, begun + n * turn, turn, followers, report).await?);
        }
        many.push(grow(grown, values + n * turn, turn, followers, report).await?);
        if !few_first {
            few.push(grow(&new, begun + n * turn, turn, followers, report).await?);
        }
    }
    let (few, many) = (median(few), median(many));
    println!("ingest in turn: {few:.0}/s behind {begun} values, {many:.0}/s behind {values}");
    report.bars.at_least(bar, many / few, 0.8);
    report.stored += load::stored(&new).await?;
    server.drop(new).await?;
    Ok(turns * turn)
}

/// Does this with the hub's workers beside it; how many rows they rolled up and aggregated meanwhile. A step that is under way
/// in the end is finished.
async fn beside<T>(base: &Base, work: impl Future<Output = Result<T>>) -> Result<(T, usize, usize)> {
    let (end, ended) = watch::channel(false);
    let work = async {
        let done = work.await;
        end.send_replace(true);
        done
    };
    tokio::try_join!(work, roll_up_beside(base, ended.clone()), aggregate_beside(base, ended))
}

async fn roll_up_beside(base: &Base, mut ended: watch::Receiver<bool>) -> Result<usize> {
    let mut rows = 0;
    loop {
        base.store.ingest_calm(PATIENCE).await;
        loop {
            let step = base.store.roll_up(STEP).await?;
            rows += step;
            if step == 0 || *ended.borrow() {
                break;
            }
        }
        if rests(&mut ended).await {
            return Ok(rows);
        }
    }
}

async fn aggregate_beside(base: &Base, mut ended: watch::Receiver<bool>) -> Result<usize> {
    let mut rows = 0;
    loop {
        loop {
            base.store.ingest_calm(PATIENCE).await;
            let step = base
                .store
                .aggregate(None, AGGREGATE_STEP, jiff::Timestamp::UNIX_EPOCH)
                .await?;
            rows += step;
            if step == 0 || *ended.borrow() {
                break;
            }
        }
        if rests(&mut ended).await {
            return Ok(rows);
        }
    }
}

/// The pause between two rounds; whether the end came first.
async fn rests(ended: &mut watch::Receiver<bool>) -> bool {
    timeout(PAUSE, ended.wait_for(|ended| *ended)).await.is_ok()
}

fn tell(values: usize, rates: &[f64], latencies: &[Latency]) {
    let newest: Vec<f64> = rates.iter().rev().take(PARTS).copied().collect();
    print!("{values:9} values: ingest {:8.0}/s", median(newest));
    for latency in latencies {
        print!(", {} {:.2} (psql {:.2})", latency.name, latency.ours, latency.psql);
    }
    println!();
}

/// What the hub's workers do: counts and aggregates.
async fn catch_up(base: &Base) -> Result<()> {
    while base.store.roll_up(STEP).await? > 0 {}
    let now = jiff::Timestamp::UNIX_EPOCH;
    while base.store.aggregate(None, STEP, now).await? > 0 {}
    if base.is_timescale {
        let mut sql = base.sql().await?;
        for view in ["fleet_hourly_wide", "device_daily_wide"] {
            let call = format!("call refresh_continuous_aggregate('{view}', null, null)");
            sql.execute(call.as_str()).await?;
        }
    }
    Ok(())
}

/// Bytes of so many values, of a history that is made for it.
pub(super) async fn bytes(server: &Server, devices: usize, values: usize, report: &mut Report) -> Result<()> {
    let base = server.base("bytes", devices).await?;
    let messages = values as u64 / u64::from(CHANNELS);
    let (_, stored) = load::ingest(&base, &base.fleet, 0..messages).await?;
    report.acknowledged += stored;
    sizes(server, &base, values, report).await?;
    report.stored += load::stored(&base).await?;
    server.drop(base).await
}

/// Bytes of a value, here and in a narrow table with the same values.
async fn sizes(server: &Server, base: &Base, values: usize, report: &mut Report) -> Result<()> {
    load::make_narrow(base).await?;
    let part = PART.min(values);
    for begin in (0..values).step_by(part) {
        let messages = |values: usize| values as u64 / u64::from(CHANNELS);
        let end = messages(values.min(begin + part));
        load::copy(base, &base.fleet, server.folder(), messages(begin)..end).await?;
    }
    let each = |bytes: i64| bytes as f64 / values as f64;
    let (ours, narrow) = (
        each(size::bytes(base, "telemetry").await?),
        each(size::bytes(base, "narrow").await?),
    );
    println!(
        "bytes a value, indexes included: hub {ours:.1}, narrow {narrow:.1}, ratio {:.3}",
        ours / narrow
    );
    if base.is_timescale {
        let ours = each(size::compress(base, "telemetry").await?);
        size::make_compressible(base, "narrow", "device, metric").await?;
        let peer = each(size::compress(base, "narrow").await?);
        println!(
            "bytes a value, compressed: hub {ours:.2}, narrow {peer:.2}, hub / narrow compressed {:.3}, hub / narrow raw {:.3}",
            ours / peer,
            ours / narrow
        );
        report
            .bars
            .at_most("compressed_to_narrow_raw", ours / narrow, 1.0 / 3.0);
        report
            .bars
            .at_most("compressed_to_narrow_compressed", ours / peer, 1.0 / 3.0);
    }
    let mut sql = base.sql().await?;
    sql.execute("drop table narrow").await?;
    Ok(())
}
