//! A database in which something of everything has happened.

use crate::server::Server;
use crate::support::{
    Base, after, alarm, appliance, message, morning, played, played_on, repeated, rolled_up, seen, stored, tenant,
};
use hub_core::actor::Actor;
use hub_core::call_result::{CallResult, Disposition};
use hub_core::contact::AttemptEvent;
use hub_core::id::{ApplianceId, AttemptId, TicketId};
use hub_core::telemetry::{Identity, Sample};
use hub_store::birth::{Birth, ResetReason, StateContent};
use hub_store::claim::{ClaimStore, Opener};
use hub_store::conformance::scene::{has_a_quiet_past, presence, waiting};
use hub_store::contact::{Begun, ContactStore};
use hub_store::credential::{DeviceCredentials, TenantCredentials};
use hub_store::device::DeviceStore;
use hub_store::prediction::PredictionStore;
use hub_store::session::{KeptSession, SessionChange, SessionStore};
use hub_store::telemetry::{Command, Ingest, Quarantined, TelemetryStore};
use hub_store_postgres::PostgresStore;
use serde_json::json;
use sqlx::Executor;

/// What no store function makes within a test: certificates of a maker, accounts, a detector's state.
const BY_HAND: &str = r#"
    insert into authority values ('acme', 'ca', '\x3082', '\x01', '2040-01-01', null, '\xff00');
    insert into certificate select '\x1234', 'acme', 'ca', min(id), '2030-01-01', null from appliance;
    insert into claim_credential
        values ('acme', 'line', '\xabcd', 'washing-machine', '2030-01-01', 9223372036854775807, true, false, '2026-01-01');
    insert into checkpoint select min(id), 'm/1', '\x00ff', '2026-03-02 02:00:00.000001+00', true from appliance;
    insert into watching select min(id), '{"state": "watched", "since": null, "calibrated": 42, "calibration": 42, "every_ms": 0,
        "needs_ms": 0, "missing": 0, "channels": 8, "several_states": false, "unjudged": {"repeated": 3}}' from appliance;
    insert into challenge values ('pump-rig', 'pump-rig/2', '5f', 'pump-rig/1', '2026-01-01', '2026-01-02', E'it "failed"\n');
    insert into shadow select 'pump-rig', min(id), '{"count": 1, "newest": []}', '2026-01-01' from appliance;
    insert into baseline_restart select min(id), '2026-01-01', '{"reason": "firmware", "from": "\u00e9", "to": "1.3\t"}' from appliance;
    insert into fleet_floors values ('acme', 'generic/1', 'washing-machine', 'é "7"', 24314, '{"current_a": 0.08}', 212);
    insert into score_month select tenant, id, 'washing-machine', 24314, 0.1 from appliance order by id limit 1;
    insert into budget values ('acme', 'dishwasher', '{"watched": 7}', 3);
    insert into budget_model values ('acme', 'dishwasher', '', '{"watched": 7}');
    insert into budget_line (tenant, family, at, author, change)
        values ('acme', 'washing-machine', '2026-01-01', E'k\tm', '{"change": "stopped", "model": "\u00e9", "tickets": 7, "expected": 0.5}');
    insert into account values ('00000000-0000-0000-0000-000000000001', E'a\\d\tm"in\n', '$argon2id$', null, '2026-01-01', '{administrator}', null);
    insert into session values ('\x00', '00000000-0000-0000-0000-000000000001', '2026-01-01', '2026-01-02');
    insert into idempotency values ('00000000-0000-0000-0000-000000000001', '\N', '\x', '2026-01-01', 200, '{"é": "\u00e9"}');
    insert into access_change (kind, tenant, name) values ('device', 'acme', 'wm-1');
    insert into retention values ('acme', '', 30), ('beta', 'washing-machine', null);
    update integrator set filters = array['a,"b{}\\', '', null, 'NULL'];
    insert into sequence select 999, -1, 0, '{[1,3),[5,6)}', -9223372036854775808, '2026-01-01' where not exists (select from sequence);
    insert into late select 250, 1, 999, '2000-01-01' where not exists (select from late);
    insert into release_tally values ('acme', E'a\\m/1', 'é "class"', 14, 2, 5, -1);
    insert into do_not_call values ('acme', '\x0102', '2026-01-01', 'call');
"#;

/// A database that has lived, and its hub.
pub async fn lived_in() -> (Base, PostgresStore) {
    let (base, store) = played().await;
    live(&base, &store).await;
    (base, store)
}

/// The same on a server.
pub async fn lived_in_on(server: &'static Server) -> (Base, PostgresStore) {
    let (base, store) = played_on(server).await;
    live(&base, &store).await;
    (base, store)
}

async fn live(base: &Base, store: &PostgresStore) {
    telemetry(store).await;
    people(store).await;
    devices(store).await;
    base.sql().await.execute(BY_HAND).await.unwrap();
    rolled_up(store).await;
}

/// Readings in order, late, under negative numbers, without numbers, with more beside them and with none at all.
async fn telemetry(store: &PostgresStore) {
    let (one, other) = (
        appliance(store, "acme", "wm-1").await,
        appliance(store, "beta", "wm-1").await,
    );
    let mut late = message(one, 7, 500, 2);
    late.samples[0].at = "1999-12-31T23:59:59.999999Z".parse().unwrap();
    late.samples[1].at = "2031-01-01T00:00:00Z".parse().unwrap();
    let mut json = message(other, 1, 1, 3);
    json.identity = Identity::Content(vec![true; 3]);
    json.samples[0].extra = Some(json!({"note": "é \\ \t \"", "x": [1.5, null, {}], "n": 1e300}));
    json.samples[1].values = vec![None, None, None];
    json.samples[2].values = vec![Some(i32::MAX), Some(i32::MIN), Some(0)];
    let batch = [
        Ingest::Telemetry(message(one, 7, 1, 9)),
        Ingest::Telemetry(message(one, u64::MAX - 3, 1, 2)),
        Ingest::Telemetry(message(other, 3, 1, 4)),
        Ingest::Telemetry(late),
        Ingest::Telemetry(json),
        Ingest::Clock {
            appliance: one,
            boot: u64::MAX,
            offset_ms: -5,
        },
    ];
    for item in batch {
        store.ingest(&[item]).await.unwrap();
    }
}

fn extra(value: serde_json::Value) -> serde_json::Map<String, serde_json::Value> {
    value.as_object().unwrap().clone()
}

async fn ticket(store: &PostgresStore, device: &str) -> TicketId {
    let id = appliance(store, "acme", device).await;
    let commit = seen(vec![alarm(id, "drain_pump_wear", 0.95)]);
    store.commit_scoring(&commit, morning()).await.unwrap()[0]
        .opened
        .unwrap()
}

async fn ring(store: &PostgresStore, ticket: TicketId, minutes: i64) -> AttemptId {
    has_a_quiet_past(store).await;
    let random = [u8::try_from(minutes).unwrap(); 20];
    match store.begin_attempt(ticket, after(minutes), random).await.unwrap() {
        Begun::Ring(order) => order.attempt.id,
        other => panic!("{other:?}"),
    }
}

/// A call that was answered, one that goes on, and what came of them.
async fn people(store: &PostgresStore) {
    let id = ticket(store, "wm-1").await;
    let attempt = ring(store, id, 0).await;
    let chosen = AttemptEvent::Chose(Disposition::AppointmentBooked);
    let ended = AttemptEvent::Ended {
        result: CallResult::Answered,
        detail: json!({"ms": 1}),
    };
    for event in [AttemptEvent::Answered, chosen, ended] {
        store.apply_attempt(attempt, event, after(1)).await.unwrap();
    }
    let second = ticket(store, "wm-2").await;
    ring(store, second, 30).await;
    let claimed = appliance(store, "acme", "wm-3").await;
    store
        .open_claim(claimed, Opener::Device, "4711", after(10), morning())
        .await
        .unwrap();
}

/// What devices, programs and lines have left.
async fn devices(store: &PostgresStore) {
    let acme = tenant("acme");
    let scope = Actor::hub("test").within(Some(acme.clone()));
    let id = appliance(store, "acme", "wm-4").await;
    store
        .add_group(&acme, "line", &[1; 32], "washing-machine", true, morning())
        .await
        .unwrap();
    let filters = ["d/+/t".to_owned(), "d/+/e".to_owned()];
    store
        .add_integrator(
            &acme,
            "erp",
            "int_0123456789abcdef0123456789abcdef",
            &filters,
            morning(),
        )
        .await
        .unwrap();
    store.send_command(&scope, id, &command("r1"), morning()).await.unwrap();
    let session = KeptSession {
        expiry_s: 60,
        subscriptions: vec![("d/wm-4/c/+".into(), 1)],
        unreleased: Vec::new(),
    };
    let session = [(id, SessionChange::Keep(session))];
    store.change_sessions(&session, morning()).await.unwrap();
    let told = extra(json!({"b": null, "a": {"deep": [1.10, "é"]}}));
    store.share_attributes(&scope, id, &told, morning()).await.unwrap();
    store
        .presence(&[presence(id, true, "connected", morning())])
        .await
        .unwrap();
    let said = [
        Ingest::State {
            appliance: id,
            payload: vec![0, 255, 10],
            content: StateContent::Birth(Box::new(birth())),
            retain: true,
            at: morning(),
        },
        Ingest::Once {
            appliance: id,
            packet_id: 65_535,
            content: Box::new(held(id)),
        },
    ];
    store.ingest(&said).await.unwrap();
}

fn birth() -> Birth {
    Birth {
        boot: (1 << 53) - 1,
        model: "WM\t7 \"é\" \\N".into(),
        firmware: "1.4.2".into(),
        sdk: "0.1.0".into(),
        reset: ResetReason::BrownOut,
        takes_cbor: true,
        settings: u64::from(u32::MAX),
        dropped_events: 1,
        dropped_telemetry: 2,
    }
}

fn held(appliance: ApplianceId) -> Ingest {
    Ingest::Quarantine(Quarantined {
        appliance,
        topic: "d/wm-4/t".into(),
        payload: (0..=255).collect(),
        reason: "no\tCBOR\n\\.".into(),
        received_at: morning(),
    })
}

fn command(request: &str) -> Command {
    Command {
        number: 0,
        sent: false,
        takes_cbor: false,
        request: request.into(),
        body: "{}".into(),
        expires_at: after(60),
    }
}

/// Readings that come while an export is under way.
pub async fn more(store: &PostgresStore, n: usize) {
    let id = appliance(store, "acme", "wm-2").await;
    let mut late = message(id, 9, u64::try_from(n).unwrap() * 10, 3);
    late.samples
        .iter_mut()
        .for_each(|sample: &mut Sample| sample.at = morning());
    store.ingest(&[Ingest::Telemetry(late)]).await.unwrap();
}

/// A hub on the moved database goes on as the one before would have: repeats are known, and numbers are new.
pub async fn go_on(hub: &PostgresStore) {
    let id = appliance(hub, "acme", "wm-1").await;
    let again = hub.ingest(&[Ingest::Telemetry(message(id, 7, 1, 9))]).await.unwrap();
    assert_eq!(again, [repeated(9)]);
    let new = hub.ingest(&[Ingest::Telemetry(message(id, 7, 600, 2))]).await.unwrap();
    assert_eq!(new, [stored(2)]);
    rolled_up(hub).await;
    let device = appliance(hub, "acme", "wm-4").await;
    let scope = Actor::hub("test").within(Some(tenant("acme")));
    hub.send_command(&scope, device, &command("r2"), morning())
        .await
        .unwrap();
    let waiting = waiting(hub, device, morning()).await;
    assert_eq!(
        waiting
            .iter()
            .map(|command| command.request.as_str())
            .collect::<Vec<_>>(),
        ["r1", "r2"]
    );
    // The call that was under way is unknown, as after any start.
    assert_eq!(hub.recover_attempts(after(60)).await.unwrap().len(), 1);
}
