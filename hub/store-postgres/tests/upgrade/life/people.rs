//! Findings, tickets in every state, and calls with every kind of end.

use super::{appliance, at, day, tenant};
use hub_core::actor::Actor;
use hub_core::appointment::Slot;
use hub_core::budget::precision::Counted;
use hub_core::call_result::{CallResult, Disposition};
use hub_core::call_rules::HoldReason;
use hub_core::contact::AttemptEvent;
use hub_core::id::{AttemptId, TicketId, TraceId};
use hub_core::outcome::{Outcome, Resolution, Verdict};
use hub_core::phone_number::PhoneNumber;
use hub_core::prediction::{Contribution, Evidence, EvidencePoint, FaultPrediction, Severity};
use hub_core::release::{Basis, EvidenceKind};
use hub_core::situation::Observation;
use hub_core::ticket::TicketEvent;
use hub_store::contact::{Begun, ContactStore};
use hub_store::prediction::{PredictionStore, ScoringCommit};
use hub_store::site::SiteStore;
use hub_store::ticket::{TicketFilter, TicketStore};
use hub_store_postgres::PostgresStore;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

const AGENT: &str = "agent@acme";

/// Before the hub is killed.
pub async fn second_and_third_week(store: &PostgresStore) {
    // Key 1, and the visit.
    let fixed = opened(store, "acme/wm-1", "drain_pump_wear", 0.95, day(7)).await;
    let attempt = ring(store, fixed, day(7)).await;
    end(
        store,
        attempt,
        Some(Disposition::AppointmentBooked),
        CallResult::Answered,
        at(7, 1),
    )
    .await;
    act(store, fixed, TicketEvent::Taken, day(9)).await;
    close(store, fixed, Resolution::ConfirmedFixed, Verdict::Right, at(9, 5)).await;

    // Never asked for consent.
    let silent = opened(store, "acme/wm-3", "bearing_wear", 0.93, at(7, 10)).await;
    held(store, silent, HoldReason::NoConsent, at(7, 10)).await;
    close(store, silent, Resolution::Unreachable, Verdict::NotChecked, day(12)).await;

    // Nobody there, busy, often enough for one day, and key 3; a person agrees on a visit.
    let patient = opened(store, "acme/wm-2", "heater_scale", 0.92, day(8)).await;
    let attempt = ring(store, patient, day(8)).await;
    end(store, attempt, None, CallResult::NoAnswer, at(8, 1)).await;
    waits(store, patient, HoldReason::Gap, at(8, 2)).await;
    let attempt = ring(store, patient, at(8, 190)).await;
    end(store, attempt, None, CallResult::Busy, at(8, 191)).await;
    waits(store, patient, HoldReason::PerDay, at(8, 205)).await;
    let attempt = ring(store, patient, at(9, 1)).await;
    end(
        store,
        attempt,
        Some(Disposition::PersonWanted),
        CallResult::Answered,
        at(9, 2),
    )
    .await;
    act(store, patient, TicketEvent::Taken, at(9, 30)).await;
    act(store, patient, booked(at(36, -60), at(36, 120)), at(9, 45)).await;

    // Key 9.
    let nine = opened(store, "acme/wm-4", "drain_pump_wear", 0.97, day(10)).await;
    let attempt = ring(store, nine, day(10)).await;
    end(
        store,
        attempt,
        Some(Disposition::DoNotCall),
        CallResult::Answered,
        at(10, 1),
    )
    .await;

    // Declined, and left as it is: the finding stays open.
    let declined = opened(store, "beta/hp-1", "compressor_wear", 0.85, day(16)).await;
    let attempt = ring(store, declined, day(16)).await;
    end(store, attempt, None, CallResult::Declined, at(16, 1)).await;
    let (resolution, verdict) = (Resolution::CustomerDeclined, Verdict::NotChecked);
    close(store, declined, resolution, verdict, day(17)).await;
}

/// It rings when the hub ends.
pub async fn rings_when_it_is_killed(store: &PostgresStore) -> TicketId {
    let ticket = opened(store, "acme/dw-1", "unknown_fault", 0.95, day(20)).await;
    let attempt = ring(store, ticket, day(20)).await;
    store
        .apply_attempt(attempt, AttemptEvent::Ringing, at(20, 1))
        .await
        .unwrap();
    ticket
}

/// What came of that call, and of the weeks before.
pub async fn after_the_restart(store: &PostgresStore, cut_off: TicketId) {
    let recovered = store.recover_attempts(day(21)).await.unwrap();
    assert_eq!(recovered[0].result, Some(CallResult::Unknown));
    assert_eq!(store.baselines_restarted().await.unwrap().len(), 1);
    store
        .set_consent(&tenant("acme"), "he", true, "letter", day(21))
        .await
        .unwrap();

    // The fault gets its name; a person asks for a call, and the owner rings back.
    alarm(store, "acme/dw-1", "circulation_pump_wear", 0.97, day(22)).await;
    act(store, cut_off, TicketEvent::CallRequested, at(22, 5)).await;
    let attempt = ring(store, cut_off, at(22, 6)).await;
    end(store, attempt, None, CallResult::NoAnswer, at(22, 7)).await;
    held(store, cut_off, HoldReason::UnknownAttempt, at(22, 8)).await;
    let lin = PhoneNumber::new("+8613800001111").unwrap();
    let order = store
        .begin_inbound(&tenant("acme"), &lin, at(22, 60), [60; 20])
        .await
        .unwrap()
        .order()
        .unwrap();
    let (attempt, chosen) = (order.attempt.id, Some(Disposition::AnotherTime));
    end(store, attempt, chosen, CallResult::Answered, at(22, 61)).await;
    act(store, cut_off, booked(at(45, 240), at(45, 420)), at(22, 90)).await;

    // Below the gate, and gone again.
    let unsure = opened(store, "acme/wm-1", "inlet_valve_leak", 0.7, day(28)).await;
    held(store, unsure, HoldReason::BelowGate, day(28)).await;
    let clear = Observation::Clear {
        appliance: appliance(store, "acme/wm-1").await,
    };
    commit(store, clear, day(29)).await;
}

pub async fn last_days(store: &PostgresStore) {
    // The visit that a person had agreed on: the baseline starts again, and its detector does not know it yet.
    let visited = ticket_of(store, "acme/wm-2").await;
    let (resolution, verdict) = (Resolution::ConfirmedFixed, Verdict::OtherFault);
    close(store, visited, resolution, verdict, at(36, 100)).await;

    // A false alarm, which is seen again within the cool-down.
    let wrong = opened(store, "acme/wm-6", "bearing_wear", 0.6, day(40)).await;
    held(store, wrong, HoldReason::NoOwner, day(40)).await;
    close(store, wrong, Resolution::FalseAlarm, Verdict::Wrong, at(40, 60)).await;
    let opened_again = alarm(store, "acme/wm-6", "bearing_wear", 0.65, day(41)).await;
    assert_eq!(opened_again, []);

    // Night where the owner lives.
    let night = opened(store, "acme/wm-5", "drain_pump_wear", 0.91, day(41)).await;
    waits(store, night, HoldReason::QuietHours, day(41)).await;

    // A call that is under way when the hub ends.
    let under_way = opened(store, "beta/wm-1", "drain_pump_wear", 0.96, day(42)).await;
    ring(store, under_way, day(42)).await;
}

/// The ticket of an appliance that is not closed.
pub async fn ticket_of(store: &PostgresStore, name: &str) -> TicketId {
    let id = appliance(store, name).await;
    let all = TicketFilter::default();
    let tickets = store.tickets(&Actor::hub("test"), &all, None, 100).await.unwrap().items;
    let mut of_it = tickets
        .iter()
        .filter(|summary| summary.ticket.appliance == id && !summary.ticket.is_closed());
    of_it.next().unwrap().ticket.id
}

async fn opened(store: &PostgresStore, name: &str, class: &str, probability: f32, now: Timestamp) -> TicketId {
    alarm(store, name, class, probability, now).await[0]
}

/// The tickets that are opened with an alarm.
pub async fn alarm(store: &PostgresStore, name: &str, class: &str, probability: f32, now: Timestamp) -> Vec<TicketId> {
    let pump = Contribution {
        channel: "current_a".to_owned(),
        share: 0.75,
        value: 1.9,
        baseline_mean: 1.55,
        baseline_deviation: 0.05,
        unit: "A".to_owned(),
    };
    let point = |hours: i64| EvidencePoint {
        at: now - SignedDuration::from_hours(hours),
        score: 0.25,
        values: vec![1.5, -0.125],
    };
    let since = now - SignedDuration::from_hours(30);
    let alarm = Observation::Alarm {
        appliance: appliance(store, name).await,
        prediction: Box::new(FaultPrediction {
            fault_class: class.to_owned(),
            probability,
            verdicts: None,
            severity: Severity::Major,
            score: 1.5,
            model: "washing-machine/1".to_owned(),
            model_hash: None,
            below_call_level: false,
            at: now,
            since,
            top: vec![pump.clone()],
            second_opinion: None,
            basis: Basis {
                kind: EvidenceKind::Fleet,
                stated: Counted { right: 100, wrong: 0 },
            },
        }),
        evidence: Evidence {
            channels: vec![pump],
            points: vec![point(48), point(24), point(0)],
            anomalous_since: since,
        },
        trace: TraceId(Uuid::from_u128(u128::try_from(now.as_second()).unwrap())),
    };
    commit(store, alarm, now).await
}

async fn commit(store: &PostgresStore, observation: Observation, now: Timestamp) -> Vec<TicketId> {
    let commit = ScoringCommit {
        observations: vec![observation],
        ..ScoringCommit::default()
    };
    let changes = store.commit_scoring(&commit, now).await.unwrap();
    changes.iter().filter_map(|change| change.opened).collect()
}

/// What becomes of a call, which a person approves where it waits for that.
async fn begins(store: &PostgresStore, ticket: TicketId, now: Timestamp) -> Begun {
    let second = now.as_second().to_be_bytes();
    let mut random = [0; 20];
    random[..8].copy_from_slice(&second);
    let begun = store.begin_attempt(ticket, now, random).await.unwrap();
    let for_approval = [HoldReason::ReadyToRing, HoldReason::NoCallLevel].map(Begun::Held);
    if !for_approval.contains(&begun) {
        return begun;
    }
    act(store, ticket, TicketEvent::CallApproved, now).await;
    store.begin_attempt(ticket, now, random).await.unwrap()
}

async fn ring(store: &PostgresStore, ticket: TicketId, now: Timestamp) -> AttemptId {
    match begins(store, ticket, now).await {
        Begun::Ring(order) => order.attempt.id,
        other => panic!("{other:?}"),
    }
}

async fn waits(store: &PostgresStore, ticket: TicketId, wanted: HoldReason, now: Timestamp) {
    match begins(store, ticket, now).await {
        Begun::Waits { reason, .. } => assert_eq!(reason, wanted),
        other => panic!("{other:?}"),
    }
}

async fn held(store: &PostgresStore, ticket: TicketId, wanted: HoldReason, now: Timestamp) {
    let begun = store.begin_attempt(ticket, now, [1; 20]).await.unwrap();
    assert_eq!(begun, Begun::Held(wanted));
}

/// The rest of a call: what was chosen, if it was answered, and how it ended.
async fn end(
    store: &PostgresStore,
    attempt: AttemptId,
    chosen: Option<Disposition>,
    result: CallResult,
    now: Timestamp,
) {
    let mut events = Vec::new();
    if let Some(disposition) = chosen {
        events.extend([AttemptEvent::Answered, AttemptEvent::Chose(disposition)]);
    }
    let detail = json!({"ring_ms": 5_200, "packets": {"sent": 900, "received": 870}, "transcript": ["您好", "yes"]});
    events.push(AttemptEvent::Ended { result, detail });
    for event in events {
        store.apply_attempt(attempt, event, now).await.unwrap();
    }
}

async fn act(store: &PostgresStore, ticket: TicketId, event: TicketEvent, now: Timestamp) {
    store
        .apply_ticket(&Actor::hub(AGENT), ticket, &event, now)
        .await
        .unwrap();
}

/// A visit that a person agreed on.
fn booked(start: Timestamp, end: Timestamp) -> TicketEvent {
    TicketEvent::Booked {
        slot: Slot { start, end },
        service_point: "pudong".to_owned(),
    }
}

async fn close(store: &PostgresStore, ticket: TicketId, resolution: Resolution, verdict: Verdict, now: Timestamp) {
    let outcome = Outcome {
        resolution,
        verdict,
        note: "what the technician wrote, 已更换\n\tand a second line".to_owned(),
        part: None,
    };
    act(store, ticket, TicketEvent::Closed { outcome }, now).await;
}
