//! What of a session is kept, for how long, and what becomes of commands on their way.

use super::Harness;
use super::Place;
use super::door::secret;
use super::scene::{after, appliance, message, morning, played, presence, repeated, stored, tenant, waiting};
use crate::access::Principal;
use crate::birth::StateContent;
use crate::session::{KeptSession, SessionChange};
use crate::telemetry::{Command, Ingest};
use crate::{Store, StoreError};
use hub_core::actor::Actor;
use hub_core::id::ApplianceId;
use hub_core::telemetry::Identity;
use jiff::Timestamp;
use serde_json::json;
use std::sync::Arc;

async fn kept(store: &dyn Store, now: Timestamp) -> Option<KeptSession> {
    kept_of(store, "wm-1", now).await
}

async fn kept_of(store: &dyn Store, device: &str, now: Timestamp) -> Option<KeptSession> {
    let shown = [secret("acme", device, &format!("secret-{device}"))];
    match store.identify(&shown, now).await.unwrap().remove(0) {
        Some(Principal::Device(_, session)) => session,
        other => panic!("{other:?}"),
    }
}

async fn keep(store: &dyn Store, id: ApplianceId, expiry_s: u32, now: Timestamp) {
    let change = [(id, SessionChange::Keep(session(expiry_s)))];
    store.change_sessions(&change, now).await.unwrap();
}

fn session(expiry_s: u32) -> KeptSession {
    KeptSession {
        expiry_s,
        subscriptions: vec![("d/wm-1/c/+".into(), 1)],
        unreleased: vec![],
    }
}

/// A publish of QoS 2 with content that is never taken for a repeat.
fn once(appliance: ApplianceId, packet_id: u16) -> Ingest {
    let mut content = message(appliance, 0, 0, 1);
    content.identity = Identity::Content(vec![false]);
    Ingest::Once {
        appliance,
        packet_id,
        content: Box::new(Ingest::Telemetry(content)),
    }
}

async fn washer(h: &dyn Harness) -> (Box<dyn Place>, Arc<dyn Store>, ApplianceId) {
    let (place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    (place, store, id)
}

pub(super) async fn a_session_outlives_its_connection_until_it_expires(h: &dyn Harness) {
    let (_place, store, id) = washer(h).await;
    assert_eq!(kept(&*store, morning()).await, None);
    keep(&*store, id, 600, morning()).await;
    store
        .presence(&[presence(id, true, "connected", morning())])
        .await
        .unwrap();
    assert_eq!(
        kept(&*store, after(60)).await,
        Some(session(600)),
        "it does not run out while it is used"
    );
    store.presence(&[presence(id, false, "left", after(60))]).await.unwrap();
    assert_eq!(kept(&*store, after(69)).await, Some(session(600)));
    store.ingest(&[once(id, 65535)]).await.unwrap();
    let unreleased = KeptSession {
        unreleased: vec![65535],
        ..session(600)
    };
    assert_eq!(kept(&*store, after(69)).await, Some(unreleased));
    // Counted from when it was taken up last.
    assert_eq!(kept(&*store, after(79)).await, None);
    // Gone with its packet identifiers: a new session must not take a new publish for a repeated one.
    assert_eq!(store.ingest(&[once(id, 65535)]).await.unwrap(), [stored(1)]);
}

pub(super) async fn a_hub_that_was_killed_counts_from_its_next_start(h: &dyn Harness) {
    let (_place, store, id) = washer(h).await;
    keep(&*store, id, 600, morning()).await;
    store
        .presence(&[presence(id, true, "connected", morning())])
        .await
        .unwrap();
    store.all_offline("the hub was restarted", after(120)).await.unwrap();
    assert_eq!(kept(&*store, after(129)).await, Some(session(600)));
    assert_eq!(kept(&*store, after(139)).await, None);
    keep(&*store, id, u32::MAX, after(140)).await;
    assert!(
        kept(&*store, after(1_000_000)).await.is_some(),
        "the greatest expiry never comes"
    );
    keep(&*store, id, 5, after(140)).await;
    let forget = [(id, SessionChange::Forget)];
    store.change_sessions(&forget, after(140)).await.unwrap();
    assert_eq!(kept(&*store, after(140)).await, None);
    let many = KeptSession {
        subscriptions: vec![("d/wm-1/c/+".into(), 1); 17],
        ..session(5)
    };
    let many = [(id, SessionChange::Keep(many))];
    store.change_sessions(&many, after(130)).await.unwrap_err();
}

/// Presence is written behind: what it says may be from before the session that is there.
pub(super) async fn a_session_that_began_or_was_taken_up_since_is_not_ended_by_what_presence_said_before(
    h: &dyn Harness,
) {
    let (_place, store, id) = washer(h).await;
    store.presence(&[presence(id, false, "left", morning())]).await.unwrap();
    keep(&*store, id, 600, after(60)).await;
    store.ingest(&[once(id, 7)]).await.unwrap();
    let unreleased = KeptSession {
        unreleased: vec![7],
        ..session(600)
    };
    assert_eq!(kept(&*store, after(61)).await, Some(unreleased.clone()));
    // Taken up at the last moment; a caller that asks soon after finds it, though the device seems to have been away for long.
    assert_eq!(kept(&*store, after(69)).await, Some(unreleased.clone()));
    assert_eq!(kept(&*store, after(72)).await, Some(unreleased));
    // Away indeed: gone with its packet identifiers.
    assert_eq!(kept(&*store, after(82)).await, None);
    assert_eq!(store.ingest(&[once(id, 7)]).await.unwrap(), [stored(1)]);
}

pub(super) async fn sessions_are_changed_together_or_not_at_all(h: &dyn Harness) {
    let (_place, store, id) = washer(h).await;
    let other = appliance(&*store, "acme", "wm-2").await;
    let of_both = async || {
        (
            kept_of(&*store, "wm-1", morning()).await,
            kept_of(&*store, "wm-2", morning()).await,
        )
    };
    let begin = |expiry_s| SessionChange::Begin(session(expiry_s));
    let both = [(other, begin(600)), (id, begin(600))];
    store.change_sessions(&both, morning()).await.unwrap();
    store.change_sessions(&[], morning()).await.unwrap();
    store.ingest(&[once(id, 7), once(other, 7)]).await.unwrap();
    let held = |expiry_s| KeptSession {
        unreleased: vec![7],
        ..session(expiry_s)
    };
    assert_eq!(of_both().await, (Some(held(600)), Some(held(600))));

    // The store takes neither where it does not take one.
    let many = KeptSession {
        subscriptions: vec![("d/wm-2/c/+".into(), 1); 17],
        ..session(5)
    };
    let nobody = ApplianceId(i64::MAX);
    for refused in [
        (other, SessionChange::Keep(many)),
        (nobody, SessionChange::Keep(session(5))),
    ] {
        let changes = [(id, SessionChange::Forget), refused];
        let answer = store.change_sessions(&changes, morning()).await;
        assert!(matches!(answer, Err(StoreError::Refused(_))), "{answer:?}");
        assert_eq!(of_both().await, (Some(held(600)), Some(held(600))));
    }

    // One begins again, the other goes on.
    let changes = [(other, SessionChange::Keep(session(90))), (id, begin(60))];
    store.change_sessions(&changes, morning()).await.unwrap();
    assert_eq!(of_both().await, (Some(session(60)), Some(held(90))));
    let answers = store.ingest(&[once(id, 7), once(other, 7)]).await.unwrap();
    assert_eq!(answers, [stored(1), repeated(1)]);
    let forget = [id, other].map(|id| (id, SessionChange::Forget));
    store.change_sessions(&forget, morning()).await.unwrap();
    assert_eq!(of_both().await, (None, None));
    let answers = store.ingest(&[once(id, 7), once(other, 7)]).await.unwrap();
    assert_eq!(answers, [stored(1), stored(1)], "gone with their packet identifiers");
}

pub(super) async fn commands_of_several_devices_are_told_together(h: &dyn Harness) {
    let (_place, store, id) = washer(h).await;
    let other = appliance(&*store, "acme", "wm-2").await;
    let idle = appliance(&*store, "acme", "wm-3").await;
    let unasked = appliance(&*store, "beta", "wm-1").await;
    for (n, appliance) in [other, id, unasked, other].into_iter().enumerate() {
        let command = Command {
            number: 0,
            sent: false,
            takes_cbor: false,
            request: format!("r{n}"),
            body: "{}".into(),
            expires_at: after(60),
        };
        store.queue_command(appliance, &command, morning()).await.unwrap();
    }
    let mut told = store.commands_waiting(&[id, idle, other], after(1)).await.unwrap();
    // Oldest first of each device; which device comes first is not said.
    told.sort_by_key(|(of, _)| *of != id);
    let told: Vec<_> = told.iter().map(|(of, command)| (*of, &*command.request)).collect();
    assert_eq!(told, [(id, "r1"), (other, "r0"), (other, "r3")]);
    assert!(store.commands_waiting(&[], after(1)).await.unwrap().is_empty());
}

pub(super) async fn a_command_knows_that_it_went_out(h: &dyn Harness) {
    let (_place, store, id) = washer(h).await;
    for request in ["a", "b"] {
        let command = Command {
            number: 0,
            sent: false,
            takes_cbor: false,
            request: request.into(),
            body: "{}".into(),
            expires_at: after(60),
        };
        store.queue_command(id, &command, morning()).await.unwrap();
    }
    store
        .commands_passed(id, &["a".into(), "unknown".into()], false, after(1))
        .await
        .unwrap();
    store.commands_passed(id, &["a".into()], false, after(2)).await.unwrap();
    let waiting = waiting(&*store, id, after(2)).await;
    let told: Vec<_> = waiting.iter().map(|c| (c.request.as_str(), c.sent)).collect();
    assert_eq!(told, [("a", true), ("b", false)]);
    assert!(waiting[0].number > 0 && waiting[0].number < waiting[1].number);
    store
        .commands_passed(id, &["a".into(), "b".into()], true, after(3))
        .await
        .unwrap();
    for (request, sent) in [("a", 1), ("b", 3)] {
        let view = store.command(&Actor::hub("test"), id, request, after(4)).await.unwrap();
        let times = (view.sent_at, view.taken_at);
        assert_eq!(times, (Some(after(sent)), Some(after(3))), "the first time counts");
    }
}

pub(super) async fn what_a_device_says_of_itself_is_found_by_tenant_and_name(h: &dyn Harness) {
    let (_place, store, id) = washer(h).await;
    let other = appliance(&*store, "acme", "wm-2").await;
    let foreign = appliance(&*store, "beta", "wm-1").await;
    let state = |appliance, payload: &[u8]| Ingest::State {
        appliance,
        payload: payload.into(),
        content: StateContent::Other,
        retain: true,
        at: morning(),
    };
    let said = [
        state(id, b"one"),
        state(other, b"two"),
        state(foreign, b"beta"),
        state(id, b"three"),
    ];
    store.ingest(&said).await.unwrap();
    let names = async |after: Option<&str>, limit| -> Vec<(String, Vec<u8>)> {
        let found = store.retained_states(&tenant("acme"), after, limit).await.unwrap();
        found.into_iter().map(|state| (state.device, state.payload)).collect()
    };
    let (one, two) = (
        ("wm-1".to_owned(), b"three".to_vec()),
        ("wm-2".to_owned(), b"two".to_vec()),
    );
    assert_eq!(names(None, 10).await, [one.clone(), two.clone()]);
    assert_eq!(names(None, 1).await, [one]);
    assert_eq!(names(Some("wm-1"), 10).await, [two]);
}

pub(super) async fn attributes_are_asked_for_by_name(h: &dyn Harness) {
    let (_place, store, id) = washer(h).await;
    let told = json!({"firmware": "1.2", "model": {"year": 2026}});
    let told = Ingest::Attributes {
        appliance: id,
        values: told.as_object().unwrap().clone(),
        at: morning(),
    };
    store.ingest(&[told]).await.unwrap();
    let shared = json!({"firmware": "1.3"});
    let shared = shared.as_object().unwrap();
    store
        .share_attributes(&Actor::hub("test"), id, shared, morning())
        .await
        .unwrap();
    let all = store.attributes(id, None, None).await.unwrap();
    assert_eq!(json!(all.client), json!({"firmware": "1.2", "model": {"year": 2026}}));
    assert_eq!(json!(all.shared), json!({"firmware": "1.3"}));
    let some = store.attributes(id, Some(&["model".into()]), Some(&[])).await.unwrap();
    assert_eq!(json!(some.client), json!({"model": {"year": 2026}}));
    assert!(some.shared.is_empty());
}
