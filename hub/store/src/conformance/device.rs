//! Commands with their state, attributes told to devices, and what their profiles do not know.

use super::Harness;
use super::scene::{after, appliance, message, morning, played, tenant};
use crate::device::{CommandState, SHARED_ATTRIBUTES_MAX};
use crate::error::StoreError;
use crate::telemetry::{COMMANDS_WAITING_MAX, Command, Ingest};
use hub_core::actor::Actor;
use serde_json::{Map, Value, json};
use std::time::Duration;

fn command(request: &str, body: &str) -> Command {
    Command {
        number: 0,
        sent: false,
        takes_cbor: false,
        request: request.into(),
        body: body.into(),
        expires_at: after(60),
    }
}

fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

pub(super) async fn a_command_is_followed_from_the_queue_to_the_answer(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let acme = Actor::hub("test").within(Some(tenant("acme")));
    let state = async |request: &str, minute| store.command(&acme, id, request, after(minute)).await.unwrap().state;

    let sent = store
        .send_command(&acme, id, &command("r1", "{}"), morning())
        .await
        .unwrap();
    assert_eq!((sent.state, sent.sent_at), (CommandState::Queued, None));
    let one = ["r1".to_owned()];
    store.commands_passed(id, &one, false, after(1)).await.unwrap();
    assert_eq!(state("r1", 1).await, CommandState::Sent);
    store.commands_passed(id, &one, true, after(2)).await.unwrap();
    assert_eq!(state("r1", 2).await, CommandState::Taken);
    assert_eq!(state("r1", 60).await, CommandState::Expired);
    let reply = Ingest::Reply {
        appliance: id,
        request: "r1".into(),
        payload: b"done".to_vec(),
        at: after(3),
    };
    store.ingest(&[reply]).await.unwrap();
    let view = store.command(&acme, id, "r1", after(61)).await.unwrap();
    assert_eq!(
        (view.state, view.reply),
        (CommandState::Replied, Some(b"done".to_vec()))
    );
    assert_eq!((view.taken_at, view.replied_at), (Some(after(2)), Some(after(3))));

    // The same again is the same; the same name for something else is refused.
    store
        .send_command(&acme, id, &command("r1", "{}"), after(4))
        .await
        .unwrap();
    let other = store.send_command(&acme, id, &command("r1", "[]"), after(4)).await;
    assert!(matches!(other, Err(StoreError::Conflict(_))), "{other:?}");
    for n in 0..COMMANDS_WAITING_MAX {
        let next = command(&format!("w{n}"), "{}");
        store.send_command(&acme, id, &next, after(5)).await.unwrap();
    }
    let full = store
        .send_command(&acme, id, &command("too-many", "{}"), after(5))
        .await;
    assert!(matches!(full, Err(StoreError::Refused(_))), "{full:?}");
    let first = store.commands(&acme, id, None, 2, after(5)).await.unwrap();
    let names: Vec<_> = first.items.iter().map(|c| c.request.as_str()).collect();
    assert_eq!(names, ["w31", "w30"], "newest first");
    let next = store
        .commands(&acme, id, first.next.as_deref(), 200, after(5))
        .await
        .unwrap();
    assert_eq!((next.items.len(), next.next), (31, None));
}

pub(super) async fn attributes_are_merged_bounded_and_announced(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let told = map(json!({ "mode": "eco\u{0}", "interval_s": 30, "gone": 1 }));
    store
        .share_attributes(&Actor::hub("test"), id, &told, morning())
        .await
        .unwrap();
    assert_eq!(store.attributes_shared(Duration::from_secs(5)).await, [id]);
    let shared = store
        .share_attributes(
            &Actor::hub("test"),
            id,
            &map(json!({ "gone": null, "interval_s": 60 })),
            after(1),
        )
        .await
        .unwrap();
    assert_eq!(
        Value::Object(shared),
        json!({ "mode": "eco\u{fffd}", "interval_s": 60 })
    );
    let client = Ingest::Attributes {
        appliance: id,
        values: map(json!({ "firmware": "2.1" })),
        at: after(1),
    };
    store.ingest(&[client]).await.unwrap();
    let both = store.device_attributes(&Actor::hub("test"), id).await.unwrap();
    assert_eq!((both.client, both.shared.len()), (map(json!({ "firmware": "2.1" })), 2));
    let many: Map<String, Value> = (0..SHARED_ATTRIBUTES_MAX)
        .map(|n| (format!("n{n}"), json!(n)))
        .collect();
    let refused = store.share_attributes(&Actor::hub("test"), id, &many, after(2)).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    assert_eq!(
        store
            .device_attributes(&Actor::hub("test"), id)
            .await
            .unwrap()
            .shared
            .len(),
        2
    );
}

pub(super) async fn what_the_profile_does_not_know_is_named(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let mut readings = message(id, 1, 0, 3);
    readings.samples[0].extra = Some(json!({ "unknown": { "door": 1, "lid": 2 } }));
    readings.samples[2].extra = Some(json!({ "unknown": { "door": 3 }, "out_of_range": { "current": 1e9 } }));
    store.ingest(&[Ingest::Telemetry(readings)]).await.unwrap();
    let unplaced = store.unplaced(&Actor::hub("test"), id).await.unwrap();
    assert_eq!(unplaced.unknown, ["door", "lid"]);
    assert_eq!(unplaced.out_of_range, ["current"]);
}

pub(super) async fn nothing_is_said_of_another_tenants_device(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let beta = Actor::hub("test").within(Some(tenant("beta")));
    let now = morning();
    let refused = [
        store.send_command(&beta, id, &command("r", "{}"), now).await.map(drop),
        store.commands(&beta, id, None, 10, now).await.map(drop),
        store.command(&beta, id, "r", now).await.map(drop),
        store.device_attributes(&beta, id).await.map(drop),
        store
            .share_attributes(&beta, id, &map(json!({ "a": 1 })), now)
            .await
            .map(drop),
        store.unplaced(&beta, id).await.map(drop),
    ];
    for answer in refused {
        assert!(matches!(answer, Err(StoreError::NotFound { .. })), "{answer:?}");
    }
}
