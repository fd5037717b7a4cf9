//! A site to play on, and what happens there.

use super::{Harness, Place};
use crate::budget::{BudgetStore, KeptLedger};
use crate::lease::LeaseStore;
use crate::page::{PAGE_MAX, Page};
use crate::prediction::{ScoredUpTo, ScoringCommit};
use crate::site::SiteStore;
use crate::telemetry::{Command, Ingest, Ingested, PresenceChange, TelemetryStore};
use crate::{Store, error};
use hub_core::actor::Actor;
use hub_core::budget::history::{HighestScore, History, MonthOfScores};
use hub_core::budget::ledger::{Ledger, OTHER_MODELS};
use hub_core::budget::precision::Counted;
use hub_core::budget::{Draws, Month};
use hub_core::id::{ApplianceId, DeviceId, TenantId, TraceId};
use hub_core::prediction::{Contribution, Evidence, EvidencePoint, FaultPrediction, Severity};
use hub_core::profile::{ApplianceProfile, Channel};
use hub_core::release::{Basis, EvidenceKind};
use hub_core::site::Site;
use hub_core::situation::Observation;
use hub_core::telemetry::{Identity, Lane, Sample, TelemetryMessage};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// 10:00 in Shanghai, a Monday.
pub fn morning() -> Timestamp {
    "2026-03-02T02:00:00Z".parse().unwrap()
}

/// So many minutes later.
pub fn after(minutes: i64) -> Timestamp {
    morning() + jiff::SignedDuration::from_mins(minutes)
}

/// Profiles that exist.
pub fn profiles() -> BTreeMap<String, ApplianceProfile> {
    [profile("washing-machine"), profile("dishwasher")].into()
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

/// A place with the site in it, and its hub.
pub async fn played(h: &dyn Harness) -> (Box<dyn Place>, Arc<dyn Store>) {
    let place = h.empty().await;
    let store = place.hub().await;
    store.apply_site(&site(), morning(), false).await.unwrap();
    (place, store)
}

/// Everything of a list that comes in pages.
pub async fn all<T>(mut page: impl AsyncFnMut(Option<String>, usize) -> error::Result<Page<T>>) -> Vec<T> {
    let mut items = Vec::new();
    let mut after = None;
    loop {
        let next = page(after, PAGE_MAX).await.unwrap();
        items.extend(next.items);
        after = next.next;
        if after.is_none() {
            return items;
        }
    }
}

pub const PHONES: [&str; 4] = ["+8613800001111", "+8613800002222", "+8613900003333", "+862155550000"];

pub fn site() -> Site {
    let device = |id: &str, owner: &str| {
        serde_json::json!({"id": id, "profile": "washing-machine", "owner": owner, "service_point": "pudong",
            "secret_sha256": hash(&format!("secret-{id}"))})
    };
    let owner = |id: &str, phone: &str, consent: bool| {
        serde_json::json!({"id": id, "name": format!("Person {id}"), "phone": phone, "language": "zh-CN",
            "zone": "Asia/Shanghai", "consent_to_calls": consent})
    };
    let text = |s: &str| serde_json::json!({"zh-CN": s, "en": s});
    serde_json::from_value(serde_json::json!({"tenant": [
        {"id": "acme", "brand": text("Acme"), "visit_price": {"currency": "CNY", "amount": 80},
         "trunk": {"proxy": "127.0.0.1:5060", "domain": "trunk.example", "username": "u",
                   "password": "trunk-password-1", "caller_number": PHONES[3], "believe_from": true,
                   "addresses": ["192.0.2.7", "edge.carrier.example", "2001:db8::7"], "post_dial_limit_s": 9, "trying_limit_s": 31,
                   "inbound_channels": 3,
                   "number_plan": {"country_code": "86", "trunk_prefix": "0", "area_code": "21", "written": "national"}},
         "service_point": [{"id": "pudong", "name": text("Pudong"), "zone": "Asia/Shanghai",
            "slot": [{"day": "tuesday", "from": "09:00", "to": "12:00", "capacity": 1},
                     {"day": "thursday", "from": "14:00", "to": "17:00", "capacity": 1}]}],
         "owner": [owner("lin", PHONES[0], true), owner("wang", PHONES[1], true), owner("zhao", PHONES[2], false)],
         "device": [device("wm-1", "lin"), device("wm-2", "wang"), device("wm-3", "zhao"), device("wm-4", "lin")]},
        {"id": "beta", "brand": text("Beta"), "visit_price": {"currency": "CNY", "amount": 90},
         "device": [{"id": "wm-1", "profile": "washing-machine", "secret_sha256": hash("secret-beta")}]}
    ]}))
    .unwrap()
}

fn hash(secret: &str) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(secret))
}

pub fn tenant(id: &str) -> TenantId {
    TenantId::new(id).unwrap()
}

pub async fn appliance<S: SiteStore + ?Sized>(store: &S, tenant_id: &str, device: &str) -> ApplianceId {
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

/// A ledger of an appliance model whose thresholds come from four months of 300 sound appliances, with these scores by their number.
pub fn ledger_of(model: &str, scores: impl Fn(i64) -> f32) -> Ledger {
    let month = Month::at(morning());
    let mut history = History::default();
    for back in 1..=4 {
        let score = |id: i64| HighestScore {
            appliance: ApplianceId(1_000 + id),
            score: scores(id),
        };
        history.record(MonthOfScores::new(month.plus(-back), (0..300).map(score)));
    }
    let histories = BTreeMap::from([(model.to_owned(), history)]);
    let (mut ledger, mut state) = (Ledger::default(), 1_u64);
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state
    };
    ledger.renew(month, None, &histories, &mut Draws(&mut draw));
    ledger
}

/// From now on acme's fleet has a past, in which no sound appliance came near the score of [`alarm`]: what has earned calls is rung about
/// without an approval. Alarms that are seen later have the probability that follows from that.
pub async fn has_a_quiet_past<S: BudgetStore + ?Sized>(store: &S) {
    const FAMILY: &str = "washing-machine";
    let acme = tenant("acme");
    let KeptLedger { ledger, revision } = store.ledger(&acme, FAMILY).await.unwrap();
    if !ledger.models().is_empty() {
        return;
    }
    let ledger = ledger_of(OTHER_MODELS, |id| 0.2 + 0.0001 * id as f32);
    let kept = KeptLedger { ledger, revision };
    store.save_ledger(&acme, FAMILY, &kept, &[], morning()).await.unwrap();
}

/// By a model that has earned calls in a fleet elsewhere, so that nobody has to approve them once acme's has a past
/// ([`has_a_quiet_past`]).
pub fn alarm(appliance: ApplianceId, class: &str, probability: f32) -> Observation {
    let basis = Basis {
        kind: EvidenceKind::Fleet,
        stated: Counted { right: 100, wrong: 0 },
    };
    alarm_on(basis, appliance, class, probability)
}

/// By a model whose figures stand on this.
pub fn alarm_on(basis: Basis, appliance: ApplianceId, class: &str, probability: f32) -> Observation {
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
        prediction: Box::new(FaultPrediction {
            fault_class: class.into(),
            probability,
            verdicts: None,
            severity: Severity::Major,
            score: 1.5,
            model: "washing-machine/1".into(),
            model_hash: Some("5f".repeat(32)),
            below_call_level: false,
            at: morning(),
            since: morning(),
            top: vec![channel.clone()],
            second_opinion: None,
            basis,
        }),
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

/// The hub of a place that begins to write: what came before it has ended, or will in a moment.
pub async fn take_lease<S: LeaseStore + ?Sized>(store: &S) {
    let until = tokio::time::Instant::now() + Duration::from_secs(30);
    while store.take_lease(morning()).await.unwrap().is_none() {
        assert!(tokio::time::Instant::now() < until, "another hub has this data");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Rolls up until nothing is left: the round that may be under way, and one of what has come since it began.
pub async fn rolled_up<S: TelemetryStore + ?Sized>(store: &S) {
    for _ in 0..2 {
        while store.roll_up(100).await.unwrap() > 0 {}
    }
}

/// Commands that wait for one device.
pub async fn waiting<S: TelemetryStore + ?Sized>(store: &S, appliance: ApplianceId, now: Timestamp) -> Vec<Command> {
    let waiting = store.commands_waiting(&[appliance], now).await.unwrap();
    assert!(waiting.iter().all(|(of, _)| *of == appliance));
    waiting.into_iter().map(|(_, command)| command).collect()
}

/// The site without secrets for these devices of acme: they are only declared.
pub fn site_without_secrets(names: &[&str]) -> Site {
    let mut site = site();
    let devices = site.tenants[0].devices.iter_mut();
    for device in devices.filter(|device| names.contains(&device.id.as_str())) {
        device.secret_sha256 = None;
    }
    site
}

/// Every finding.
pub async fn findings<S: crate::prediction::PredictionStore + ?Sized>(store: &S) -> Vec<hub_core::finding::Finding> {
    all(async |after, limit| store.findings(&Actor::hub("test"), after.as_deref(), limit).await).await
}

/// Every ticket.
pub async fn tickets<S: crate::ticket::TicketStore + ?Sized>(store: &S) -> Vec<hub_core::ticket::ServiceTicket> {
    let filter = crate::ticket::TicketFilter::default();
    let page = async |after: Option<String>, limit| {
        store
            .tickets(&Actor::hub("test"), &filter, after.as_deref(), limit)
            .await
    };
    all(page).await.into_iter().map(|summary| summary.ticket).collect()
}

/// Lines of all timelines.
pub async fn lines<S: crate::ticket::TicketStore + ?Sized>(store: &S) -> usize {
    let mut lines = 0;
    for ticket in tickets(store).await {
        lines += store
            .ticket(&Actor::hub("test"), ticket.id, morning())
            .await
            .unwrap()
            .timeline
            .len();
    }
    lines
}

/// Names of every device of a tenant.
pub async fn devices<S: SiteStore + ?Sized>(store: &S, of: &str) -> Vec<String> {
    let scope = Actor::hub("test").within(Some(tenant(of)));
    let views = all(async |after, limit| store.appliances(&scope, after.as_deref(), limit).await).await;
    views.into_iter().map(|view| view.device.to_string()).collect()
}

/// Everything in quarantine, newest first.
pub async fn quarantine<S: crate::quarantine::QuarantineStore + ?Sized>(
    store: &S,
) -> Vec<crate::quarantine::QuarantineEntry> {
    let filter = crate::quarantine::QuarantineFilter::default();
    all(async |after, limit| {
        store
            .quarantine(&Actor::hub("test"), &filter, after.as_deref(), limit)
            .await
    })
    .await
}

/// A call that is over.
pub fn ended(result: hub_core::call_result::CallResult) -> hub_core::contact::AttemptEvent {
    hub_core::contact::AttemptEvent::Ended {
        result,
        detail: serde_json::json!({"ms": 1}),
    }
}

/// Every row that is not scored yet, in the order of commits of each partition; they are then.
pub async fn scored_rows(store: &dyn Store, now: Timestamp) -> Vec<crate::telemetry::StoredRow> {
    let mut rows = Vec::new();
    loop {
        let next = store.unscored(1_000, None).await.unwrap().rows;
        if next.is_empty() {
            return rows;
        }
        let commit = ScoringCommit {
            offsets: ScoredUpTo::reach(&next),
            ..ScoringCommit::default()
        };
        store.commit_scoring(&commit, now).await.unwrap();
        rows.extend(next);
    }
}

/// The ticket that an alarm of a device of acme opens.
pub async fn ticket(store: &dyn Store, device: &str, probability: f32) -> hub_core::id::TicketId {
    let id = appliance(store, "acme", device).await;
    let commit = seen(vec![alarm(id, "drain_pump_wear", probability)]);
    let changes = store.commit_scoring(&commit, morning()).await.unwrap();
    changes[0].opened.unwrap()
}
