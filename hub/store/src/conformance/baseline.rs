//! Baselines that start over, and firmware that makes them do so.

use super::Harness;
use super::scene::{after, alarm, appliance, findings, played, seen, site};
use crate::Store;
use crate::birth::{Birth, ResetReason, StateContent};
use crate::telemetry::Ingest;
use hub_core::actor::Actor;
use hub_core::baseline::{Baseline, FirmwareChange, RESTARTS_KEPT, RestartReason};
use hub_core::id::ApplianceId;
use hub_core::outcome::{Outcome, Resolution, Verdict};
use hub_core::ticket::TicketEvent;
use serde_json::json;

/// What a device agent says of its firmware, so many minutes later.
fn born(appliance: ApplianceId, firmware: &str, minutes: i64) -> Ingest {
    let birth = Birth {
        boot: minutes.cast_unsigned(),
        model: "WM7".into(),
        firmware: firmware.into(),
        sdk: "0.1.0".into(),
        reset: ResetReason::Update,
        takes_cbor: false,
        settings: 0,
        dropped_events: 0,
        dropped_telemetry: 0,
    };
    Ingest::State {
        appliance,
        payload: b"state".to_vec(),
        content: StateContent::Birth(Box::new(birth)),
        retain: true,
        at: after(minutes),
    }
}

/// What any device says of its firmware.
fn attribute(appliance: ApplianceId, firmware: &str, minutes: i64) -> Ingest {
    Ingest::Attributes {
        appliance,
        values: json!({ "firmware": firmware }).as_object().unwrap().clone(),
        at: after(minutes),
    }
}

async fn baseline(store: &dyn Store, appliance: ApplianceId) -> Baseline {
    store.baseline(&Actor::hub("test"), appliance).await.unwrap()
}

/// Newest version told, and the one of the baseline.
async fn versions(store: &dyn Store, appliance: ApplianceId) -> Option<(String, String)> {
    let firmware = baseline(store, appliance).await.firmware?;
    Some((firmware.told, firmware.baseline))
}

fn pair(told: &str, baseline: &str) -> Option<(String, String)> {
    Some((told.to_owned(), baseline.to_owned()))
}

pub(super) async fn another_firmware_restarts_the_baseline_and_says_why(h: &dyn Harness) {
    let (place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let other = appliance(&*store, "acme", "wm-2").await;
    let ids = [id, other];
    assert_eq!(baseline(&*store, id).await, Baseline::default());
    store
        .ingest(&[born(id, "1.2", 1), born(other, "1.2", 1), born(id, "1.2", 2)])
        .await
        .unwrap();
    assert!(store.firmware_changes(&ids).await.unwrap().is_empty());
    assert!(store.follow_firmware(&ids, after(3)).await.unwrap().is_empty());

    // Another one, the same again, and one that a later batch brings late.
    store.ingest(&[born(id, "1.3", 5), born(id, "1.3", 6)]).await.unwrap();
    store.ingest(&[born(id, "1.1", 4)]).await.unwrap();
    assert_eq!(store.firmware_changes(&ids).await.unwrap(), [(id, after(5))]);
    assert!(store.firmware_changes(&[other]).await.unwrap().is_empty());
    drop(store);
    let store = place.hub().await;
    assert!(store.follow_firmware(&[other], after(7)).await.unwrap().is_empty());
    assert_eq!(store.follow_firmware(&ids, after(7)).await.unwrap(), [id]);
    assert!(store.follow_firmware(&ids, after(7)).await.unwrap().is_empty());
    assert_eq!(store.baselines_restarted().await.unwrap(), [id]);
    let told = baseline(&*store, id).await;
    let reason = RestartReason::Firmware {
        from: "1.2".into(),
        to: "1.3".into(),
    };
    assert_eq!(told.restarts.len(), 1);
    assert_eq!((told.restarts[0].at, &told.restarts[0].reason), (after(7), &reason));
    assert_eq!(told.change(after(7)), FirmwareChange::Nothing);

    // The next one within a day is noted, and waits.
    store.ingest(&[born(id, "1.4", 60)]).await.unwrap();
    assert!(store.follow_firmware(&ids, after(61)).await.unwrap().is_empty());
    let tomorrow = after(7 + 24 * 60);
    let told = baseline(&*store, id).await;
    assert_eq!(told.change(after(61)), FirmwareChange::WaitsUntil(tomorrow));
    assert_eq!(store.follow_firmware(&ids, tomorrow).await.unwrap(), [id]);
    let told = baseline(&*store, id).await;
    let firmware = told.firmware.unwrap();
    assert_eq!((firmware.restarts, firmware.restarted_at), (2, Some(tomorrow)));
    assert_eq!(told.restarts[0].at, tomorrow);
}

pub(super) async fn firmware_is_told_by_the_agent_or_else_by_an_attribute(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    store.ingest(&[attribute(id, "1.2", 1)]).await.unwrap();
    assert_eq!(versions(&*store, id).await, pair("1.2", "1.2"));
    store.ingest(&[attribute(id, "1.3", 3)]).await.unwrap();
    store.ingest(&[attribute(id, "1.1", 2)]).await.unwrap();
    assert_eq!(versions(&*store, id).await, pair("1.3", "1.2"));
    // What is no version changes nothing.
    let no_version = Ingest::Attributes {
        appliance: id,
        values: json!({ "firmware": 7 }).as_object().unwrap().clone(),
        at: after(4),
    };
    store
        .ingest(&[no_version, attribute(id, " ", 5), attribute(id, &"1".repeat(65), 6)])
        .await
        .unwrap();
    assert_eq!(versions(&*store, id).await, pair("1.3", "1.2"));
    // From now on the agent says it.
    store.ingest(&[born(id, "1.4\u{0}", 7)]).await.unwrap();
    store.ingest(&[attribute(id, "1.5", 8)]).await.unwrap();
    assert_eq!(versions(&*store, id).await, pair("1.4\u{fffd}", "1.2"));
}

pub(super) async fn firmware_waits_until_what_was_found_is_closed(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    store.ingest(&[born(id, "1.2", 1)]).await.unwrap();
    let raised = seen(vec![alarm(id, "drain_pump_wear", 0.95)]);
    let ticket = store.commit_scoring(&raised, after(2)).await.unwrap()[0]
        .opened
        .unwrap();
    let found = findings(&*store).await;
    store.ingest(&[born(id, "1.3", 3)]).await.unwrap();
    assert!(store.follow_firmware(&[id], after(4)).await.unwrap().is_empty());
    assert_eq!(
        baseline(&*store, id).await.change(after(4)),
        FirmwareChange::WaitsForFault
    );
    assert_eq!(findings(&*store).await, found);
    assert!(store.baselines_restarted().await.unwrap().is_empty());

    let closed = TicketEvent::Closed {
        outcome: Outcome {
            resolution: Resolution::FalseAlarm,
            verdict: Verdict::Wrong,
            note: String::new(),
            part: None,
        },
    };
    let hub = Actor::hub("test");
    store.apply_ticket(&hub, ticket, &closed, after(5)).await.unwrap();
    assert_eq!(baseline(&*store, id).await.change(after(6)), FirmwareChange::Due);
    assert_eq!(store.follow_firmware(&[id], after(6)).await.unwrap(), [id]);
}

pub(super) async fn each_restart_has_its_reason_and_the_newest_are_kept(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    store.ingest(&[born(id, "1.2", 1)]).await.unwrap();
    store.ingest(&[born(id, "1.3", 2)]).await.unwrap();
    let raised = seen(vec![alarm(id, "drain_pump_wear", 0.95)]);
    let ticket = store.commit_scoring(&raised, after(3)).await.unwrap()[0]
        .opened
        .unwrap();
    let repaired = TicketEvent::Closed {
        outcome: Outcome {
            resolution: Resolution::ConfirmedFixed,
            verdict: Verdict::Right,
            note: String::new(),
            part: None,
        },
    };
    let hub = Actor::hub("test");
    store.apply_ticket(&hub, ticket, &repaired, after(4)).await.unwrap();
    // The baseline that is learned now is that of the newest firmware.
    assert_eq!(versions(&*store, id).await, pair("1.3", "1.3"));
    let moves = i64::try_from(RESTARTS_KEPT).unwrap();
    let mut site = site();
    for owner in 0..moves {
        let owners = ["wang", "lin"];
        let next = owners[usize::try_from(owner % 2).unwrap()];
        site.tenants[0].devices[0].owner = Some(next.to_owned());
        store.apply_site(&site, after(5 + owner), false).await.unwrap();
        let told = baseline(&*store, id).await;
        assert_eq!(told.restarts[0].reason, RestartReason::NewOwner);
        let is_kept = told
            .restarts
            .iter()
            .any(|restart| restart.reason == RestartReason::Repaired);
        assert_eq!(is_kept, owner + 1 < moves);
    }
    let told = baseline(&*store, id).await;
    assert_eq!(told.restarts.len(), RESTARTS_KEPT);
    assert!(told.restarts.windows(2).all(|pair| pair[0].at > pair[1].at));
    site.tenants[0].devices[0].profile = "dishwasher".to_owned();
    store.apply_site(&site, after(90), false).await.unwrap();
    assert_eq!(
        baseline(&*store, id).await.restarts[0].reason,
        RestartReason::OtherProfile
    );
}
