//! The same under a steady load that lasts: hub and database are killed every few minutes beneath devices that a model
//! watches. Afterwards the hub must know what a hub knows that took the same readings undisturbed.

use super::{Feed, Fleet, LOOK, Pace, Stored, audit, kill_all};
use crate::console::Console;
use crate::hub::{Lab, RunningHub};
use crate::processes::resident_memory;
use crate::rig::{self, Reading, STEP_MS};
use crate::site::{TestSite, daytime_zone};
use crate::watch;
use anyhow::{Context, Result};
use hub_core::clock::{CivilClock, SystemClock};
use hub_store_postgres::{Cluster, ClusterOptions};
use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const BOOT: u64 = 11;
/// A valve stays nearly closed for so many readings, in the middle of what a rig says: long enough for an alarm, and short
/// enough to see it end.
const WORN: u64 = 100;
/// Points of a channel that are compared for each device.
const POINTS: usize = 300;
/// After the last kill everything must be acknowledged within this, and so must the undisturbed run.
const DRAIN_MAX: Duration = Duration::from_secs(600);
/// After a kill the hub is back within this, or never.
const BACK_MAX: Duration = Duration::from_secs(120);
/// One rig of so many speaks JSON, which has no numbers; the others speak CBOR. No divisor of four, so that each version and
/// quality of service has some.
const JSON_EVERY: usize = 5;

/// What is done.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Rigs that publish.
    pub devices: usize,
    /// Of these so many have a valve that closes.
    pub worn: usize,
    /// Readings of each; they are stamped a second apart.
    pub each: u64,
    /// Between two readings of one rig, a second at most.
    pub pace: Duration,
    /// Between two kills of everything.
    pub kill_every: Duration,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Readings that the hub acknowledged.
    pub acknowledged: u64,
    /// What the database holds.
    pub stored: Stored,
    /// From each kill until the next hub was ready, on `/readyz` too, and had acknowledged something to a publisher that
    /// waited for it; the database's recovery included.
    pub ready: Vec<Duration>,
    /// From each kill until all that was stored when the next hub was ready was scored.
    pub scored: Vec<Duration>,
    /// Memory of each hub just before it was killed, in bytes: each is a new process, and all are of the same age then. The
    /// last one, which is not killed, has another age.
    pub memory: Vec<f64>,
    /// The database without its readings and their indexes, at the same moments and in the end, in bytes.
    pub disk: Vec<f64>,
    /// Findings of the undisturbed hub.
    pub findings: usize,
    /// Findings that one hub has and the other has not, or not the same.
    pub other_findings: usize,
    /// Windows of readings that differ, of as many as there are devices.
    pub other_windows: usize,
}

impl Outcome {
    /// Acknowledged, but not in the database.
    pub fn lost(&self) -> u64 {
        self.acknowledged.saturating_sub(self.stored.distinct)
    }

    /// In the database more than once.
    pub fn doubled(&self) -> u64 {
        self.stored.rows - self.stored.distinct
    }
}

/// Runs it; `say` gets a line a kill.
///
/// # Errors
/// The hub does not start again, refuses what it has to take, logs an error, or does not acknowledge everything in the
/// end.
pub async fn run(plan: Plan, mut say: impl FnMut(String)) -> Result<Outcome> {
    let span_ms = i64::try_from(plan.each)? * STEP_MS;
    // Stamps go faster than the clock, so the last one is not in the future when it is sent.
    let from = Timestamp::from_millisecond(SystemClock.now().as_millisecond() - span_ms)?;
    let to = Timestamp::from_millisecond(from.as_millisecond() + span_ms)?;
    let mut outcome = Outcome::default();
    let disturbed = disturbed(plan, from, to, &mut outcome, &mut say).await?;
    say("the same readings into a hub that nobody disturbs".to_owned());
    let calm = calm(plan, from, to).await?;
    outcome.findings = calm.findings.len();
    outcome.other_findings = differences(&disturbed.findings, &calm.findings);
    outcome.other_windows = differences(&disturbed.windows, &calm.windows);
    Ok(outcome)
}

/// What a hub knows of the readings, by names that are the same for every hub.
struct Known {
    findings: BTreeMap<String, Value>,
    windows: BTreeMap<String, Value>,
}

async fn disturbed(
    plan: Plan,
    from: Timestamp,
    to: Timestamp,
    outcome: &mut Outcome,
    say: &mut impl FnMut(String),
) -> Result<Known> {
    let lab = Lab::new()?;
    lab.apply(&site(plan.devices).toml()).await?;
    let mut hub = lab.serve().await?;
    let mut fleet = Fleet::with(lab.mqtt, feeds(plan, from, Pace::Every(plan.pace)));
    let (started, lasts) = (Instant::now(), plan.pace.mul_f64(plan.each as f64));
    let mut born = started;
    // After the last kill too there are readings to come: somebody waits for the hub to be back.
    while started.elapsed() + plan.kill_every.mul_f64(1.25) < lasts {
        tokio::time::sleep(plan.kill_every.saturating_sub(born.elapsed())).await;
        outcome.memory.push(resident_memory(hub.pid()?)? as f64);
        let (disk, largest) = beside_readings(&lab).await?;
        outcome.disk.push(disk);
        let round = outcome.ready.len();
        let begun = Instant::now();
        let killed = kill_all(&lab, hub, round.is_multiple_of(2)).await?;
        hub = back(&lab, &mut fleet).await?;
        let ready = begun.elapsed();
        born = Instant::now();
        outcome.ready.push(ready);
        is_scored(&lab).await?;
        let scored = begun.elapsed();
        outcome.scored.push(scored);
        say(format!(
            "killed {killed} processes, ready and acknowledging after {:.1} s, what was stored then scored after {:.1} s; before: hub {:.0} MB at an age of {:.0} s, \
             database beside its readings {:.1} MB ({largest}); {}",
            ready.as_secs_f64(),
            scored.as_secs_f64(),
            outcome.memory[round] / 1e6,
            plan.kill_every.as_secs_f64(),
            outcome.disk[round] / 1e6,
            fleet.counters
        ));
    }
    let left = lasts.saturating_sub(started.elapsed());
    outcome.acknowledged = fleet.end(left + DRAIN_MAX).await?;
    let (disk, largest) = beside_readings(&lab).await?;
    say(format!(
        "in the end: hub {:.0} MB, database beside its readings {:.1} MB ({largest})",
        resident_memory(hub.pid()?)? as f64 / 1e6,
        disk / 1e6
    ));
    outcome.disk.push(disk);
    let known = known(&lab, from, to).await?;
    hub.stop().await?;
    outcome.stored = audit(&lab).await?;
    Ok(known)
}

/// Starts the hub after a kill, beneath publishers that try to go on, and waits until it serves them.
async fn back(lab: &Lab, fleet: &mut Fleet) -> Result<RunningHub> {
    let is_ready = async {
        while !matches!(watch::get(lab, "/readyz").await, Some((200, _))) {
            tokio::time::sleep(LOOK).await;
        }
        anyhow::Ok(())
    };
    let all = async { tokio::try_join!(lab.serve(), is_ready, fleet.served_again()) };
    let (hub, (), ()) = tokio::time::timeout(BACK_MAX, all)
        .await
        .with_context(|| format!("the hub is not back within {BACK_MAX:?} of a kill"))??;
    Ok(hub)
}

async fn calm(plan: Plan, from: Timestamp, to: Timestamp) -> Result<Known> {
    let lab = Lab::new()?;
    lab.apply(&site(plan.devices).toml()).await?;
    let hub = lab.serve().await?;
    let fleet = Fleet::with(lab.mqtt, feeds(plan, from, Pace::Every(Duration::ZERO)));
    fleet.end(DRAIN_MAX).await?;
    let known = known(&lab, from, to).await?;
    hub.stop().await?;
    Ok(known)
}

fn device(n: usize) -> String {
    format!("rig-{n:03}")
}

fn site(devices: usize) -> TestSite {
    let devices = (0..devices).map(|n| (device(n), rig::PROFILE.to_owned(), None));
    TestSite {
        trunk: None,
        password: None,
        devices: devices.collect(),
        consent: false,
        zone: daytime_zone(12),
    }
}

fn feeds(plan: Plan, from: Timestamp, pace: Pace) -> impl Iterator<Item = (String, Feed)> {
    let from_ms = from.as_millisecond();
    let worn = plan.each / 2..plan.each / 2 + WORN;
    (0..plan.devices).map(move |n| {
        let worn = if n < plan.worn { worn.clone() } else { 0..0 };
        let is_json = n % JSON_EVERY == JSON_EVERY - 1;
        let payload = move |number: u64| {
            let reading = Reading::new(n as u64, number, worn.contains(&number));
            let at_ms = from_ms + i64::try_from(number)? * STEP_MS;
            if !is_json {
                return rig::cbor(BOOT, number, at_ms, &[reading]);
            }
            let mut payload = Vec::new();
            reading.write_json(at_ms, &mut payload);
            Ok(payload)
        };
        let feed = Feed {
            payload: Box::new(payload),
            is_json,
            count: plan.each,
            pace,
        };
        (device(n), feed)
    })
}

/// Waits until all that is stored now is scored.
async fn is_scored(lab: &Lab) -> Result<()> {
    let cluster = Cluster::join_or_start(&lab.state(), ClusterOptions::default()).await?;
    let mut sql = PgConnection::connect_with(&cluster.connect_options()).await?;
    let stored: Vec<(i16, i64)> = sqlx::query_as("select partition, max(ingest_no) from telemetry group by partition")
        .fetch_all(&mut sql)
        .await?;
    let (partitions, numbers): (Vec<i16>, Vec<i64>) = stored.into_iter().unzip();
    let waits = async {
        loop {
            let is_behind: bool = sqlx::query_scalar(
                "select exists (select from unnest($1::smallint[], $2::bigint[]) as k (partition, ingest_no) \
                 left join scored s on s.partition = k.partition where coalesce(s.ingest_no, 0) < k.ingest_no)",
            )
            .bind(&partitions)
            .bind(&numbers)
            .fetch_one(&mut sql)
            .await?;
            if !is_behind {
                return anyhow::Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(BACK_MAX, waits)
        .await
        .with_context(|| format!("what was stored is not scored within {BACK_MAX:?}"))??;
    sql.close().await?;
    Ok(())
}

/// Bytes of the database without readings and their indexes, and which tables have most of them.
async fn beside_readings(lab: &Lab) -> Result<(f64, String)> {
    let cluster = Cluster::join_or_start(&lab.state(), ClusterOptions::default()).await?;
    let mut sql = PgConnection::connect_with(&cluster.connect_options()).await?;
    let bytes = sqlx::query_scalar(
        "select (pg_database_size(current_database()) - coalesce(sum(pg_total_relation_size(relid)), 0))::float8 \
         from pg_partition_tree('telemetry')",
    )
    .fetch_one(&mut sql)
    .await?;
    let largest: Vec<String> = sqlx::query_scalar(
        "select relname || ' ' || round(pg_total_relation_size(oid) / 1e6, 1) || ' MB' from pg_class \
         where relkind = 'r' and oid not in (select relid from pg_partition_tree('telemetry')) \
         order by pg_total_relation_size(oid) desc limit 6",
    )
    .fetch_all(&mut sql)
    .await?;
    sql.close().await?;
    Ok((bytes, largest.join(", ")))
}

/// Asks a hub that has scored everything.
async fn known(lab: &Lab, from: Timestamp, to: Timestamp) -> Result<Known> {
    watch::all_is_scored_within(lab, DRAIN_MAX).await;
    let console = Console::log_in(lab.http, "admin", &lab.password()).await?;
    let mut devices = BTreeMap::new();
    let mut windows = BTreeMap::new();
    for appliance in console.all("/api/v1/appliances").await? {
        let id = appliance["id"].as_i64().context("an appliance without an id")?;
        let device = appliance["device"].as_str().context("an appliance without a name")?;
        devices.insert(id, device.to_owned());
        let path = format!("/api/v1/appliances/{id}/readings?from={from}&to={to}&points={POINTS}");
        windows.insert(device.to_owned(), console.get(&path).await?);
    }
    let mut findings = BTreeMap::new();
    for finding in console.all("/api/v1/findings").await? {
        let device = finding["appliance"].as_i64().and_then(|id| devices.get(&id));
        let device = device.context("a finding of no appliance")?;
        let name = format!("{device} {} {}", finding["fault_class"], finding["alarm_at"]);
        findings.insert(name, said(&finding));
    }
    Ok(Known { findings, windows })
}

/// What a finding says, without ids and without what depends on when the hub was there: after a restart an alarm that stands
/// may be told once more.
fn said(finding: &Value) -> Value {
    let (prediction, evidence) = (&finding["prediction"], &finding["evidence"]);
    let each = |list: &Value, of: &dyn Fn(&Value) -> Value| {
        let all = list.as_array().into_iter().flatten();
        all.map(of).collect::<Vec<_>>()
    };
    let sensor = |of: &Value| json!([of["channel"], rounded(&of["share"]), rounded(&of["value"])]);
    let point = |of: &Value| json!([of["at"], rounded(&of["score"]), each(&of["values"], &rounded)]);
    json!({
        "state": finding["state"],
        "severity": prediction["severity"],
        "probability": rounded(&prediction["probability"]),
        "score": rounded(&prediction["score"]),
        "model": prediction["model"],
        "at": prediction["at"],
        "since": prediction["since"],
        "top": each(&prediction["top"], &sensor),
        "anomalous_since": evidence["anomalous_since"],
        "channels": each(&evidence["channels"], &sensor),
        "points": each(&evidence["points"], &point),
    })
}

/// In units of 1e-5: the network's last bits depend on what was in its batch.
fn rounded(value: &Value) -> Value {
    value
        .as_f64()
        .map_or(Value::Null, |value| json!((value * 1e5).round() as i64))
}

/// Names that one has and the other has not, or not the same.
fn differences(one: &BTreeMap<String, Value>, other: &BTreeMap<String, Value>) -> usize {
    let missing = other.keys().filter(|name| !one.contains_key(*name)).count();
    missing
        + one
            .iter()
            .filter(|(name, value)| other.get(*name) != Some(*value))
            .count()
}

#[cfg(test)]
mod tests {
    use super::{Value, differences};
    use serde_json::json;
    use std::collections::BTreeMap;

    #[test]
    fn what_is_missing_on_either_side_or_not_the_same_differs() {
        let map = |all: &[(&str, i32)]| -> BTreeMap<String, Value> {
            all.iter()
                .map(|(name, value)| ((*name).to_owned(), json!(value)))
                .collect()
        };
        let one = map(&[("a", 1), ("b", 2), ("c", 3)]);
        assert_eq!(differences(&one, &one), 0);
        assert_eq!(differences(&one, &map(&[("b", 2), ("c", 4), ("d", 1), ("e", 1)])), 4);
    }
}
