//! The sample's morning in the store in memory, by the roads that the hub itself takes: a tenant with three washing machines,
//! a ticket of each, what they said of themselves, and what of them is in quarantine.

use super::sample::{self, at};
use hub_core::actor::Actor;
use hub_core::call_result::{CallResult, Disposition};
use hub_core::clock::ManualClock;
use hub_core::contact::AttemptEvent;
use hub_core::finding::Finding;
use hub_core::id::{AccountId, ApplianceId, TenantId, TicketId, TraceId};
use hub_core::profile::{ApplianceProfile, Channel};
use hub_core::situation::Observation;
use hub_core::telemetry::{Identity, Lane, Sample, TelemetryMessage};
use hub_store::account::{Account, AccountStore};
use hub_store::birth::{Birth, StateContent};
use hub_store::conformance::scene::has_a_quiet_past;
use hub_store::contact::{Begun, ContactStore};
use hub_store::lease::LeaseStore;
use hub_store::memory::MemoryStore;
use hub_store::prediction::{PredictionStore, ScoringCommit};
use hub_store::quarantine::{QuarantineFilter, QuarantineStore};
use hub_store::site::SiteStore;
use hub_store::telemetry::{Ingest, PresenceChange, QUARANTINE_PAYLOAD_MAX, Quarantined, TelemetryStore};
use jiff::Timestamp;
use rand::SeedableRng;
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

/// Numbers of the three owners, which must be in no answer and on no page.
pub const NUMBERS: [&str; 3] = [sample::NUMBER, "+8613800006789", "+8613800007890"];

/// The store with what is in it.
pub struct Scene {
    pub store: Arc<MemoryStore>,
    /// Password of the account `admin`.
    pub password: String,
    /// Of the three appliances in turn: one that was rung and booked, one whose owner withdrew consent, one below the gate.
    pub tickets: [TicketId; 3],
    /// Numbers in quarantine, oldest first: three that are short and one that is too long.
    pub held: Vec<i64>,
}

/// Fills a store.
pub async fn scene() -> Scene {
    let store = Arc::new(MemoryStore::new([(PROFILE.to_owned(), profile())].into(), 7));
    store.take_lease(at("08:00")).await.unwrap().unwrap();
    store.apply_site(&site(), at("08:00"), false).await.unwrap();
    let acme = TenantId::new("acme").unwrap();
    let withdraws = store.set_consent(&acme, "C-0002", false, "console", at("08:30"));
    withdraws.await.unwrap();
    let password = accounts(&store).await;
    report(&store).await;
    let held = in_quarantine(&store).await;
    let booked = ticket(&store, 1, sample::booked().finding.unwrap(), at("08:57")).await;
    let withdrawn = ticket(&store, 2, sample::withdrawn().finding.unwrap(), at("08:58")).await;
    let unsure = ticket(&store, 3, sample::unsure().finding.unwrap(), at("08:59")).await;
    call_that_books(&store, booked).await;
    for ticket in [withdrawn, unsure] {
        let begun = store.begin_attempt(ticket, at("09:00"), [9; 20]).await.unwrap();
        assert!(matches!(begun, Begun::Held(_)), "{begun:?}");
    }
    let tickets = [booked, withdrawn, unsure];
    Scene {
        store,
        password,
        tickets,
        held,
    }
}

/// Somebody who may do everything.
pub fn hub() -> Actor {
    Actor::hub("test")
}

const PROFILE: &str = "washing-machine";

fn profile() -> ApplianceProfile {
    let channel = |id, name: &str, unit: &str, decimals, min, max| Channel {
        id,
        name: name.to_owned(),
        unit: unit.to_owned(),
        decimals,
        min,
        max,
    };
    ApplianceProfile {
        name: PROFILE.to_owned(),
        version: 1,
        channels: vec![
            channel(1, "drain_pump_current_a", "A", 3, 0.0, 10.0),
            channel(2, "water_temp_cel", "Cel", 1, -20.0, 120.0),
        ],
    }
}

/// Three owners with a washing machine each, and a tenant who has nothing.
fn site() -> hub_core::site::Site {
    let text = |zh_cn: &str, en: &str| json!({ "zh-CN": zh_cn, "en": en });
    let owner = |n: usize, name: &str| {
        json!({ "id": format!("C-000{n}"), "name": name, "phone": NUMBERS[n - 1], "language": "zh-CN",
            "zone": "Asia/Shanghai", "consent_to_calls": true })
    };
    let device = |n: u32, id: &str| json!({ "id": id, "profile": PROFILE, "owner": format!("C-000{n}"), "service_point": "pudong" });
    let price = json!({ "currency": "CNY", "amount": 80 });
    let slot = json!({ "day": "tuesday", "from": "09:00", "to": "12:00", "capacity": 2 });
    let acme = json!({
        "id": "acme", "brand": text("爱家", "Aijia"), "visit_price": price,
        "service_point": [{ "id": "pudong", "name": text("浦东服务网点", "Pudong service point"), "zone": "Asia/Shanghai", "slot": [slot] }],
        "owner": [owner(1, "Li Wei <b>"), owner(2, "Chen Jing"), owner(3, "Wang Lei")],
        "device": [device(1, "WM-2207-00417"), device(2, "WM-2207-00588"), device(3, "WM-2207-00591")],
    });
    let other = json!({ "id": "other", "brand": text("另一家", "Other"), "visit_price": price });
    serde_json::from_value(json!({ "tenant": [acme, other] })).unwrap()
}

/// Gives the tenant of the appliances a trunk in China, with a number plan.
pub async fn give_number_plan(store: &MemoryStore) {
    let mut site = site();
    let trunk = json!({ "proxy": "127.0.0.1:5060", "domain": "trunk.example", "caller_number": "+862155500100",
        "number_plan": { "country_code": "86", "trunk_prefix": "0", "area_code": "21" } });
    site.tenants[0].trunk = Some(serde_json::from_value(trunk).unwrap());
    store.apply_site(&site, at("09:06"), false).await.unwrap();
}

/// `admin`, whose password it answers with, and `keeper`, without whom the tenant of `admin` could not be changed.
async fn accounts(store: &MemoryStore) -> String {
    let clock = ManualClock::new(at("09:05"));
    let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(7);
    let mut first = async || hub_api::create_first_account(store, &clock, &mut rng).await.unwrap();
    let admin = first().await.unwrap();
    assert!(first().await.is_none(), "there is only one first account");
    let keeper = Account {
        id: AccountId(Uuid::from_u128(2)),
        password_hash: "$argon2id$x".to_owned(),
        actor: administrator("keeper", None),
    };
    store.add_account(&hub(), &keeper, at("08:00")).await.unwrap();
    admin.password
}

/// An administrator of this tenant, or of all.
pub fn administrator(name: &str, tenant: Option<&str>) -> Actor {
    let tenant = tenant.map(|tenant| TenantId::new(tenant).unwrap());
    Actor::administrator(name).within(tenant)
}

/// What the appliances said until 09:05.
async fn report(store: &MemoryStore) {
    let one = ApplianceId(1);
    // Of sixteen samples three never arrive, and twelve come twice.
    let first = readings(one, 0, (0..12).map(|_| (at("08:50"), [Some(410), Some(-20)])));
    let mut last = readings(one, 15, [(at("09:04"), [Some(420), Some(-35)])]);
    last.samples[0].extra = Some(json!({ "unknown": { "door": "open", "drum_<b>": 1 } }));
    let before = Birth {
        boot: 6,
        dropped_telemetry: 250,
        ..sample::birth().birth
    };
    let of_three = Birth {
        dropped_events: 5,
        dropped_telemetry: 0,
        ..sample::birth().birth
    };
    let telemetry = [first.clone(), first, last].map(Ingest::Telemetry);
    let said = [
        born(one, before, at("08:02")),
        born(one, sample::birth().birth, at("08:13")),
        born(ApplianceId(3), of_three, at("08:10")),
        attributes(one, json!({ "firmware": "2.1" })),
        Ingest::Dropped {
            appliance: one,
            count: 1,
        },
    ];
    store.ingest(&telemetry).await.unwrap();
    store.ingest(&said).await.unwrap();
    let presence = [
        (1, true, "connected"),
        (2, false, "keep_alive"),
        (3, false, "keep_alive"),
    ];
    let presence = presence.map(|(n, online, reason)| PresenceChange {
        appliance: ApplianceId(n),
        online,
        reason: reason.to_owned(),
        at: at("08:12"),
    });
    store.presence(&presence).await.unwrap();
}

/// Samples under these numbers of one boot: time, and thousandths of an ampere with tenths of a degree.
pub fn readings(
    appliance: ApplianceId,
    first: u64,
    samples: impl IntoIterator<Item = (Timestamp, [Option<i32>; 2])>,
) -> TelemetryMessage {
    let sample = |(at, values): (Timestamp, [Option<i32>; 2])| Sample {
        at,
        values: values.to_vec(),
        extra: None,
    };
    TelemetryMessage {
        appliance,
        identity: Identity::Sequence {
            boot: 1,
            lane: Lane::Telemetry,
            first,
        },
        samples: samples.into_iter().map(sample).collect(),
        received_at: at("09:05"),
        skew_ms: Some(-140),
        trace: TraceId(Uuid::nil()),
    }
}

fn born(appliance: ApplianceId, birth: Birth, at: Timestamp) -> Ingest {
    Ingest::State {
        appliance,
        payload: b"born".to_vec(),
        content: StateContent::Birth(Box::new(birth)),
        retain: true,
        at,
    }
}

fn attributes(appliance: ApplianceId, values: Value) -> Ingest {
    Ingest::Attributes {
        appliance,
        values: values.as_object().cloned().unwrap(),
        at: at("08:13"),
    }
}

async fn in_quarantine(store: &MemoryStore) -> Vec<i64> {
    let held = |appliance: i64, payload: &[u8], reason: &str| {
        Ingest::Quarantine(Quarantined {
            appliance: ApplianceId(appliance),
            topic: format!("d/WM-{appliance}/j"),
            payload: payload.to_vec(),
            reason: reason.to_owned(),
            received_at: at("08:30"),
        })
    };
    let payloads = [
        held(1, br#"{"half": true"#, "JSON ends early"),
        held(1, br#"{"door": "open"}"#, "channel door is not known"),
        held(2, &[0x83, 0x01, 0xff], "CBOR: <script>alert(1)</script>"),
        held(2, &[b'x'; QUARANTINE_PAYLOAD_MAX], "too long"),
    ];
    store.ingest(&payloads).await.unwrap();
    numbers_in_quarantine(store).await
}

/// Numbers in quarantine, oldest first.
pub async fn numbers_in_quarantine(store: &MemoryStore) -> Vec<i64> {
    let (hub, all) = (hub(), QuarantineFilter::default());
    let page = store.quarantine(&hub, &all, None, 100).await.unwrap();
    let mut numbers: Vec<i64> = page.items.iter().map(|held| held.number).collect();
    numbers.reverse();
    numbers
}

/// The ticket that this finding opens on an appliance.
async fn ticket(store: &MemoryStore, appliance: i64, finding: Finding, now: Timestamp) -> TicketId {
    let alarm = Observation::Alarm {
        appliance: ApplianceId(appliance),
        prediction: Box::new(finding.prediction),
        evidence: finding.evidence,
        trace: finding.trace,
    };
    let commit = ScoringCommit {
        observations: vec![alarm],
        ..ScoringCommit::default()
    };
    let changes = store.commit_scoring(&commit, now).await.unwrap();
    changes[0].opened.unwrap()
}

async fn call_that_books(store: &MemoryStore, ticket: TicketId) {
    has_a_quiet_past(store).await;
    let begun = store.begin_attempt(ticket, at("09:00"), [9; 20]).await.unwrap();
    let Begun::Ring(order) = begun else {
        panic!("{begun:?}");
    };
    let detail = sample::booked().attempts.remove(0).detail.unwrap();
    let ended = AttemptEvent::Ended {
        result: CallResult::Answered,
        detail,
    };
    for event in [
        AttemptEvent::Ringing,
        AttemptEvent::Answered,
        AttemptEvent::Chose(Disposition::AppointmentBooked),
        ended,
    ] {
        store.apply_attempt(order.attempt.id, event, at("09:01")).await.unwrap();
    }
}
