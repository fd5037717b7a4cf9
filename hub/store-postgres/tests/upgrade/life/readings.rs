//! What appliances report: a run of an hour every second day, with numbers that are missing, late and repeated, with names
//! that no profile knows, and by two versions of a profile.

use super::{appliance, at, day};
use hub_core::budget::Month;
use hub_core::id::{ApplianceId, TraceId};
use hub_core::shadow::ShadowSaid;
use hub_core::telemetry::{Identity, Lane, Sample, TelemetryMessage};
use hub_core::watching::{WatchState, Watching};
use hub_store::budget::MonthScore;
use hub_store::prediction::{Challenge, Checkpoint, PredictionStore, ScoredUpTo, ScoringCommit, ShadowCommit};
use hub_store::retention::UpkeepStore;
use hub_store::telemetry::{Ingest, TelemetryStore};
use hub_store_postgres::PostgresStore;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::Range;

/// Who reports, with the random numbers of its two starts; without them it speaks JSON, which has no sequence.
pub const REPORTERS: [(&str, Option<[u64; 2]>); 8] = [
    ("acme/wm-1", Some([7, u64::MAX - 7])),
    ("acme/wm-2", Some([21, 22])),
    ("acme/wm-3", Some([31, 32])),
    ("acme/wm-4", Some([41, 42])),
    ("acme/wm-5", Some([51, 52])),
    ("beta/wm-1", None),
    ("beta/hp-1", Some([61, 62])),
    ("acme/dw-1", Some([71, 72])),
];
/// Samples of a run.
pub const SAMPLES: u64 = 5;
/// On this day every appliance starts again, and its profile has more channels.
const RESTART: i64 = 21;
/// After so many runs of each start some numbers are missing.
const RUNS_BEFORE_HOLE: u64 = 4;
const HOLE: u64 = 3;

/// The run of a reporter on a day, if it has one: it starts nine hours after 10:00 in Shanghai.
pub fn run(reporter: usize, id: ApplianceId, number: i64) -> Option<TelemetryMessage> {
    runs_on(reporter, number).then(|| samples(reporter, id, number, next_number(reporter, number), SAMPLES))
}

/// What is missing of a start (0 or 1), as it comes late: measured on that day, received now.
pub fn hole(reporter: usize, id: ApplianceId, start: usize, measured: i64, now: Timestamp) -> TelemetryMessage {
    let mut late = samples(reporter, id, measured, 1 + RUNS_BEFORE_HOLE * SAMPLES, HOLE);
    late.identity = identity(reporter, start, 1 + RUNS_BEFORE_HOLE * SAMPLES);
    late.received_at = now;
    late
}

/// What comes after the last run of a reporter, at 13:00 UTC on that day.
pub fn tail(reporter: usize, id: ApplianceId, number: i64, behind: u64) -> TelemetryMessage {
    let mut message = samples(reporter, id, number, next_number(reporter, number) + behind, SAMPLES);
    for sample in &mut message.samples {
        sample.at += SignedDuration::from_hours(2);
    }
    message.received_at += SignedDuration::from_hours(2);
    message
}

fn runs_on(reporter: usize, number: i64) -> bool {
    (number + i64::try_from(reporter).unwrap()) % 2 == 0
}

/// The number of the first sample from a day on.
fn next_number(reporter: usize, number: i64) -> u64 {
    let since = if number < RESTART { 0 } else { RESTART };
    let runs = (since..number).filter(|earlier| runs_on(reporter, *earlier)).count();
    let runs = u64::try_from(runs).unwrap();
    1 + runs * SAMPLES + if runs >= RUNS_BEFORE_HOLE { HOLE } else { 0 }
}

fn identity(reporter: usize, start: usize, first: u64) -> Identity {
    let boots = REPORTERS[reporter].1.unwrap();
    Identity::Sequence {
        boot: boots[start],
        lane: Lane::Telemetry,
        first,
    }
}

fn samples(reporter: usize, id: ApplianceId, number: i64, first: u64, count: u64) -> TelemetryMessage {
    let sample = |n: u64| Sample {
        at: at(number, 540 + 8 * i64::try_from(n).unwrap()),
        values: values(reporter, number, n),
        extra: extra(reporter, number, n),
    };
    let received_at = at(number, 581);
    let mut random = [0; 10];
    random[..2].copy_from_slice(&[u8::try_from(reporter).unwrap(), u8::try_from(number).unwrap()]);
    TelemetryMessage {
        appliance: id,
        identity: match REPORTERS[reporter].1 {
            Some(_) => identity(reporter, usize::from(number >= RESTART), first),
            None => Identity::Content((0..count).map(|_| true).collect()),
        },
        samples: (0..count).map(sample).collect(),
        received_at,
        skew_ms: Some(120),
        trace: TraceId::new(received_at, random),
    }
}

fn values(reporter: usize, number: i64, n: u64) -> Vec<Option<i32>> {
    let (reporter, number, n) = (
        i32::try_from(reporter).unwrap(),
        i32::try_from(number).unwrap(),
        i32::try_from(n).unwrap(),
    );
    let (phase, current) = (1_000 * n, 1_500 + (7 * number + 13 * n + 5 * reporter) % 200);
    let inlet = (n % 3 != 1).then_some(15_000 - (31 * number + 17 * n) % 900);
    if REPORTERS[usize::try_from(reporter).unwrap()].0 == "beta/hp-1" {
        let mut coils = vec![None; 34];
        (coils[0], coils[31], coils[33]) = (Some(-phase), inlet, Some(current));
        return coils;
    }
    let mut values = vec![Some(phase), Some(current), inlet];
    if i64::from(number) >= RESTART {
        values.push(Some(40 + (3 * number + n) % 60));
    }
    values
}

/// Two devices know more than their profile does at first.
fn extra(reporter: usize, number: i64, n: u64) -> Option<Value> {
    match (REPORTERS[reporter].0, n) {
        ("acme/wm-4", 0) if number < RESTART => Some(json!({"unknown": {"vibration_m_s2": 0.05}})),
        ("beta/wm-1", 2) => Some(json!({"unknown": {"door \"open\"": true}, "out_of_range": {"current_a": 4000.5}})),
        _ => None,
    }
}

/// Everybody reports on these days; what came is counted, aggregated and scored each week.
pub async fn report(store: &PostgresStore, days: Range<i64>) {
    let mut ids = Vec::new();
    for (name, _) in REPORTERS {
        ids.push(appliance(store, name).await);
    }
    for number in days {
        let runs = (0..).zip(&ids).filter_map(|(reporter, id)| run(reporter, *id, number));
        let mut batch: Vec<Ingest> = runs.map(Ingest::Telemetry).collect();
        batch.extend(not_every_day(&ids, number));
        store.ingest(&batch).await.unwrap();
        if number % 7 == 6 {
            read(store, at(number, 600)).await;
        }
    }
}

/// What does not happen every day.
fn not_every_day(ids: &[ApplianceId], number: i64) -> Vec<Ingest> {
    match number {
        3 => vec![
            Ingest::Clock {
                appliance: ids[3],
                boot: 41,
                offset_ms: day(0).as_millisecond() - 5_000,
            },
            Ingest::Dropped {
                appliance: ids[4],
                count: 2,
            },
        ],
        // Again, since the acknowledgement was lost.
        5 => vec![Ingest::Telemetry(run(0, ids[0], 4).unwrap())],
        12 => {
            let mut crash = samples(1, ids[1], 12, 0, 1);
            crash.identity = Identity::Sequence {
                boot: 21,
                lane: Lane::Events,
                first: 0,
            };
            vec![Ingest::Telemetry(crash)]
        }
        20 => vec![Ingest::Telemetry(hole(2, ids[2], 0, 8, at(20, 590)))],
        _ => Vec::new(),
    }
}

/// What a version that is tried in shadow says of these appliances.
fn shadow(appliances: impl Iterator<Item = ApplianceId>, now: Timestamp) -> ShadowCommit {
    let family = "washing-machine".to_owned();
    let challenge = Challenge {
        family: family.clone(),
        model: "washing-machine/2".to_owned(),
        hash: "5f".repeat(32),
        champion: "washing-machine/1".to_owned(),
    };
    let judges = appliances.map(|appliance| (family.clone(), appliance, ShadowSaid::Judges { at: now }));
    ShadowCommit {
        begun: vec![challenge],
        said: judges.collect(),
        ..ShadowCommit::default()
    }
}

/// Everybody who reads what was stored reads it: roll-up, aggregates, scorer.
async fn read(store: &PostgresStore, now: Timestamp) {
    while store.roll_up(1_000).await.unwrap() > 0 {}
    while store.aggregate(None, 1_000, now).await.unwrap() > 0 {}
    loop {
        let rows = store.unscored(1_000, None).await.unwrap().rows;
        if rows.is_empty() {
            return;
        }
        let newest: BTreeMap<ApplianceId, i64> = rows.iter().map(|row| (row.appliance, row.ingest_no)).collect();
        let watching = newest
            .keys()
            .map(|appliance| (*appliance, Watching::nothing(WatchState::Watched)));
        let watching = watching.collect();
        let scores = newest.keys().map(|appliance| MonthScore {
            appliance: *appliance,
            family: "washing-machine".to_owned(),
            month: Month::at(now),
            score: 0.5,
        });
        let scores = scores.collect();
        let shadow = shadow(newest.keys().copied(), now);
        let checkpoints = newest.into_iter().map(|(appliance, number)| Checkpoint {
            appliance,
            model: "washing-machine/1".to_owned(),
            ingest_no: number,
            state: format!("all rows up to {number}").into_bytes(),
        });
        let commit = ScoringCommit {
            offsets: ScoredUpTo::reach(&rows),
            checkpoints: checkpoints.collect(),
            watching,
            scores,
            shadow,
            ..ScoringCommit::default()
        };
        store.commit_scoring(&commit, now).await.unwrap();
    }
}

/// What sweeps of old readings leave behind: how much one took, and who let it go on.
pub async fn are_swept(store: &PostgresStore) {
    let now = at(41, 600);
    store.vouch(Some(now), None).await.unwrap();
    store.note_sweep(12, now).await.unwrap();
    store.confirm_sweep("A. Person", now).await.unwrap();
}

/// Readings that nobody has read yet when the hub ends, some of them late.
pub async fn wait_for_their_readers(store: &PostgresStore) {
    let (wm_1, wm_3) = (appliance(store, "acme/wm-1").await, appliance(store, "acme/wm-3").await);
    let late = hole(2, wm_3, 1, 29, at(41, 640));
    for message in [tail(0, wm_1, 41, 0), late] {
        store.ingest(&[Ingest::Telemetry(message)]).await.unwrap();
    }
}
