use super::*;
use crate::call_result::CallResult;
use crate::call_rules::HoldReason;
use crate::consent::{Consent, Standing, Subject};
use crate::contact::{ContactPhase, Direction};
use crate::household::{Household, Number, Person};
use crate::id::{HouseholdId, PersonId, TenantId};
use crate::language::Language;
use crate::phone_number::PhoneNumber;
use crate::ticket::{TicketCategory, TicketKind};
use jiff::SignedDuration;

pub(super) fn household() -> Household {
    let said = Standing {
        subject: Subject::SERVICE_CALLS,
        consent: Consent::Given,
        at: morning(),
    };
    let number = Number {
        number: PhoneNumber::new("+8613800001111").unwrap(),
        do_not_call: false,
    };
    let person = Person {
        id: PersonId(uuid::Uuid::from_u128(3)),
        name: "Lin".to_owned(),
        language: Language::En,
        numbers: vec![number],
        consents: vec![said],
    };
    Household {
        id: HouseholdId(uuid::Uuid::from_u128(4)),
        tenant: TenantId::new("acme").unwrap(),
        name_in_tenant: "lin".to_owned(),
        address: None,
        zone: "Asia/Shanghai".to_owned(),
        persons: vec![person],
    }
}

fn ago(hours: i64, result: CallResult, direction: Direction) -> PastCall {
    let ended = morning() - SignedDuration::from_hours(hours);
    PastCall {
        direction,
        started_at: ended - SignedDuration::from_mins(1),
        rang: false,
        ended_at: Some(ended),
        result: Some(result),
    }
}

/// What an owner said for another ticket counts, for as long as it is remembered.
#[test]
fn earlier_calls_count() {
    use {CallResult as R, Direction as D};
    let up = PastCall {
        ended_at: None,
        result: None,
        ..ago(0, R::Answered, D::Inbound)
    };
    let day = 24;
    let cases = [
        ("nothing", vec![], Dial::Ring(())),
        (
            "declined",
            vec![ago(29 * day, R::Declined, D::Outbound)],
            Dial::Held(HoldReason::Declined),
        ),
        (
            "declined long ago",
            vec![ago(31 * day, R::Declined, D::Outbound)],
            Dial::Ring(()),
        ),
        (
            "their own call declined",
            vec![ago(day, R::Declined, D::Inbound)],
            Dial::Ring(()),
        ),
        (
            "cut off",
            vec![ago(day, R::Unknown, D::Outbound)],
            Dial::Held(HoldReason::UnknownAttempt),
        ),
        (
            "cut off, then they rang back",
            vec![ago(50, R::Unknown, D::Outbound), ago(49, R::Answered, D::Inbound)],
            Dial::Ring(()),
        ),
        (
            "answered, then cut off",
            vec![ago(50, R::Answered, D::Outbound), ago(49, R::Unknown, D::Outbound)],
            Dial::Held(HoldReason::UnknownAttempt),
        ),
        (
            "rung twice today",
            vec![ago(5, R::NoAnswer, D::Outbound), ago(9, R::NoAnswer, D::Outbound)],
            Dial::Waits {
                until: morning() - SignedDuration::from_hours(9) - SignedDuration::from_mins(1)
                    + SignedDuration::from_hours(day),
                reason: HoldReason::PerDay,
            },
        ),
        (
            "two that rang nobody today, and one that did",
            vec![
                ago(5, R::NetworkFailure, D::Outbound),
                ago(7, R::NotPlaced, D::Outbound),
                ago(9, R::NoAnswer, D::Outbound),
            ],
            Dial::Ring(()),
        ),
        (
            "the network failed while it rang",
            vec![
                PastCall {
                    rang: true,
                    ..ago(5, R::NetworkFailure, D::Outbound)
                },
                ago(9, R::NoAnswer, D::Outbound),
            ],
            Dial::Waits {
                until: morning() - SignedDuration::from_hours(9) - SignedDuration::from_mins(1)
                    + SignedDuration::from_hours(day),
                reason: HoldReason::PerDay,
            },
        ),
        (
            "a call is up",
            vec![up],
            Dial::Waits {
                until: morning() + SignedDuration::from_mins(1),
                reason: HoldReason::InCall,
            },
        ),
    ];
    for (name, calls, expected) in cases {
        let mut unit = Unit::new();
        unit.sees(alarm("pump", 0.95, Severity::Major));
        unit.learns_of_a_quiet_past();
        let id = unit.situation.tickets[0].id;
        let household = household();
        let home = Home {
            household: &household,
            calls,
        };
        let mut changes = Changes::default();
        let dial = unit
            .situation
            .dial(id, Some(&home), &[], released(), morning(), &mut changes)
            .unwrap();
        assert_eq!(dial, expected, "{name}");
        let event = match expected {
            Dial::Ring(()) => &[][..],
            Dial::Waits { .. } => &["ticket.waits"],
            _ => &["ticket.held"],
        };
        assert_eq!(told(&changes), event, "{name}");
    }
    let mut unit = Unit::new();
    unit.sees(alarm("pump", 0.95, Severity::Major));
    let (id, mut changes) = (unit.situation.tickets[0].id, Changes::default());
    let dial = unit
        .situation
        .dial(id, None, &[], released(), morning(), &mut changes)
        .unwrap();
    assert_eq!(dial, Dial::Held(HoldReason::NoOwner));
    let household = household();
    let home = Home {
        household: &household,
        calls: vec![],
    };
    let again = unit
        .situation
        .dial(id, Some(&home), &[], released(), morning(), &mut changes)
        .unwrap();
    assert_eq!(again, Dial::Settled, "a person has it");
}

#[test]
fn a_caller_is_spoken_with_about_what_is_open() {
    let mut unit = Unit::new();
    for class in ["pump", "bearing", "heater", "valve"] {
        unit.sees(alarm(class, 0.95, Severity::Major));
        unit.now += SignedDuration::from_mins(1);
    }
    let mut tickets = unit.situation.tickets.clone();
    let about = |tickets: &[ServiceTicket]| {
        let fault = for_caller(tickets, morning())?.fault.as_ref()?;
        Some(fault.fault_class.clone())
    };
    assert_eq!(about(&tickets).as_deref(), Some("valve"));
    tickets[3].contact.phase = ContactPhase::Done;
    tickets[2].contact.phase = ContactPhase::InCall;
    tickets[1].contact.phase = ContactPhase::Held;
    assert_eq!(about(&tickets).as_deref(), Some("bearing"));
    tickets[0].status.category = TicketCategory::Resolved;
    tickets[1].fault = None;
    assert_eq!(about(&tickets).as_deref(), Some("valve"));
    tickets[3].status.category = TicketCategory::Resolved;
    assert_eq!(
        for_caller(&tickets, morning()).map(|ticket| ticket.id),
        Some(tickets[1].id),
        "one without a fault is the last"
    );
    tickets[1].contact.phase = ContactPhase::InCall;
    assert_eq!(for_caller(&tickets, morning()), None);
}

/// What a person opens stands beside what the hub found, is told, and is never rung about.
#[test]
fn a_person_opens_a_ticket() {
    let mut unit = Unit::new();
    unit.sees(alarm("pump", 0.95, Severity::Major));
    let report = |unit: &mut Unit, kind, note: &str| {
        let now = unit.now;
        unit.with_ids(|situation, ids, changes| situation.report(kind, note, "lena", ids, now, changes))
    };
    let (id, changes) = report(&mut unit, TicketKind::Repair, "It leaks.");
    let id = id.unwrap();
    assert_eq!(told(&changes), ["ticket.reported"]);
    assert_eq!(changes.lines[0].actor, "lena");
    assert!(changes.tickets[&id].is_new);
    assert_eq!(
        stands(&unit.situation),
        " Open pump x1 with ticket; ticket Open/Planned pump; ticket Open/Held no fault held NothingToSay;"
    );
    let household = household();
    let home = Home {
        household: &household,
        calls: Vec::new(),
    };
    let dial = unit
        .situation
        .dial(id, Some(&home), &[], released(), morning(), &mut Changes::default());
    assert_eq!(dial.unwrap(), Dial::Settled);
    assert!(report(&mut unit, TicketKind::Consult, " ").0.is_err(), "without a word");
    let mut unit = Unit::new();
    for _ in 0..TICKETS_OPEN_MAX {
        report(&mut unit, TicketKind::Care, "Descale.").0.unwrap();
    }
    let full = report(&mut unit, TicketKind::Care, "Descale.").0;
    assert!(matches!(full, Err(SituationError::Full { .. })));
}

/// A ticket of which call after call rang nobody has all its places still, and waits longer and longer.
#[test]
fn calls_that_rang_nobody_use_up_no_place() {
    use {CallResult as R, Direction as D};
    let dial = |calls: &[PastCall]| {
        let mut unit = Unit::new();
        unit.sees(alarm("pump", 0.95, Severity::Major));
        unit.learns_of_a_quiet_past();
        let (id, household) = (unit.situation.tickets[0].id, household());
        let home = Home {
            household: &household,
            calls: calls.to_vec(),
        };
        let mut changes = Changes::default();
        unit.situation
            .dial(id, Some(&home), calls, released(), morning(), &mut changes)
            .unwrap()
    };
    let failed = |hours| ago(hours, R::NetworkFailure, D::Outbound);
    let many: Vec<_> = (3..11).rev().map(failed).collect();
    assert_eq!(dial(&many), Dial::Ring(()), "eight of them");
    let waits = |minutes| Dial::Waits {
        until: morning() + SignedDuration::from_mins(minutes),
        reason: HoldReason::Gap,
    };
    assert_eq!(dial(&[failed(0)]), waits(10));
    assert_eq!(dial(&[failed(1), failed(0)]), waits(20));
    let rung_between = [failed(30), failed(29), ago(28, R::NoAnswer, D::Outbound), failed(0)];
    assert_eq!(dial(&rung_between), waits(10), "counted since it rang");
    let used_up = [27, 28, 29].map(|hours| ago(hours, R::HungUpEarly, D::Outbound));
    assert_eq!(dial(&used_up), Dial::Held(HoldReason::AttemptsUsedUp));
}

/// A person's wish waives what was before it. What fails after it has its pause, and a call that rang has used it up.
#[test]
fn a_wish_for_a_call_waives_only_what_was_before_it() {
    use {CallResult as R, Direction as D};
    let dial = |last: PastCall, reason| {
        let mut unit = Unit::new();
        unit.sees(alarm("pump", 0.95, Severity::Major));
        unit.act(0, &TicketEvent::CallRequested);
        unit.situation.tickets[0].contact.reason = reason;
        let (id, household) = (unit.situation.tickets[0].id, household());
        let home = Home {
            household: &household,
            calls: vec![],
        };
        let used_up = [27, 28, 29].map(|hours| ago(hours, R::HungUpEarly, D::Outbound));
        let calls: Vec<_> = used_up.into_iter().chain([last]).collect();
        let mut changes = Changes::default();
        unit.situation
            .dial(id, Some(&home), &calls, released(), morning(), &mut changes)
            .unwrap()
    };
    let failed = ago(0, R::NetworkFailure, D::Outbound);
    let rang = PastCall { rang: true, ..failed };
    assert_eq!(dial(failed, None), Dial::Ring(()));
    assert_eq!(dial(rang, None), Dial::Ring(()));
    let waits = Dial::Waits {
        until: morning() + SignedDuration::from_mins(10),
        reason: HoldReason::Gap,
    };
    assert_eq!(dial(failed, Some(HoldReason::Gap)), waits);
    let used_up = Dial::Held(HoldReason::AttemptsUsedUp);
    assert_eq!(dial(rang, Some(HoldReason::Gap)), used_up);
}
