//! What devices say besides readings: kept with the same commit, and stored once where it carries a packet identifier.

use super::Harness;
use super::scene::{
    after, all, appliance, morning, played, quarantine, repeated, rolled_up, stored, telemetry, tenant, waiting,
};
use crate::Store;
use crate::StoreError;
use crate::birth::StateContent;
use crate::telemetry::{Command, Ingest, Quarantined};
use hub_core::actor::Actor;
use hub_core::id::ApplianceId;
use serde_json::{Value, json};

async fn kept(store: &dyn Store) -> Option<Vec<u8>> {
    let states = store.retained_states(&tenant("acme"), None, 10).await.unwrap();
    states.into_iter().next().map(|state| state.payload)
}

fn state(appliance: ApplianceId, payload: &str, retain: bool, minutes: i64) -> Ingest {
    Ingest::State {
        appliance,
        payload: payload.into(),
        content: StateContent::Other,
        retain,
        at: after(minutes),
    }
}

pub(super) async fn the_last_state_is_kept_and_an_empty_one_forgets_it(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let batch = [
        state(id, "on", true, 1),
        state(id, "washing", true, 2),
        state(id, "passing", false, 3),
    ];
    assert_eq!(store.ingest(&batch).await.unwrap(), [stored(1), stored(1), stored(0)]);
    assert_eq!(kept(&*store).await.as_deref(), Some(&b"washing"[..]));
    // A batch that failed comes later than one that did not.
    store.ingest(&[state(id, "older", true, 1)]).await.unwrap();
    store.ingest(&[state(id, "", true, 0)]).await.unwrap();
    assert_eq!(kept(&*store).await.as_deref(), Some(&b"washing"[..]));
    store.ingest(&[state(id, "", true, 4)]).await.unwrap();
    assert_eq!(kept(&*store).await, None);
}

pub(super) async fn attributes_replace_each_other_by_name_and_are_bounded(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let told = |minutes, values: Value| Ingest::Attributes {
        appliance: id,
        values: values.as_object().unwrap().clone(),
        at: after(minutes),
    };
    let batch = [
        told(1, json!({"firmware": "1.0", "a\u{0}b": ["\u{0}"]})),
        told(2, json!({"firmware": "1.1"})),
    ];
    assert_eq!(store.ingest(&batch).await.unwrap(), [stored(1); 2]);
    store.ingest(&[told(0, json!({"firmware": "0.9"}))]).await.unwrap();
    let told_now = store.attributes(id, None, None).await.unwrap().client;
    assert_eq!(told_now["firmware"], "1.1");
    assert_eq!(told_now["a\u{fffd}b"], json!(["\u{fffd}"]));
    let wanted = json!({ "firmware": "wanted" });
    let wanted = wanted.as_object().unwrap();
    store
        .share_attributes(&Actor::hub("test"), id, wanted, morning())
        .await
        .unwrap();
    let many: serde_json::Map<String, Value> = (0..300).map(|n| (format!("n{n}"), json!(n))).collect();
    store.ingest(&[told(3, Value::Object(many))]).await.unwrap();
    let both = store.attributes(id, None, None).await.unwrap();
    assert_eq!((both.client.len(), both.shared.len()), (256, 1));
}

pub(super) async fn the_first_answer_to_a_command_counts(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let command = Command {
        request: "7".into(),
        body: "{}".into(),
        expires_at: after(60),
        number: 0,
        sent: false,
        takes_cbor: false,
    };
    store.queue_command(id, &command, morning()).await.unwrap();
    let reply = |request: &str, payload: &str| Ingest::Reply {
        appliance: id,
        request: request.into(),
        payload: payload.into(),
        at: after(1),
    };
    let batch = [reply("7", "yes"), reply("7", "no"), reply("8", "what?")];
    assert_eq!(
        store.ingest(&batch).await.unwrap(),
        [stored(1), repeated(1), repeated(1)]
    );
    assert_eq!(store.ingest(&batch[..1]).await.unwrap(), [repeated(1)]);
    assert!(waiting(&*store, id, after(1)).await.is_empty());
}

pub(super) async fn a_command_that_waits_gives_way_to_none_that_is_done(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let command = |request: String| Command {
        request,
        body: "{}".into(),
        expires_at: after(60),
        number: 0,
        sent: false,
        takes_cbor: false,
    };
    store
        .queue_command(id, &command("first".into()), morning())
        .await
        .unwrap();
    for n in 0..300 {
        let request = format!("r{n}");
        store
            .queue_command(id, &command(request.clone()), morning())
            .await
            .unwrap();
        let reply = Ingest::Reply {
            appliance: id,
            request,
            payload: b"yes".to_vec(),
            at: morning(),
        };
        store.ingest(&[reply]).await.unwrap();
    }
    let waiting = waiting(&*store, id, after(1)).await;
    let waiting: Vec<&str> = waiting.iter().map(|command| command.request.as_str()).collect();
    assert_eq!(waiting, ["first"]);
    let later = after(1);
    let page = async |after: Option<String>, limit| {
        store
            .commands(&Actor::hub("test"), id, after.as_deref(), limit, later)
            .await
    };
    assert_eq!(all(page).await.len(), 257);
}

/// A clock that is ahead is set right one day, and what it had deleted until then would be gone.
pub(super) async fn a_command_that_has_expired_goes_as_far_as_somebody_vouches_for_the_clock(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    // Each has expired when the next one comes: none of them waits.
    for n in 0..300 {
        brief(&*store, id, n).await;
    }
    assert_eq!(commands_kept(&*store, id).await, 300, "nobody vouches");
    store.vouch(None, Some(after(21))).await.unwrap();
    brief(&*store, id, 300).await;
    assert_eq!(
        commands_kept(&*store, id).await,
        290,
        "by the witness eleven have expired, whatever the hub's clock says"
    );
    store.vouch(None, Some(after(100_000))).await.unwrap();
    brief(&*store, id, 301).await;
    assert_eq!(commands_kept(&*store, id).await, 256, "both say that all of them have");
}

/// The n-th command of a time of two minutes each, of which it lives for one.
async fn brief(store: &dyn Store, appliance: ApplianceId, n: i64) {
    let command = Command {
        request: format!("brief-{n}"),
        body: "{}".into(),
        expires_at: after(2 * n + 1),
        number: 0,
        sent: false,
        takes_cbor: false,
    };
    store.queue_command(appliance, &command, after(2 * n)).await.unwrap();
}

async fn commands_kept(store: &dyn Store, appliance: ApplianceId) -> usize {
    let now = morning();
    let page = async |after: Option<String>, limit| {
        store
            .commands(&Actor::hub("test"), appliance, after.as_deref(), limit, now)
            .await
    };
    all(page).await.len()
}

/// What is answered counts as stored, and is acknowledged.
pub(super) async fn nothing_is_answered_for_an_appliance_that_does_not_exist(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let nobody = ApplianceId(999);
    store.ingest(&[telemetry(id, 1, 0, 2)]).await.unwrap();
    let dropped = Ingest::Dropped {
        appliance: nobody,
        count: 1,
    };
    for item in [telemetry(nobody, 1, 0, 4), state(nobody, "on", true, 1), dropped] {
        let batch = [telemetry(id, 1, 2, 2), item];
        let refused = store.ingest(&batch).await.unwrap_err();
        assert!(matches!(refused, StoreError::NotFound { .. }), "{refused}");
        assert_eq!(store.samples_stored().await.unwrap(), 2, "nothing of it");
    }
    // What the others of the batch sent is neither lost nor taken for a repeat.
    assert_eq!(store.ingest(&[telemetry(id, 1, 2, 2)]).await.unwrap(), [stored(2)]);
}

pub(super) async fn a_packet_identifier_is_taken_once_until_it_is_released_also_after_a_restart(h: &dyn Harness) {
    let (place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let other = appliance(&*store, "acme", "wm-2").await;
    let once = |appliance, packet_id, content| Ingest::Once {
        appliance,
        packet_id,
        content: Box::new(content),
    };
    let release = |packet_id| Ingest::Release {
        appliance: id,
        packet_id,
    };
    let bad = Ingest::Quarantine(Quarantined {
        appliance: id,
        topic: "d/wm-1/t".into(),
        payload: b"?".to_vec(),
        reason: "not CBOR".into(),
        received_at: morning(),
    });
    let batch = [
        once(id, 5, telemetry(id, 1, 0, 3)),
        // Other content under an identifier that is held is not looked at.
        once(id, 5, telemetry(id, 1, 100, 3)),
        once(other, 5, telemetry(other, 1, 0, 2)),
        once(id, u16::MAX, bad),
        telemetry(id, 1, 3, 1),
    ];
    assert_eq!(
        store.ingest(&batch).await.unwrap(),
        [stored(3), repeated(3), stored(2), stored(1), stored(1)]
    );
    drop(store);
    let store = place.hub().await;
    assert_eq!(store.ingest(&batch[1..2]).await.unwrap(), [repeated(3)]);
    assert_eq!(
        store.ingest(&batch[3..4]).await.unwrap(),
        [repeated(1)],
        "nor is it quarantined twice"
    );
    let next = [release(5), once(id, 5, telemetry(id, 1, 100, 3)), release(9)];
    assert_eq!(store.ingest(&next).await.unwrap(), [stored(0), stored(3), stored(0)]);
    drop(store);
    let store = place.hub().await;
    assert_eq!(store.ingest(&next[1..2]).await.unwrap(), [repeated(3)]);
    store.ingest(&[release(5), release(u16::MAX)]).await.unwrap();
    // Released, the same samples are still the same samples.
    assert_eq!(store.ingest(&next[1..2]).await.unwrap(), [repeated(3)]);
    assert_eq!(store.samples_stored().await.unwrap(), 9);
    assert_eq!(quarantine(&*store).await.len(), 1);
}

pub(super) async fn a_payload_leaves_quarantine_with_what_it_holds_and_only_once(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let bad = Ingest::Quarantine(Quarantined {
        appliance: id,
        topic: "d/wm-1/t".into(),
        payload: b"?".to_vec(),
        reason: "not CBOR".into(),
        received_at: morning(),
    });
    store.ingest(&[bad]).await.unwrap();
    let replayed = Ingest::Replayed {
        appliance: id,
        number: quarantine(&*store).await[0].number,
        content: Box::new(telemetry(id, 1, 0, 3)),
    };
    let batch = [replayed.clone(), replayed];
    assert_eq!(store.ingest(&batch).await.unwrap(), [stored(3), repeated(3)]);
    assert_eq!(store.ingest(&batch[..1]).await.unwrap(), [repeated(3)]);
    rolled_up(&*store).await;
    let view = store.appliance(&hub_core::actor::Actor::hub("test"), id).await.unwrap();
    assert_eq!((view.samples, view.quarantined), (3, 0));
}
