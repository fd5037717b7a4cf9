//! How fast readings are stored, by how many devices send them: through the hub's ingest transaction, and by `\copy` of
//! the same values into a narrow table with the usual index, in turn.

use super::base::{Base, CHANNELS, Server};
use super::fleet::Fleet;
use super::{Plan, Report, psql};
use crate::bar::median;
use anyhow::{Result, ensure};
use hub_store::telemetry::{Ingest, TelemetryStore};
use std::path::Path;
use std::time::{Duration, Instant};

/// Messages of one batch: as many as the front door gathers in front of a busy store.
const BATCH: u64 = 4_000;

/// Rows of one step of the roll-up, which counts, and notes numbers; in the hub it runs beside.
const ROLLED_UP: usize = 20_000;

/// What everything is compared with: a line a value, found by device, metric and time.
const NARROW: &str = "create table narrow (device bigint not null, metric smallint not null, at timestamptz not null, \
     value double precision not null)";
const NARROW_INDEX: &str = "create index on narrow (device, metric, at desc)";

/// Makes the narrow table.
pub(super) async fn make_narrow(base: &Base) -> Result<()> {
    let mut sql = base.sql().await?;
    for statement in [NARROW, NARROW_INDEX] {
        sqlx::query(statement).execute(&mut sql).await?;
    }
    Ok(())
}

/// Values a second of `\copy` of these messages of the fleet.
pub(super) async fn copy(base: &Base, fleet: &Fleet, folder: &Path, messages: std::ops::Range<u64>) -> Result<f64> {
    let file = folder.join("narrow.txt");
    let values = (messages.end - messages.start) as usize * usize::from(CHANNELS);
    std::fs::write(&file, fleet.lines(messages))?;
    let rate = psql::copy(&base.options, "narrow", &file, values).await;
    std::fs::remove_file(&file)?;
    rate
}

/// Values a second through the ingest transaction, and how many were acknowledged.
pub(super) async fn ingest(base: &Base, fleet: &Fleet, messages: std::ops::Range<u64>) -> Result<(f64, i64)> {
    let (mut spent, mut stored) = (Duration::ZERO, 0);
    let values = (messages.end - messages.start) * u64::from(CHANNELS);
    let mut next = messages.start;
    while next < messages.end {
        let end = messages.end.min(next + BATCH);
        let batch: Vec<Ingest> = (next..end).map(|number| fleet.message(number)).collect();
        let begun = Instant::now();
        let answers = base.store.ingest(&batch).await?;
        spent += begun.elapsed();
        stored += answers.iter().map(|answer| i64::from(answer.stored)).sum::<i64>();
        next = end;
    }
    let stored = stored * i64::from(CHANNELS);
    ensure!(
        stored == values as i64,
        "{values} new values were sent, {stored} were taken as new"
    );
    Ok((values as f64 / spent.as_secs_f64(), stored))
}

/// Measures every fleet of the plan.
pub(super) async fn measure(server: &Server, plan: &Plan, report: &mut Report) -> Result<()> {
    println!("values a second: `\\copy` of the same values into a narrow indexed table = 1.0");
    let messages = plan.round as u64 / u64::from(CHANNELS);
    for (devices, rounds) in &plan.fleets {
        // Each in a database of its own: what was stored before does not count.
        let base = server.base(&format!("load_{devices}"), *devices).await?;
        make_narrow(&base).await?;
        let fleet = base.fleet.first(*devices);
        let (mut ours, mut peers, mut rolled) = (Vec::new(), Vec::new(), Duration::ZERO);
        for round in 0..*rounds as u64 {
            let part = round * messages..(round + 1) * messages;
            peers.push(copy(&base, &fleet, server.folder(), part.clone()).await?);
            let (rate, stored) = ingest(&base, &fleet, part).await?;
            ours.push(rate);
            report.acknowledged += stored;
            let begun = Instant::now();
            while base.store.roll_up(ROLLED_UP).await? > 0 {}
            rolled += begun.elapsed();
        }
        let ratio = median(ours.iter().zip(&peers).map(|(ours, peer)| ours / peer).collect());
        println!(
            "{devices:7} devices: hub {:9.0}/s, \\copy {:9.0}/s, ratio {ratio:5.2} (rounds {}); rolled up afterwards {:9.0}/s",
            median(ours.clone()),
            median(peers.clone()),
            ours.iter()
                .zip(&peers)
                .map(|(ours, peer)| format!("{:.2}", ours / peer))
                .collect::<Vec<_>>()
                .join(", "),
            (*rounds * plan.round) as f64 / rolled.as_secs_f64()
        );
        match devices {
            200 => report.bars.at_least("load_200_devices", ratio, 5.0),
            100_000 => report.bars.at_least("load_100000_devices", ratio, 2.0),
            _ => {}
        }
        report.stored += stored(&base).await?;
        server.drop(base).await?;
    }
    Ok(())
}

/// Values by the database's count.
pub(super) async fn stored(base: &Base) -> Result<i64> {
    let columns: Vec<String> = (1..=CHANNELS).map(|id| format!("c{id}")).collect();
    let columns = columns.join(", ");
    base.number(&format!(
        "select coalesce(sum(num_nonnulls({columns})), 0)::bigint from telemetry"
    ))
    .await
}
