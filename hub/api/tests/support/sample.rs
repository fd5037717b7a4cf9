//! Sample tickets: one with a call and a visit, one that nobody was rung for, one that a person must look at.

use hub_core::appointment::{Appointment, AppointmentState, Slot};
use hub_core::budget::precision::Counted;
use hub_core::call_result::{CallResult, Disposition};
use hub_core::call_rules::HoldReason;
use hub_core::consent::{Consent, Standing, Subject};
use hub_core::contact::{AttemptState, ContactAttempt, ContactPhase, ContactThread, Direction};
use hub_core::finding::{Finding, FindingState};
use hub_core::household::{Address, Household, Number, Person};
use hub_core::id::{
    ApplianceId, AppointmentId, AttemptId, DeviceId, FindingId, HouseholdId, PersonId, TenantId, TicketId, TraceId,
};
use hub_core::language::Language;
use hub_core::normal::{LearnedNormal, LeftOut, Normal, NormalFeature, NormalStage};
use hub_core::phone_number::PhoneNumber;
use hub_core::prediction::{Contribution, Evidence, EvidencePoint, FaultPrediction, Severity};
use hub_core::release::{Basis, EvidenceKind, Release, Tally};
use hub_core::site::{Localised, ServicePoint};
use hub_core::ticket::{
    HUB, ServiceTicket, TicketCategory, TicketEvent, TicketFault, TicketKind, TicketLabels, TicketStatus,
};
use hub_store::birth::{Birth, KeptBirth, ResetReason};
use hub_store::site::{ApplianceView, OwnerView};
use hub_store::ticket::{TicketView, TimelineEntry};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// The number that must be on no page.
pub const NUMBER: &str = "+8613800005678";

/// A civil time of the sample's morning: `at("09:00")` in Shanghai.
pub fn at(time: &str) -> Timestamp {
    format!("2026-11-22T{time}:00+08:00").parse().unwrap()
}

fn slot() -> Slot {
    Slot {
        start: "2026-11-24T09:00:00+08:00".parse().unwrap(),
        end: "2026-11-24T12:00:00+08:00".parse().unwrap(),
    }
}

fn appliance(n: i64, device: &str) -> ApplianceView {
    ApplianceView {
        id: ApplianceId(n),
        tenant: TenantId::new("acme").unwrap(),
        device: DeviceId::new(device).unwrap(),
        profile: "washing-machine".into(),
        owner: Some(format!("C-{n:04}")),
        service_point: Some("pudong".into()),
        online: n == 1,
        presence_reason: if n == 1 { "connected" } else { "keep_alive" }.into(),
        presence_at: Some(at("08:12")),
        last_sample_at: Some(at("08:59")),
        samples: 20_160,
        quarantined: 0,
        skew_ms: Some(-140),
        gaps: 3,
        dropped: 1,
        repeated: 12,
        watching: None,
    }
}

/// What a device agent says of itself.
pub fn birth() -> KeptBirth {
    KeptBirth {
        birth: Birth {
            boot: 7,
            model: "WM-2207 <b>".into(),
            firmware: "1.4.2".into(),
            sdk: "0.1.0".into(),
            reset: ResetReason::BrownOut,
            takes_cbor: true,
            settings: 7,
            dropped_events: 0,
            dropped_telemetry: 12,
        },
        at: at("08:13"),
        dropped_events_in_all: 0,
        dropped_telemetry_in_all: 262,
    }
}

/// A household of two: the first is rung, or nobody.
fn owner(n: u128, consent: Consent) -> OwnerView {
    let standing = Standing {
        subject: Subject::SERVICE_CALLS,
        consent,
        at: "2026-11-03T10:00:00+08:00".parse().unwrap(),
    };
    let number = Number {
        number: PhoneNumber::new(NUMBER).unwrap(),
        do_not_call: false,
    };
    let first = Person {
        id: PersonId(Uuid::from_u128(100 + n)),
        name: if n == 1 { "Li Wei <b>" } else { "Chen Jing" }.into(),
        language: Language::ZhCn,
        numbers: vec![number],
        consents: vec![standing],
    };
    let second = Person {
        id: PersonId(Uuid::from_u128(200 + n)),
        name: "Wang Fang".into(),
        language: Language::En,
        numbers: vec![],
        consents: vec![],
    };
    let household = Household {
        id: HouseholdId(Uuid::from_u128(300 + n)),
        tenant: TenantId::new("acme").unwrap(),
        name_in_tenant: format!("C-{n:04}"),
        address: Some(Address::new("1 Century Avenue, <Pudong>")),
        zone: "Asia/Shanghai".into(),
        persons: vec![first, second],
    };
    OwnerView::to_ring(household).unwrap()
}

fn channel(name: &str, share: f32, value: f64, mean: f64, deviation: f64, unit: &str) -> Contribution {
    Contribution {
        channel: name.into(),
        share,
        value,
        baseline_mean: mean,
        baseline_deviation: deviation,
        unit: unit.into(),
    }
}

/// A pump whose current creeps up, with a little noise that is the same every time.
fn evidence() -> Evidence {
    let from: Timestamp = "2026-11-08T00:00:00+08:00".parse().unwrap();
    let noise = |n: u32, k: u32| (f64::from(n * n) * 0.37 + f64::from(n * k) * 1.7 + f64::from(k)).sin();
    let point = |n: u32| {
        let drift = (f64::from(n) - 120.0).max(0.0) / 100.0;
        EvidencePoint {
            at: from + SignedDuration::from_hours(i64::from(n) * 3 / 2),
            score: (0.35 + drift * 1.2 + noise(n, 1) * 0.08) as f32,
            values: vec![
                0.304 + drift * 0.116 + noise(n, 2) * 0.01,
                12.0 + drift * 3.0 + noise(n, 3) * 0.8,
                230.0 + noise(n, 4) * 2.0,
            ],
        }
    };
    Evidence {
        channels: vec![
            channel("drain_pump_current_a", 0.71, 0.42, 0.304, 0.011, "A"),
            channel("water_temperature_c", 0.22, 15.0, 12.0, 0.9, "Cel"),
            channel("supply_voltage_v", 0.07, 229.6, 230.0, 1.4, "V"),
        ],
        points: (0..220).map(point).collect(),
        anomalous_since: from + SignedDuration::from_hours(230),
    }
}

fn finding(n: u128, fault_class: &str, probability: f32, severity: Severity) -> Finding {
    let evidence = evidence();
    Finding {
        id: FindingId(Uuid::from_u128(200 + n)),
        tenant: TenantId::new("acme").unwrap(),
        appliance: ApplianceId(n as i64),
        fault_class: fault_class.into(),
        state: FindingState::Open,
        first_seen: at("08:58"),
        alarm_at: at("08:58"),
        last_seen: at("09:00"),
        count: 14,
        prediction: FaultPrediction {
            fault_class: fault_class.into(),
            probability,
            verdicts: None,
            severity,
            score: 1.55,
            model: "washing-machine/1".into(),
            model_hash: None,
            below_call_level: false,
            at: at("08:59"),
            since: evidence.anomalous_since,
            top: evidence.channels.clone(),
            second_opinion: None,
            basis: Basis {
                kind: EvidenceKind::Fleet,
                stated: Counted { right: 100, wrong: 1 },
            },
        },
        evidence,
        ticket: Some(TicketId(Uuid::from_u128(n))),
        suppressed_until: None,
        ticket_from: None,
        trace: TraceId(Uuid::from_u128(300 + n)),
    }
}

/// What people of acme made of such predictions.
fn release(finding: &Finding) -> Release {
    let tally = Tally {
        right: 14,
        wrong: 2,
        approved: 5,
        refused: 1,
    };
    Release::of(finding, tally)
}

fn ticket(n: u128, finding: &Finding, category: TicketCategory, contact: ContactThread) -> ServiceTicket {
    ServiceTicket {
        id: TicketId(Uuid::from_u128(n)),
        number: n as i64,
        tenant: TenantId::new("acme").unwrap(),
        appliance: ApplianceId(n as i64),
        kind: TicketKind::PredictedFault,
        fault: Some(TicketFault {
            finding: finding.id,
            fault_class: finding.fault_class.clone(),
            severity: finding.prediction.severity,
        }),
        status: TicketStatus::first(category, &TicketLabels::default()),
        assignee: None,
        opened_at: at("09:00"),
        closed_at: None,
        contact,
        appointment: None,
        promise: None,
        next_promise: None,
        outcome: None,
        correction: None,
        judged: None,
        trace: finding.trace,
    }
}

fn service_point() -> ServicePoint {
    ServicePoint {
        id: "pudong".into(),
        name: Localised {
            zh_cn: "浦东服务网点".into(),
            en: "Pudong service point".into(),
        },
        zone: "Asia/Shanghai".into(),
        slots: vec![],
    }
}

fn hub(time: &str, event: TicketEvent) -> TimelineEntry {
    TimelineEntry {
        at: at(time),
        actor: HUB.into(),
        event,
    }
}

fn attempt(ticket: TicketId) -> ContactAttempt {
    ContactAttempt {
        id: AttemptId(Uuid::from_u128(400)),
        tenant: TenantId::new("acme").unwrap(),
        ticket,
        owner: PersonId(Uuid::from_u128(101)),
        direction: Direction::Outbound,
        state: AttemptState::Ended,
        started_at: at("09:00"),
        rang_at: Some(at("09:00")),
        ended_at: Some(at("09:01")),
        result: Some(CallResult::Answered),
        disposition: Some(Disposition::AppointmentBooked),
        requested_by: None,
        offered: Some(slot()),
        rings_by: Some(at("11:00")),
        detail: Some(serde_json::json!({
            "sip_status": 200, "reason": "OK", "digits": "01", "post_dial_ms": 180, "ring_ms": 4200, "talk_ms": 65_300,
            "refused": null, "audio": { "packets_sent": 3265, "packets_received": 3251, "lost": 2, "dropped": 0 },
            "transcript": [
                { "at_ms": 300, "speaker": "hub", "text": "您好，这里是爱家客户服务的自动来电。" },
                { "at_ms": 31_000, "speaker": "owner", "text": "1" },
                { "at_ms": 31_400, "speaker": "hub", "text": "好的，已经为您约好。服务工程师会在星期二上午上门。谢谢您，再见。" },
            ],
        })),
        trace: TraceId(Uuid::from_u128(301)),
    }
}

/// Rung, answered, visit agreed.
pub fn booked() -> TicketView {
    let finding = finding(1, "drain_pump_wear", 0.94, Severity::Major);
    let done = ContactThread {
        phase: ContactPhase::Done,
        due: None,
        requested_by: None,
        approved_by: None,
        reason: None,
    };
    let mut ticket = ticket(1, &finding, TicketCategory::Paused, done);
    ticket.appointment = Some(Appointment {
        id: AppointmentId::after(ticket.id, None),
        tenant: ticket.tenant.clone(),
        ticket: ticket.id,
        state: AppointmentState::Confirmed,
        slot: slot(),
        service_point: "pudong".into(),
        agreed_by: "owner_by_phone".into(),
        made_at: at("09:01"),
        changed_at: at("09:01"),
    });
    let call = attempt(ticket.id);
    let timeline = vec![
        hub(
            "09:00",
            TicketEvent::Opened {
                contact_due: at("09:00"),
            },
        ),
        hub(
            "09:00",
            TicketEvent::AttemptStarted {
                attempt: call.id,
                inbound: false,
            },
        ),
        hub(
            "09:01",
            TicketEvent::Chose {
                attempt: call.id,
                disposition: Disposition::AppointmentBooked,
                slot: Some(slot()),
                service_point: Some("pudong".into()),
                rings_by: None,
            },
        ),
        hub(
            "09:01",
            TicketEvent::AttemptEnded {
                attempt: call.id,
                inbound: false,
                result: CallResult::Answered,
                disposition: Some(Disposition::AppointmentBooked),
                contact_due: at("12:00"),
            },
        ),
    ];
    TicketView {
        ticket,
        appliance: appliance(1, "WM-2207-00417"),
        owner: Some(owner(1, Consent::Given)),
        release: Some(release(&finding)),
        finding: Some(finding),
        labels: TicketLabels::default(),
        service_point: Some(service_point()),
        next_slot: Some(slot()),
        attempts: vec![call],
        timeline,
    }
}

/// Not rung: consent was withdrawn.
pub fn withdrawn() -> TicketView {
    let finding = finding(2, "door_gasket", 0.96, Severity::Critical);
    let reason = HoldReason::ConsentWithdrawn;
    let ticket = ticket(2, &finding, TicketCategory::Open, ContactThread::held(reason));
    TicketView {
        ticket,
        appliance: appliance(2, "WM-2207-00588"),
        owner: Some(owner(2, Consent::Withdrawn)),
        release: Some(release(&finding)),
        finding: Some(finding),
        labels: TicketLabels::default(),
        service_point: Some(service_point()),
        next_slot: Some(slot()),
        attempts: vec![],
        timeline: vec![
            hub(
                "09:00",
                TicketEvent::Opened {
                    contact_due: at("09:00"),
                },
            ),
            hub("09:00", TicketEvent::Held { reason }),
        ],
    }
}

/// Below the gate: a person decides.
pub fn unsure() -> TicketView {
    let mut finding = finding(3, "unknown_fault", 0.64, Severity::Minor);
    finding.prediction.basis = Basis::default();
    let reason = HoldReason::BelowGate;
    let ticket = ticket(3, &finding, TicketCategory::Open, ContactThread::held(reason));
    TicketView {
        ticket,
        appliance: appliance(3, "WM-2207-00591"),
        owner: Some(owner(3, Consent::Given)),
        release: Some(release(&finding)),
        finding: Some(finding),
        labels: TicketLabels::default(),
        service_point: Some(service_point()),
        next_slot: None,
        attempts: vec![],
        timeline: vec![
            hub(
                "08:40",
                TicketEvent::Opened {
                    contact_due: at("08:40"),
                },
            ),
            hub("08:40", TicketEvent::Held { reason }),
        ],
    }
}

/// What counts as normal: of three features one that is compared, one whose sensor has fallen silent, and one that was not learned.
pub fn normal() -> LearnedNormal {
    let feature = |name: &str, unit: &str, left_out, normal| NormalFeature {
        name: name.to_owned(),
        unit: unit.to_owned(),
        left_out,
        normal,
    };
    let current = Normal {
        now: 0.31,
        first: Some(0.3),
        average: 0.36,
        by_ratio: true,
        floor: 0.1,
        harmless: 0.12,
        deviation: 1.25,
        deviation_from_first: Some(-0.5),
    };
    let temperature = Normal {
        now: 40.2,
        first: None,
        average: 39.5,
        by_ratio: false,
        floor: 2.0,
        harmless: 2.25,
        deviation: -0.31,
        deviation_from_first: None,
    };
    LearnedNormal {
        as_of: at("09:02"),
        model: "washing-machine/1".to_owned(),
        stage: NormalStage::Calibrated,
        counted: hub_core::normal::Counted::Runs,
        period_s: None,
        calibrated: 42,
        calibration: 42,
        compared: Some(118),
        watched_since: Some(at("08:30")),
        refused_by: None,
        features: vec![
            feature("drain_pump_current_a", "A", None, Some(current)),
            feature("water_temperature_c", "Cel", Some(LeftOut::Silent), Some(temperature)),
            feature("spin_<b>", "/", Some(LeftOut::NotCalibrated), None),
        ],
    }
}
