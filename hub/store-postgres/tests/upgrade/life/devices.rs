//! What devices say that is no reading, what they are told, and what of their sessions is kept.

use super::{appliance, at, day, device, tenant};
use hub_core::actor::Actor;
use hub_core::id::{AccountId, ApplianceId};
use hub_core::language::Language;
use hub_core::phone_number::PhoneNumber;
use hub_store::account::{AccountStore, Idempotency};
use hub_store::birth::{Birth, ResetReason, StateContent};
use hub_store::claim::{ClaimStore, Opener, OwnerContact};
use hub_store::device::DeviceStore;
use hub_store::quarantine::{QuarantineFilter, QuarantineStore};
use hub_store::session::{KeptSession, SessionChange, SessionStore};
use hub_store::telemetry::{Command, Ingest, PresenceChange, Quarantined, TelemetryStore};
use hub_store_postgres::PostgresStore;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// In the last week.
pub async fn say_more(store: &PostgresStore) {
    let (wm_1, wm_2) = (appliance(store, "acme/wm-1").await, appliance(store, "acme/wm-2").await);
    sessions(store, wm_1, wm_2).await;
    commands(store, wm_1).await;
    said(store, wm_1).await;
    births(store).await;
    quarantine(store).await;
    claims(store).await;
    requests(store).await;
}

async fn sessions(store: &PostgresStore, wm_1: ApplianceId, wm_2: ApplianceId) {
    for (id, name) in [(wm_1, "wm-1"), (wm_2, "wm-2")] {
        let session = KeptSession {
            expiry_s: 30 * 24 * 3600,
            subscriptions: vec![(format!("d/{name}/c/+"), 1), (format!("d/{name}/a"), 0)],
            unreleased: Vec::new(),
        };
        let session = [(id, SessionChange::Keep(session))];
        store.change_sessions(&session, day(40)).await.unwrap();
    }
    let change = |appliance, online, reason: &str| PresenceChange {
        appliance,
        online,
        reason: reason.to_owned(),
        at: day(41),
    };
    let changes = [
        change(wm_1, true, "connected"),
        change(wm_2, false, "keep-alive ran out"),
    ];
    store.presence(&changes).await.unwrap();
}

/// One in each state.
async fn commands(store: &PostgresStore, id: ApplianceId) {
    let acme = Actor::hub("test").within(Some(tenant("acme")));
    let requests = ["expired", "replied", "taken", "sent", "queued"];
    for request in requests {
        let command = Command {
            number: 0,
            sent: false,
            takes_cbor: false,
            request: request.to_owned(),
            body: json!({"op": "self_test", "for": request}).to_string(),
            expires_at: if request == "expired" { day(41) } else { day(100) },
        };
        store.send_command(&acme, id, &command, day(40)).await.unwrap();
    }
    let passed = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let sent = passed(&["replied", "taken", "sent"]);
    store.commands_passed(id, &sent, false, at(40, 1)).await.unwrap();
    let taken = passed(&["replied", "taken"]);
    store.commands_passed(id, &taken, true, at(40, 2)).await.unwrap();
    let reply = Ingest::Reply {
        appliance: id,
        request: "replied".to_owned(),
        payload: b"{\"ok\":true}".to_vec(),
        at: at(40, 3),
    };
    store.ingest(&[reply]).await.unwrap();
}

async fn said(store: &PostgresStore, id: ApplianceId) {
    let object = |value: Value| -> Map<String, Value> { value.as_object().unwrap().clone() };
    let acme = Actor::hub("test").within(Some(tenant("acme")));
    let told = object(json!({"interval_s": 60, "label": {"zh-CN": "洗衣机", "en": "washer"}}));
    store.share_attributes(&acme, id, &told, day(40)).await.unwrap();
    let batch = [
        Ingest::Attributes {
            appliance: id,
            values: object(json!({"firmware": "1.4.2", "serial": "A-0001"})),
            at: day(40),
        },
        Ingest::State {
            appliance: id,
            payload: vec![0xa1, 0x61, 0x73, 0x00, 0xff],
            content: StateContent::Other,
            retain: true,
            at: day(40),
        },
        Ingest::Once {
            appliance: id,
            packet_id: 9,
            content: Box::new(Ingest::Dropped {
                appliance: id,
                count: 1,
            }),
        },
    ];
    store.ingest(&batch).await.unwrap();
}

/// A device that runs our agent, and has left.
async fn births(store: &PostgresStore) {
    let id = appliance(store, "beta/wm-1").await;
    let birth = Birth {
        boot: 77,
        model: "WM-2207".to_owned(),
        firmware: "1.4.2".to_owned(),
        sdk: "0.1.0".to_owned(),
        reset: ResetReason::Watchdog,
        takes_cbor: false,
        settings: 3,
        dropped_events: 1,
        dropped_telemetry: 250,
    };
    let state = |payload: Vec<u8>, content, minutes| Ingest::State {
        appliance: id,
        payload,
        content,
        retain: true,
        at: at(40, minutes),
    };
    let batch = [
        state(vec![0x8a, 5], StateContent::Birth(Box::new(birth)), 1),
        state(vec![0x81, 6], StateContent::Gone, 2),
    ];
    store.ingest(&batch).await.unwrap();
}

/// Two that stay, of which one was looked at again, and one that could be read later.
async fn quarantine(store: &PostgresStore) {
    for (name, payload) in [
        ("acme/wm-3", b"\xff\x00not CBOR".to_vec()),
        ("acme/wm-5", (0..=255).collect()),
        ("beta/wm-1", b"{\"ts\": ".to_vec()),
    ] {
        let id = appliance(store, name).await;
        let (_, device) = name.split_once('/').unwrap();
        let held = Quarantined {
            appliance: id,
            topic: format!("d/{device}/t"),
            payload,
            reason: "it ends too early\n\\.".to_owned(),
            received_at: day(40),
        };
        store.ingest(&[Ingest::Quarantine(held)]).await.unwrap();
    }
    let all = QuarantineFilter::default();
    let held = store
        .quarantine(&Actor::hub("test"), &all, None, 10)
        .await
        .unwrap()
        .items;
    let number = |name: &str| held.iter().find(|held| held.device.as_str() == name).unwrap().number;
    let attributes = Ingest::Attributes {
        appliance: appliance(store, "acme/wm-5").await,
        values: [("bytes".to_owned(), json!(256))].into_iter().collect(),
        at: day(41),
    };
    store.replay(number("wm-5"), attributes).await.unwrap();
    store.still_held(number("wm-3"), "still not CBOR").await.unwrap();
}

/// An owner who took an appliance into their own name, and a claim that is open.
async fn claims(store: &PostgresStore) {
    let acme = tenant("acme");
    let contact = OwnerContact {
        name: "Claimed Person".to_owned(),
        phone: PhoneNumber::new("+8613600008888").unwrap(),
        language: Language::ZhCn,
        zone: "Asia/Shanghai".to_owned(),
        consent: true,
    };
    let claim = async |name: &str, code: &str| {
        store
            .claim_owner(&Actor::hub("test"), &acme, &device(name), code, &contact, at(40, 1))
            .await
    };
    let own = appliance(store, "acme/wm-20").await;
    store
        .open_claim(own, Opener::Device, "471108", at(40, 5), day(40))
        .await
        .unwrap();
    claim("wm-20", "471108").await.unwrap();
    let open = appliance(store, "acme/wm-21").await;
    store
        .open_claim(open, Opener::Maker, "printed on the door", day(2_000), day(40))
        .await
        .unwrap();
    claim("wm-21", "guessed").await.unwrap_err();
}

/// One that was answered, and one that was cut off.
async fn requests(store: &PostgresStore) {
    let admin = AccountId(Uuid::from_u128(0xadd));
    for (key, request) in [("answered", [3; 32]), ("cut-off", [4; 32])] {
        let known = store.idempotency(admin, key, request, day(42)).await.unwrap();
        assert_eq!(known, Idempotency::New);
    }
    store.remember(admin, "answered", 201, "{\"number\":8}").await.unwrap();
}
