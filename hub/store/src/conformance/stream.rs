//! The same stream gives the same tickets on every store, however its readings are packed into batches.

use super::Harness;
use super::contact::due;
use super::scene::{after, alarm, appliance, ended, played, scored_rows, stored, tickets};
use crate::Store;
use crate::contact::Begun;
use crate::prediction::ScoringCommit;
use crate::telemetry::{Ingest, StoredRow};
use crate::ticket::TicketView;
use hub_core::actor::Actor;
use hub_core::call_result::{CallResult, Disposition};
use hub_core::contact::AttemptEvent;
use hub_core::id::ApplianceId;
use hub_core::outcome::{Outcome, Resolution, Verdict};
use hub_core::situation::Observation;
use hub_core::telemetry::{Identity, Lane, Sample, TelemetryMessage};
use hub_core::ticket::TicketEvent;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Hours of the stream.
const HOURS: i64 = 120;
/// Readings of each appliance in an hour.
const PER_HOUR: u64 = 12;
/// What becomes of it, on every store. It changes with the rules of findings, tickets and contacts, and with nothing else.
const OUTCOME: &str = "a0cc809471c3bd1985716f9af1a6d5822b4a554febebfb6b0ac172d379ec6848";

/// A number that looks random and is the same everywhere (SplitMix64, Steele and others 2014).
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn reading(appliance: ApplianceId, device: u64, seq: u64, count: u64) -> Ingest {
    let sample = |seq: u64| Sample {
        at: after(i64::try_from(seq * 60 / PER_HOUR).unwrap()),
        values: vec![Some(i32::try_from(mix(device << 32 | seq) % 1_000).unwrap()), None],
        extra: None,
    };
    Ingest::Telemetry(TelemetryMessage {
        appliance,
        identity: Identity::Sequence {
            boot: 1,
            lane: Lane::Telemetry,
            first: seq,
        },
        samples: (seq..seq + count).map(sample).collect(),
        received_at: after(i64::try_from((seq + count) * 60 / PER_HOUR).unwrap()),
        skew_ms: None,
        trace: hub_core::id::TraceId(uuid::Uuid::from_u128(u128::from(device))),
    })
}

/// The readings of one hour: packed as `packing` wants it, with repeats of what was sent before.
fn hour(ids: &[ApplianceId], hour: u64, packing: u64) -> Vec<Vec<Ingest>> {
    let mut batches = vec![Vec::new()];
    for (device, id) in (0_u64..).zip(ids) {
        let (mut seq, end) = (hour * PER_HOUR, (hour + 1) * PER_HOUR);
        while seq < end {
            let count = (1 + mix(packing ^ seq ^ device) % 5).min(end - seq);
            let message = reading(*id, device, seq, count);
            if mix(packing ^ seq).is_multiple_of(4) {
                batches.push(vec![message.clone()]);
            }
            batches.last_mut().unwrap().push(message);
            seq += count;
        }
    }
    batches
}

/// What a detector would say of a reading.
fn observe(row: &StoredRow) -> Option<Observation> {
    let value = row.values[0].unwrap();
    let class = ["unknown_fault", "drain_pump_wear", "drum_bearing"][usize::try_from(value % 3).unwrap()];
    match value {
        0..60 => Some(alarm(row.appliance, class, 0.80 + value as f32 / 300.0)),
        990.. => Some(Observation::Clear {
            appliance: row.appliance,
        }),
        _ => None,
    }
}

async fn score(store: &dyn Store, hour: i64) {
    let mut rows = scored_rows(store, after(hour * 60)).await;
    rows.sort_by_key(|row| (row.at, row.appliance));
    for row in &rows {
        let commit = ScoringCommit {
            observations: observe(row).into_iter().collect(),
            ..ScoringCommit::default()
        };
        store.commit_scoring(&commit, row.at).await.unwrap();
    }
}

/// Owners are rung, answer in their way, and a person approves or refuses what is ready to ring and closes what is old.
async fn act(store: &dyn Store, hour: i64) {
    let now = after(hour * 60);
    for id in by_number(store, due(store, now).await).await {
        let number = store.ticket(&Actor::hub("test"), id, now).await.unwrap().ticket.number;
        let fate = mix(u64::try_from(number + 7 * hour).unwrap());
        let random = [u8::try_from(fate % 251).unwrap(); 20];
        let Begun::Ring(order) = store.begin_attempt(id, now, random).await.unwrap() else {
            continue;
        };
        let attempt = order.attempt.id;
        let (result, chosen) = match fate % 5 {
            0 => (CallResult::Answered, Some(Disposition::AppointmentBooked)),
            1 => (CallResult::Answered, Some(Disposition::AnotherTime)),
            2 => (CallResult::Busy, None),
            3 => (CallResult::NoAnswer, None),
            _ => (CallResult::Answered, None),
        };
        if result == CallResult::Answered {
            store.apply_attempt(attempt, AttemptEvent::Answered, now).await.unwrap();
        }
        if let Some(chosen) = chosen {
            store
                .apply_attempt(attempt, AttemptEvent::Chose(chosen), now)
                .await
                .unwrap();
        }
        store.apply_attempt(attempt, ended(result), now).await.unwrap();
    }
    let mut all = tickets(store).await;
    all.sort_by_key(|ticket| (ticket.tenant.clone(), ticket.number));
    for ticket in all {
        if ticket.contact.waits_for_approval() {
            let decided = match ticket.number % 4 {
                0 => TicketEvent::CallRefused {
                    reason: format!("hour {hour}"),
                },
                _ => TicketEvent::CallApproved,
            };
            let li = Actor::hub("li");
            store.apply_ticket(&li, ticket.id, &decided, now).await.unwrap();
        }
        let old = !ticket.is_closed() && now.duration_since(ticket.opened_at).as_hours() >= 30;
        if old {
            let (resolution, verdict) = match ticket.number % 3 {
                0 => (Resolution::ConfirmedFixed, Verdict::Right),
                1 => (Resolution::FalseAlarm, Verdict::Wrong),
                _ => (Resolution::CustomerDeclined, Verdict::NotChecked),
            };
            let closed = TicketEvent::Closed {
                outcome: Outcome {
                    resolution,
                    verdict,
                    note: format!("hour {hour}"),
                    part: None,
                },
            };
            store
                .apply_ticket(&Actor::hub("li"), ticket.id, &closed, now)
                .await
                .unwrap();
        }
    }
    store.baselines_restarted().await.unwrap();
}

/// Ids are drawn by the store: numbers put tickets into the same order everywhere.
async fn by_number(store: &dyn Store, ids: Vec<hub_core::id::TicketId>) -> Vec<hub_core::id::TicketId> {
    let mut all = tickets(store).await;
    all.retain(|ticket| ids.contains(&ticket.id));
    all.sort_by_key(|ticket| (ticket.tenant.clone(), ticket.number));
    all.into_iter().map(|ticket| ticket.id).collect()
}

/// Everything of a ticket but the ids.
fn told(view: &TicketView) -> Value {
    let mut lines = json!({
        "ticket": view.ticket, "device": view.appliance.device, "finding": view.finding,
        "next": view.next_slot, "attempts": view.attempts, "timeline": view.timeline,
    });
    forget_ids(&mut lines);
    lines
}

fn forget_ids(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            // Appliances are numbered by the store; their device is told.
            for name in ["id", "ticket_id", "finding_id", "attempt", "owner", "appliance"] {
                fields.remove(name);
            }
            let is_id = |value: &Value| value.as_str().is_some_and(|text| text.parse::<uuid::Uuid>().is_ok());
            fields.retain(|_, value| !is_id(value));
            fields.values_mut().for_each(forget_ids);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_ids),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

async fn outcome(h: &dyn Harness, packing: u64) -> (String, String) {
    let (_place, store) = played(h).await;
    let mut ids = Vec::new();
    for (tenant, device) in [
        ("acme", "wm-1"),
        ("acme", "wm-2"),
        ("acme", "wm-3"),
        ("acme", "wm-4"),
        ("beta", "wm-1"),
    ] {
        ids.push(appliance(&*store, tenant, device).await);
    }
    let mut samples = 0;
    for at in 0..HOURS {
        for batch in hour(&ids, u64::try_from(at).unwrap(), packing) {
            let answers = store.ingest(&batch).await.unwrap();
            samples += answers.iter().map(|answer| answer.stored).sum::<u32>();
        }
        score(&*store, at + 1).await;
        act(&*store, at + 1).await;
    }
    let wanted = u32::try_from(HOURS).unwrap() * u32::try_from(PER_HOUR).unwrap() * 5;
    assert_eq!(stored(samples), stored(wanted));
    let mut all = tickets(&*store).await;
    all.sort_by_key(|ticket| (ticket.tenant.clone(), ticket.number));
    assert!(all.len() > 20, "{} tickets", all.len());
    let mut text = String::new();
    for ticket in all {
        let view = store
            .ticket(&Actor::hub("test"), ticket.id, after(HOURS * 60))
            .await
            .unwrap();
        text.push_str(&told(&view).to_string());
        text.push('\n');
    }
    (hex::encode(Sha256::digest(&text)), text)
}

pub(super) async fn the_same_stream_gives_the_same_tickets(h: &dyn Harness) {
    let (one, text) = outcome(h, 1).await;
    let (other, _) = outcome(h, 0x5eed).await;
    assert_eq!(one, other, "how readings are packed makes a difference");
    assert_eq!(one, OUTCOME, "another outcome than on other stores:\n{text}");
}
