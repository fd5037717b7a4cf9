//! The service desk under a fleet that alarms: what the scorer's transaction costs beside the same rows without a rule.

mod bare;

use crate::bar::{Bars, median};
use crate::store::base::{Base, Server};
use anyhow::{Context, Result, bail, ensure};
use hub_core::id::{ApplianceId, TraceId};
use hub_core::prediction::{Contribution, Evidence, EvidencePoint, FaultPrediction, Severity};
use hub_core::release::Basis;
use hub_core::situation::Observation;
use hub_store::prediction::{PredictionStore, ScoringCommit};
use jiff::{SignedDuration, Timestamp};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// One in so many observations opens a finding with its ticket; all others are one more of an open finding.
const FRESH: usize = 100;
/// Points of an evidence series, and the sensors in it: as many as are kept.
const POINTS: i64 = 300;
const SENSORS: usize = 5;
/// The fault that every appliance has from the beginning.
const OLD_FAULT: &str = "wear";
/// The whole run ends within this time.
const ENDS_WITHIN: Duration = Duration::from_secs(1_500);
/// The hub's time beside that of the bare rows, at most.
const BAR: f64 = 3.0;

/// How much is seen.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Appliances; each is observed once a round.
    pub appliances: usize,
    /// Observations of a transaction.
    pub batch: usize,
    /// Rounds of the hub and of the bare rows, in turn.
    pub rounds: usize,
}

impl Plan {
    /// What the bar holds for.
    pub fn full() -> Self {
        Self {
            appliances: 100_000,
            batch: 1_000,
            rounds: 3,
        }
    }

    /// Some seconds: does it work at all?
    pub fn quick() -> Self {
        Self {
            appliances: 400,
            batch: 200,
            rounds: 1,
        }
    }
}

/// Measures, on the server of `BENCH_DATABASE_URL`, or else of `TEST_DATABASE_URL`, or else on a cluster like the hub's own.
///
/// # Errors
/// Something does not work, or is not stored as it must be.
pub async fn run(plan: Plan) -> Result<Bars> {
    let server = Server::open().await?;
    println!("desk: {}", server.what());
    let base = server.base("desk", plan.appliances).await?;
    let measured = measure(&base, plan).await;
    server.drop(base).await?;
    server.close().await?;
    measured
}

/// Runs with the arguments of a program; whether every bar was held.
///
/// # Errors
/// Something does not work, or is not stored as it must be.
pub async fn main(argument: Option<&str>) -> Result<bool> {
    let plan = match argument {
        None => Plan::full(),
        Some("--quick") => Plan::quick(),
        Some(other) => bail!("unknown argument {other}; known is --quick"),
    };
    let bars = tokio::time::timeout(ENDS_WITHIN, run(plan))
        .await
        .with_context(|| format!("not done within {} s", ENDS_WITHIN.as_secs()))??;
    if argument.is_some() {
        println!("quick: every finding has its ticket, nothing is said about speed");
        return Ok(true);
    }
    Ok(bars.print())
}

async fn measure(base: &Base, plan: Plan) -> Result<Bars> {
    let ids = base.fleet.ids();
    let storm = Instant::now();
    for batch in ids.chunks(plan.batch) {
        let alarms = batch.iter().map(|id| alarm(*id, OLD_FAULT)).collect();
        commit(base, alarms, now(0)).await?;
    }
    println!(
        "first alarms of {} appliances, each with its ticket: {:.1} s",
        ids.len(),
        storm.elapsed().as_secs_f64()
    );
    let (mut hub, mut bare) = (Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        hub.push(observed(base, &ids, plan, 2 * round).await?);
        bare.push(bare::written(base, &ids, plan, 2 * round + 1).await?);
    }
    check(base, ids.len(), 2 * plan.rounds).await?;
    let (hub, bare) = (median(hub), median(bare));
    println!("{} observations: hub {hub:.2} s, bare rows {bare:.2} s", ids.len());
    let mut bars = Bars::default();
    bars.at_most("desk_vs_bare_rows", hub / bare, BAR);
    Ok(bars)
}

/// A round through the scorer's transaction; how many seconds it took.
async fn observed(base: &Base, ids: &[i64], plan: Plan, round: usize) -> Result<f64> {
    let fault = fault(round);
    let mut spent = Duration::ZERO;
    for (batch, first) in ids.chunks(plan.batch).zip((0..).step_by(plan.batch)) {
        let seen = batch.iter().zip(first..).map(|(id, place)| {
            let fault = if is_fresh(place, round) {
                fault.as_str()
            } else {
                OLD_FAULT
            };
            alarm(*id, fault)
        });
        let seen: Vec<Observation> = seen.collect();
        spent += commit(base, seen, now(round)).await?;
    }
    Ok(spent.as_secs_f64())
}

/// How long the transaction took; what was seen is made before it and dropped behind it.
async fn commit(base: &Base, observations: Vec<Observation>, now: Timestamp) -> Result<Duration> {
    let told = observations.len();
    let scored = ScoringCommit {
        observations,
        ..ScoringCommit::default()
    };
    let begun = Instant::now();
    let changes = base.store.commit_scoring(&scored, now).await?;
    let took = begun.elapsed();
    ensure!(changes.len() == told, "{told} observations, {} changes", changes.len());
    Ok(took)
}

/// Each appliance has its findings and tickets, and each observation was counted.
async fn check(base: &Base, appliances: usize, rounds: usize) -> Result<()> {
    let fresh = rounds * appliances.div_ceil(FRESH);
    let all = i64::try_from(appliances + fresh)?;
    let counted = i64::try_from(appliances + rounds * appliances)?;
    for (what, query, expected) in [
        (
            "findings",
            "select count(*) from finding where state = 'open' and ticket is not null",
            all,
        ),
        ("tickets", "select count(distinct number) from ticket", all),
        ("timelines", "select count(*) from timeline", all),
        ("observations", "select sum(count)::bigint from finding", counted),
    ] {
        let found = base.number(query).await?;
        ensure!(found == expected, "{found} {what} are stored, not {expected}");
    }
    Ok(())
}

/// Whether the appliance at this place has a new fault in this round.
fn is_fresh(place: usize, round: usize) -> bool {
    place % FRESH == round
}

fn fault(round: usize) -> String {
    format!("fault_{round}")
}

fn now(round: usize) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_mins(30_000_000 + i64::try_from(round).unwrap_or(0))
}

fn prediction(fault: &str) -> FaultPrediction {
    FaultPrediction {
        fault_class: fault.to_owned(),
        probability: 0.95,
        verdicts: None,
        severity: Severity::Major,
        score: 1.5,
        model: "bench/1".to_owned(),
        model_hash: None,
        below_call_level: false,
        at: now(0),
        since: now(0) - SignedDuration::from_hours(1),
        top: (0..SENSORS).map(contribution).collect(),
        second_opinion: None,
        basis: Basis::default(),
    }
}

fn contribution(sensor: usize) -> Contribution {
    Contribution {
        channel: format!("channel_{sensor}"),
        share: 0.2,
        value: 21.5,
        baseline_mean: 20.25,
        baseline_deviation: 0.125,
        unit: "Cel".to_owned(),
    }
}

fn evidence() -> Evidence {
    Evidence {
        channels: (0..SENSORS).map(contribution).collect(),
        points: (0..POINTS)
            .map(|n| EvidencePoint {
                at: now(0) - SignedDuration::from_secs(POINTS - n),
                score: 1.25,
                values: vec![20.125 + n as f64 / 64.0; SENSORS],
            })
            .collect(),
        anomalous_since: now(0) - SignedDuration::from_mins(1),
    }
}

fn alarm(appliance: i64, fault: &str) -> Observation {
    Observation::Alarm {
        appliance: ApplianceId(appliance),
        prediction: Box::new(prediction(fault)),
        evidence: evidence(),
        trace: TraceId(Uuid::from_u64_pair(1, appliance.cast_unsigned())),
    }
}
