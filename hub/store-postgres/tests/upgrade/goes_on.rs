//! A hub takes up a life (`life`) where the one before it stopped, and makes more of it.

use super::keeps::story_of;
use super::life::{SAMPLES, alarm, appliance, at, day, hole, run, tail, tenant, ticket_of};
use hub_core::actor::Actor;
use hub_core::call_result::CallResult;
use hub_core::call_rules::HoldReason;
use hub_core::contact::AttemptEvent;
use hub_core::contact::ContactPhase;
use hub_core::id::AccountId;
use hub_core::outcome::{Outcome, Resolution, Verdict};
use hub_core::telemetry::TelemetryMessage;
use hub_core::ticket::TicketEvent;
use hub_store::access::AccessStore;
use hub_store::account::{AccountStore, Idempotency};
use hub_store::conformance::scene::{repeated, rolled_up, stored};
use hub_store::contact::{Begun, ContactStore};
use hub_store::event::{EventCursor, EventStore};
use hub_store::prediction::{PredictionStore, ScoredUpTo, ScoringCommit};
use hub_store::reading::ReadingStore;
use hub_store::retention::UpkeepStore;
use hub_store::site::SiteStore;
use hub_store::telemetry::{Ingest, Ingested, TelemetryStore};
use hub_store::ticket::TicketStore;
use hub_store_postgres::PostgresStore;
use jiff::SignedDuration;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Transactions of tests beside hide events for as long as they are open.
const EVENTS_WITHIN: Duration = Duration::from_secs(10);

/// The hub has the lease.
pub async fn from_where_it_stopped(store: &PostgresStore) {
    readings_come(store).await;
    they_are_read(store).await;
    a_person_acts(store).await;
    people_are_rung(store).await;
    nothing_is_done_twice(store).await;
}

/// Old numbers are known, whichever hub stored them, and missing ones are taken as new ones are.
async fn readings_come(store: &PostgresStore) {
    let ingest =
        async |message: TelemetryMessage| -> Ingested { store.ingest(&[Ingest::Telemetry(message)]).await.unwrap()[0] };
    let (wm_1, wm_3) = (appliance(store, "acme/wm-1").await, appliance(store, "acme/wm-3").await);
    let whole = u32::try_from(SAMPLES).unwrap();
    // The first that there ever were, some of the second start, and the last, which nobody has counted yet.
    for number in [0, 6, 8, 20, 22, 40] {
        assert_eq!(
            ingest(run(0, wm_1, number).unwrap()).await,
            repeated(whole),
            "day {number}"
        );
    }
    assert_eq!(ingest(tail(0, wm_1, 41, 0)).await, repeated(whole));
    assert_eq!(ingest(hole(2, wm_3, 0, 8, day(43))).await, repeated(3));
    assert_eq!(ingest(hole(2, wm_3, 1, 29, day(43))).await, repeated(3));
    for start in [0, 1] {
        assert_eq!(
            ingest(hole(0, wm_1, start, 8 + 21 * i64::try_from(start).unwrap(), day(43))).await,
            stored(3)
        );
    }
    assert_eq!(ingest(tail(0, wm_1, 41, SAMPLES)).await, stored(whole));
    // The same JSON within ten minutes.
    let beta = appliance(store, "beta/wm-1").await;
    let mut again = run(5, beta, 41).unwrap();
    again.received_at += SignedDuration::from_mins(5);
    assert_eq!(ingest(again.clone()).await, repeated(whole));
    again.received_at += SignedDuration::from_mins(15);
    assert_eq!(ingest(again).await, stored(whole));
}

/// What waited for its readers, and what is new.
async fn they_are_read(store: &PostgresStore) {
    let before = store.samples_stored().await.unwrap();
    rolled_up(store).await;
    let wm_1 = appliance(store, "acme/wm-1").await;
    let view = store.appliance(&Actor::hub("test"), wm_1).await.unwrap();
    // 105 and the tail; what was missing, and what is new.
    assert_eq!((view.samples, view.gaps), (105 + 5 + 6 + 5, 0));
    assert_eq!(store.samples_stored().await.unwrap(), before);
    while store.aggregate(None, 1_000, day(43)).await.unwrap() > 0 {}
    let days = store
        .device_daily(&Actor::hub("test"), wm_1, "phase", at(0, -120), day(60))
        .await
        .unwrap();
    assert_eq!(days.iter().map(|day| day.count).sum::<i64>(), view.samples);
    let rows = store.unscored(1_000, None).await.unwrap().rows;
    // Of wm-1 the tail, what was missing and what is new; of wm-3 what came late; of beta's what came again.
    assert_eq!(rows.len(), 16 + 3 + 5);
    let commit = ScoringCommit {
        offsets: ScoredUpTo::reach(&rows),
        ..ScoringCommit::default()
    };
    store.commit_scoring(&commit, day(43)).await.unwrap();
}

async fn a_person_acts(store: &PostgresStore) {
    let id = ticket_of(store, "acme/dw-1").await;
    let act = async |event: TicketEvent| {
        let acme = Actor::hub("agent-2@acme").within(Some(tenant("acme")));
        store.apply_ticket(&acme, id, &event, day(46)).await.unwrap()
    };
    assert_eq!(act(TicketEvent::Taken).await.assignee.as_deref(), Some("agent-2@acme"));
    let outcome = Outcome {
        resolution: Resolution::ConfirmedFixed,
        verdict: Verdict::Right,
        note: "a new pump".to_owned(),
        part: None,
    };
    let closed = act(TicketEvent::Closed {
        outcome: outcome.clone(),
    })
    .await;
    assert_eq!((closed.is_closed(), closed.outcome), (true, Some(outcome)));
    let restarted = store.baselines_restarted().await.unwrap();
    let (dw_1, wm_2) = (appliance(store, "acme/dw-1").await, appliance(store, "acme/wm-2").await);
    assert!(restarted.len() == 2 && restarted.contains(&dw_1) && restarted.contains(&wm_2));
}

/// The call that was under way is not known, the one that waited for the morning is placed, and tickets are numbered on.
async fn people_are_rung(store: &PostgresStore) {
    let recovered = store.recover_attempts(day(43)).await.unwrap();
    assert_eq!(
        recovered.iter().map(|attempt| attempt.result).collect::<Vec<_>>(),
        [Some(CallResult::Unknown)]
    );
    assert_eq!(
        story_of(store, "beta/wm-1").await.ticket.contact.phase,
        ContactPhase::Held
    );
    let morning = ticket_of(store, "acme/wm-5").await;
    let mut begun = store.begin_attempt(morning, at(43, 480), [9; 20]).await.unwrap();
    if matches!(begun, Begun::Held(reason) if HoldReason::FOR_APPROVAL.contains(&reason)) {
        // It was found before models stated their evidence, or nothing is known of the fleet: a person approves the call.
        let approved = TicketEvent::CallApproved;
        let agent = Actor::hub("agent@acme");
        store
            .apply_ticket(&agent, morning, &approved, at(43, 480))
            .await
            .unwrap();
        begun = store.begin_attempt(morning, at(43, 480), [9; 20]).await.unwrap();
    }
    let Begun::Ring(order) = begun else {
        panic!("it is 11:00 where the owner lives");
    };
    assert_eq!(order.owner.phone.unwrap().reveal(), "+493023125055");
    let ended = AttemptEvent::Ended {
        result: CallResult::Busy,
        detail: serde_json::Value::Null,
    };
    store.apply_attempt(order.attempt.id, ended, at(43, 481)).await.unwrap();

    // A new fault, one that everybody knows, and the one that was held back after the false alarm.
    let opened = alarm(store, "acme/wm-4", "bearing_wear", 0.95, at(43, 100)).await;
    assert_eq!(opened.len(), 2);
    let mut numbers = Vec::new();
    for id in opened {
        numbers.push(
            store
                .ticket(&Actor::hub("test"), id, day(43))
                .await
                .unwrap()
                .ticket
                .number,
        );
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [9, 10]);
    assert_eq!(alarm(store, "acme/wm-3", "bearing_wear", 0.99, at(43, 101)).await, []);
}

/// What was told or begun before the hub ended is known, and what it wrote is read on.
async fn nothing_is_done_twice(store: &PostgresStore) {
    let admin = AccountId(Uuid::from_u128(0xadd));
    let known = [
        ("answered", Idempotency::Done(201, "{\"number\":8}".to_owned())),
        ("cut-off", Idempotency::UnderWay),
    ];
    for ((key, wanted), request) in known.into_iter().zip([[3; 32], [4; 32]]) {
        assert_eq!(
            store.idempotency(admin, key, request, at(42, 60)).await.unwrap(),
            wanted
        );
    }
    assert_eq!(store.access_changed(Duration::ZERO).await.unwrap().len(), 8);
    let mut cursor = EventCursor {
        epoch: 0,
        transaction: 0,
        number: 0,
    };
    let (mut kinds, until) = (Vec::new(), Instant::now() + EVENTS_WITHIN);
    let counts = loop {
        let events = store.events_after(&Actor::hub("test"), cursor, 50).await.unwrap();
        if let Some(last) = events.last() {
            cursor = last.cursor;
            kinds.extend(events.into_iter().map(|event| event.kind));
            continue;
        }
        let count = |kind: &str| kinds.iter().filter(|found| *found == kind).count();
        let counts = (count("ticket.opened"), count("contact.found_after_restart"));
        if counts == (12, 2) || Instant::now() > until {
            break counts;
        }
        store.event_arrived(Duration::from_millis(20)).await;
    };
    assert_eq!(counts, (12, 2));
}
