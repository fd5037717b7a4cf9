//! Firmware that changes while readings are scored.

use super::*;
use hub_core::baseline::{Baseline, FirmwareChange, RestartReason};
use hub_core::outcome::{Outcome, Resolution, Verdict};
use hub_core::ticket::TicketEvent;
use hub_store::ticket::{TicketFilter, TicketStore};
use serde_json::json;

/// Reading of the first pump with which its other firmware begins.
const CHANGE: usize = 50;

/// The device of a pump tells its firmware, just before this reading of it.
async fn tell(world: &World, pump: usize, version: &str, reading: usize) {
    let told = Ingest::Attributes {
        appliance: world.ids[pump],
        values: json!({ "firmware": version }).as_object().unwrap().clone(),
        at: world.rows[2 * reading].received_at,
    };
    world.store.ingest(&[told]).await.unwrap();
}

async fn baseline(world: &World, pump: usize) -> Baseline {
    let hub = Actor::hub("test");
    world.store.baseline(&hub, world.ids[pump]).await.unwrap()
}

/// What detectors hold where no firmware has changed.
async fn unchanged() -> [Vec<u8>; 2] {
    let world = World::new().await;
    world.ingest(BEFORE, ALL).await;
    let mut worker = world.worker();
    assert_eq!(run(&mut worker).await, Ran::default());
    world.states(&worker)
}

/// However rounds fall, and whether the hub was restarted: the baseline begins with the first reading behind the change.
#[tokio::test]
async fn another_firmware_begins_a_baseline_with_its_first_reading() {
    let at_once = World::new().await;
    tell(&at_once, 0, "1.2", 0).await;
    at_once.ingest(BEFORE, CHANGE).await;
    tell(&at_once, 0, "1.3", CHANGE).await;
    at_once.ingest(CHANGE, ALL).await;
    let mut worker = at_once.worker();
    assert_eq!(run(&mut worker).await, Ran::default());
    let states = at_once.states(&worker);
    let without = unchanged().await;
    assert_ne!(states[0], without[0]);
    assert_eq!(states[1], without[1]);

    let by_and_by = World::new().await;
    tell(&by_and_by, 0, "1.2", 0).await;
    let mut worker = by_and_by.worker();
    run(&mut worker).await;
    by_and_by.ingest(BEFORE, CHANGE).await;
    run(&mut worker).await;
    tell(&by_and_by, 0, "1.3", CHANGE).await;
    by_and_by.ingest(CHANGE, ALL).await;
    run(&mut worker).await;
    assert_eq!(by_and_by.states(&worker), states);

    let mut restarted = by_and_by.worker();
    run(&mut restarted).await;
    assert_eq!(by_and_by.states(&restarted), states);

    let told = baseline(&by_and_by, 0).await;
    let reason = RestartReason::Firmware {
        from: "1.2".into(),
        to: "1.3".into(),
    };
    assert_eq!(told.restarts.len(), 1);
    assert_eq!(told.restarts[0].reason, reason);
    assert_eq!(told.change(start()), FirmwareChange::Nothing);
    assert_eq!(baseline(&by_and_by, 1).await, Baseline::default());
}

#[tokio::test]
async fn the_first_firmware_and_the_same_again_restart_nothing() {
    let world = World::new().await;
    let mut worker = world.worker();
    run(&mut worker).await;
    tell(&world, 0, "1.2", BEFORE).await;
    world.ingest(BEFORE, CHANGE).await;
    tell(&world, 0, "1.2", CHANGE).await;
    world.ingest(CHANGE, ALL).await;
    run(&mut worker).await;
    assert_eq!(world.states(&worker), unchanged().await);
    assert!(baseline(&world, 0).await.restarts.is_empty());
}

/// A second change on the same day is noted, and the newest counts when the day is over.
#[tokio::test]
async fn firmware_that_flaps_restarts_once_a_day() {
    let world = World::new().await;
    let clock = Arc::new(ManualClock::new(start()));
    let mut worker = world.worker();
    worker.clock = clock.clone();
    for (version, reading) in [("a", 0), ("b", 41), ("a", 43), ("c", 45)] {
        tell(&world, 0, version, reading).await;
        world.ingest(reading.max(BEFORE), reading.max(BEFORE) + 1).await;
        run(&mut worker).await;
    }
    let told = baseline(&world, 0).await;
    let firmware = told.firmware.clone().unwrap();
    assert_eq!((told.restarts.len(), firmware.baseline.as_str()), (1, "b"));
    let tomorrow = start() + jiff::SignedDuration::from_hours(24);
    assert_eq!(told.change(start()), FirmwareChange::WaitsUntil(tomorrow));

    clock.advance(Duration::from_secs(24 * 3_600));
    worker.waiting = Waiting::default();
    world.ingest(46, 47).await;
    run(&mut worker).await;
    let told = baseline(&world, 0).await;
    assert_eq!(told.restarts.len(), 2);
    assert_eq!(told.firmware.unwrap().baseline, "c");
}

/// The second pump loses flow and does not find it again: that is not taken for the normal of another firmware.
#[tokio::test]
async fn an_alarm_that_stands_keeps_its_baseline_until_it_is_closed() {
    let world = World::with(LONG + 5).await;
    let mut worker = world.worker();
    tell(&world, 1, "1.2", 0).await;
    world.ingest(BEFORE, LONG - 10).await;
    run(&mut worker).await;
    tell(&world, 1, "1.3", LONG - 10).await;
    world.ingest(LONG - 10, LONG).await;
    run(&mut worker).await;
    let told = baseline(&world, 1).await;
    assert_eq!(
        (told.change(start()), told.restarts.len()),
        (FirmwareChange::WaitsForFault, 0)
    );
    let hub = Actor::hub("test");
    let tickets = async || {
        let all = world.store.tickets(&hub, &TicketFilter::default(), None, 100).await;
        let mut items = all.unwrap().items;
        items.retain(|ticket| ticket.appliance.id == world.ids[1] && !ticket.ticket.is_closed());
        items
    };
    let open = tickets().await;
    assert_eq!(open.len(), 1);

    let closed = TicketEvent::Closed {
        outcome: Outcome {
            resolution: Resolution::FalseAlarm,
            verdict: Verdict::Wrong,
            note: String::new(),
            part: None,
        },
    };
    let ticket = open[0].ticket.id;
    world.store.apply_ticket(&hub, ticket, &closed, start()).await.unwrap();
    worker.waiting = Waiting::default();
    world.ingest(LONG, LONG + 5).await;
    run(&mut worker).await;
    let told = baseline(&world, 1).await;
    assert_eq!(
        (told.change(start()), told.restarts.len()),
        (FirmwareChange::Nothing, 1)
    );
    let findings = world.store.findings(&hub, None, 100).await.unwrap().items;
    assert!(
        findings.iter().any(|finding| finding.ticket == Some(ticket)),
        "what was found is kept"
    );
}
