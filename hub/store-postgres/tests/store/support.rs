//! An empty database for each test, and a site to play on.

use crate::server::{Database, Server};
use hub_core::id::{ApplianceId, DeviceId, TenantId, TraceId};
use hub_core::prediction::{Contribution, Evidence, EvidencePoint, FaultPrediction, Severity};
use hub_core::profile::{ApplianceProfile, Channel};
use hub_core::site::Site;
use hub_core::telemetry::{Identity, Lane, Sample, TelemetryMessage};
use hub_store::lease::LeaseStore;
use hub_store::prediction::{Observation, ScoringCommit};
use hub_store::site::SiteStore;
use hub_store::telemetry::{Ingest, Ingested, PresenceChange, TelemetryStore};
use hub_store_postgres::{Keyring, PostgresStore};
use jiff::Timestamp;
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use std::collections::BTreeMap;
use uuid::Uuid;

/// 10:00 in Shanghai, a Monday.
pub fn morning() -> Timestamp {
    "2026-03-02T02:00:00Z".parse().unwrap()
}

pub fn after(minutes: i64) -> Timestamp {
    morning() + jiff::SignedDuration::from_mins(minutes)
}

/// A database of its own, with the keyring that opens it.
pub struct Base {
    pub options: PgConnectOptions,
    pub database: Database,
}

impl Base {
    pub async fn new() -> Self {
        Self::on(Server::chosen().await).await
    }

    pub async fn on(server: &'static Server) -> Self {
        let database = server.database().await;
        Self {
            options: database.options.clone(),
            database,
        }
    }

    pub fn keyring(&self) -> Keyring {
        Keyring::open_or_create(&self.database.file("keyring")).unwrap()
    }

    /// The hub on this database; one before must be closed or just have ended.
    pub async fn store(&self) -> PostgresStore {
        let store = self.beside().await;
        take_lease(&store).await;
        store
    }

    /// Another program on this database, which may not do what takes the lease.
    pub async fn beside(&self) -> PostgresStore {
        PostgresStore::connect(self.options.clone(), self.keyring(), profiles())
            .await
            .unwrap()
    }

    pub async fn sql(&self) -> sqlx::PgConnection {
        self.options.clone().connect().await.unwrap()
    }

    /// The first number that a query answers with.
    pub async fn number(&self, query: &str) -> i64 {
        sqlx::query_scalar(query)
            .fetch_one(&mut self.sql().await)
            .await
            .unwrap()
    }
}

pub fn profiles() -> BTreeMap<String, ApplianceProfile> {
    [profile("washing-machine")].into()
}

/// A profile of three channels, with its name.
pub fn profile(name: &str) -> (String, ApplianceProfile) {
    let channel = |id: u8, name: &str, unit: &str| Channel {
        id,
        name: name.into(),
        unit: unit.into(),
        decimals: 3,
        min: -1_000.0,
        max: 1_000.0,
    };
    let profile = ApplianceProfile {
        name: name.into(),
        version: 1,
        channels: vec![
            channel(1, "phase", "/"),
            channel(2, "current_a", "A"),
            channel(3, "inlet_cel", "Cel"),
        ],
    };
    (name.into(), profile)
}

/// A database with the site in it.
pub async fn played() -> (Base, PostgresStore) {
    let base = Base::new().await;
    let store = base.store().await;
    store.apply_site(&site(), morning(), false).await.unwrap();
    (base, store)
}

pub const PHONES: [&str; 4] = ["+8613800001111", "+8613800002222", "+8613900003333", "+862155550000"];

pub fn site() -> Site {
    let device = |id: &str, owner: &str| {
        serde_json::json!({"id": id, "profile": "washing-machine", "owner": owner, "service_point": "pudong",
            "secret_sha256": hex(&format!("secret-{id}"))})
    };
    let owner = |id: &str, phone: &str, consent: bool| {
        serde_json::json!({"id": id, "name": format!("Person {id}"), "phone": phone, "language": "zh-CN",
            "zone": "Asia/Shanghai", "consent_to_calls": consent})
    };
    let text = |s: &str| serde_json::json!({"zh-CN": s, "en": s});
    serde_json::from_value(serde_json::json!({"tenant": [
        {"id": "acme", "brand": text("Acme"), "visit_price": {"currency": "CNY", "amount": 80},
         "trunk": {"proxy": "127.0.0.1:5060", "domain": "trunk.example", "username": "u",
                   "password": "trunk-password-1", "caller_number": PHONES[3]},
         "service_point": [{"id": "pudong", "name": text("Pudong"), "zone": "Asia/Shanghai",
            "slot": [{"day": "tuesday", "from": "09:00", "to": "12:00", "capacity": 1},
                     {"day": "thursday", "from": "14:00", "to": "17:00", "capacity": 1}]}],
         "owner": [owner("lin", PHONES[0], true), owner("wang", PHONES[1], true), owner("zhao", PHONES[2], false)],
         "device": [device("wm-1", "lin"), device("wm-2", "wang"), device("wm-3", "zhao"), device("wm-4", "lin")]},
        {"id": "beta", "brand": text("Beta"), "visit_price": {"currency": "CNY", "amount": 90},
         "device": [{"id": "wm-1", "profile": "washing-machine", "secret_sha256": hex("secret-beta")}]}
    ]}))
    .unwrap()
}

fn hex(secret: &str) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(secret)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

pub fn tenant(id: &str) -> TenantId {
    TenantId::new(id).unwrap()
}

pub async fn appliance(store: &PostgresStore, tenant_id: &str, device: &str) -> ApplianceId {
    store
        .appliance_by_name(&tenant(tenant_id), &DeviceId::new(device).unwrap())
        .await
        .unwrap()
        .id
}

pub fn message(appliance: ApplianceId, boot: u64, first: u64, samples: u64) -> TelemetryMessage {
    TelemetryMessage {
        appliance,
        identity: Identity::Sequence {
            boot,
            lane: Lane::Telemetry,
            first,
        },
        samples: (first..first + samples)
            .map(|seq| Sample {
                at: morning() + jiff::SignedDuration::from_secs(i64::try_from(seq).unwrap()),
                values: vec![Some(i32::try_from(seq).unwrap()), None, Some(-7)],
                extra: None,
            })
            .collect(),
        received_at: morning(),
        skew_ms: Some(12),
        trace: TraceId(Uuid::from_u128(u128::from(first))),
    }
}

pub fn telemetry(appliance: ApplianceId, boot: u64, first: u64, samples: u64) -> Ingest {
    Ingest::Telemetry(message(appliance, boot, first, samples))
}

pub fn alarm(appliance: ApplianceId, class: &str, probability: f32) -> Observation {
    let channel = Contribution {
        channel: "drain_pump_current".into(),
        share: 0.8,
        value: 1.5,
        baseline_mean: 1.0,
        baseline_deviation: 0.1,
        unit: "A".into(),
    };
    Observation::Alarm {
        appliance,
        prediction: FaultPrediction {
            fault_class: class.into(),
            probability,
            severity: Severity::Major,
            score: 1.5,
            model: "washing-machine/1".into(),
            at: morning(),
            since: morning(),
            top: vec![channel.clone()],
        },
        evidence: Evidence {
            channels: vec![channel],
            points: vec![EvidencePoint {
                at: morning(),
                score: f32::NAN,
                values: vec![f64::INFINITY],
            }],
            anomalous_since: morning(),
        },
        trace: TraceId(Uuid::from_u128(7)),
    }
}

pub fn seen(observations: Vec<Observation>) -> ScoringCommit {
    ScoringCommit {
        observations,
        ..ScoringCommit::default()
    }
}

pub fn presence(appliance: ApplianceId, online: bool, reason: &str, at: Timestamp) -> PresenceChange {
    PresenceChange {
        appliance,
        online,
        reason: reason.into(),
        at,
    }
}

pub fn stored(stored: u32) -> Ingested {
    Ingested { stored, repeated: 0 }
}

pub fn repeated(repeated: u32) -> Ingested {
    Ingested { stored: 0, repeated }
}

/// Makes a store the hub's.
pub async fn take_lease(store: &PostgresStore) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(5);
    while store.take_lease(morning()).await.unwrap().is_none() {
        assert!(std::time::Instant::now() < until, "another hub has this database");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Rolls up until nothing is left.
pub async fn rolled_up(store: &PostgresStore) {
    while store.roll_up(100).await.unwrap() > 0 {}
}
