use super::*;
use crate::baseline::RestartReason;
use crate::call_rules::HoldReason;
use crate::contact::ContactPhase;
use crate::finding::COOL_DOWN;
use crate::prediction::UNKNOWN_FAULT;
use expect_test::expect;
use jiff::SignedDuration;

/// Each situation against all that scoring may see in it, as a table that a reviewer reads as the policy.
#[test]
fn situation_by_observation() {
    type Make = fn(&mut Unit);
    let situations: [(&str, Make); 7] = [
        ("nothing", |_| {}),
        ("a fault", |unit| drop(unit.sees(alarm("pump", 0.95, Severity::Major)))),
        ("a fault below the gate, held", |unit| {
            unit.sees(alarm("pump", 0.5, Severity::Major));
            let reason = HoldReason::BelowGate;
            unit.act(0, &TicketEvent::Held { reason });
        }),
        ("an unknown fault", |unit| {
            drop(unit.sees(alarm(UNKNOWN_FAULT, 0.95, Severity::Major)));
        }),
        ("a false alarm, quiet", |unit| {
            unit.sees(alarm("pump", 0.95, Severity::Major));
            unit.close(0, Resolution::FalseAlarm, Verdict::Wrong);
            unit.situation.quiet = vec![("pump".into(), unit.now + COOL_DOWN)];
            unit.situation.findings.clear();
            unit.situation.tickets.clear();
        }),
        ("a fault left as it is", |unit| {
            unit.sees(alarm("pump", 0.95, Severity::Major));
            unit.close(0, Resolution::ConfirmedDeferred, Verdict::Right);
        }),
        ("gone, its ticket open", |unit| {
            unit.sees(alarm("pump", 0.95, Severity::Major));
            unit.sees(CLEAR);
        }),
    ];
    let seen = [
        ("pump", alarm("pump", 0.95, Severity::Major)),
        ("pump, worse", alarm("pump", 0.97, Severity::Critical)),
        ("bearing", alarm("bearing", 0.95, Severity::Major)),
        ("unknown", alarm(UNKNOWN_FAULT, 0.95, Severity::Major)),
        ("clear", CLEAR),
    ];
    let mut table = String::new();
    for (name, make) in situations {
        for (what, seen) in &seen {
            let mut unit = Unit::new();
            make(&mut unit);
            unit.now += SignedDuration::from_mins(1);
            let changes = unit.sees(seen.clone());
            writeln!(table, "{name} + {what}:{}", stands(&unit.situation)).unwrap();
            writeln!(table, "    {}", heard(&changes)).unwrap();
        }
    }
    expect![[r#"
        nothing + pump: Open pump x1 with ticket; ticket Open/Planned pump;
            finding.opened, ticket.opened
        nothing + pump, worse: Open pump x1 with ticket; ticket Open/Planned pump;
            finding.opened, ticket.opened
        nothing + bearing: Open bearing x1 with ticket; ticket Open/Planned bearing;
            finding.opened, ticket.opened
        nothing + unknown: Open unknown_fault x1 with ticket; ticket Open/Planned unknown_fault;
            finding.opened, ticket.opened
        nothing + clear:
            nothing is told
        a fault + pump: Open pump x2 with ticket; ticket Open/Planned pump;
            nothing is told
        a fault + pump, worse: Open pump x2 with ticket; ticket Open/Planned pump;
            ticket.finding_grew
        a fault + bearing: Open pump x1 with ticket; Open bearing x1 with ticket; ticket Open/Planned pump; ticket Open/Planned bearing;
            finding.opened, ticket.opened
        a fault + unknown: Open pump x2 with ticket; ticket Open/Planned pump;
            nothing is told
        a fault + clear: Cleared pump x1 with ticket; ticket Open/Planned pump;
            finding.cleared, ticket.finding_cleared
        a fault below the gate, held + pump: Open pump x2 with ticket; ticket Open/Planned pump held BelowGate;
            ticket.finding_grew
        a fault below the gate, held + pump, worse: Open pump x2 with ticket; ticket Open/Planned pump held BelowGate;
            ticket.finding_grew
        a fault below the gate, held + bearing: Open pump x1 with ticket; Open bearing x1 with ticket; ticket Open/Held pump held BelowGate; ticket Open/Planned bearing;
            finding.opened, ticket.opened
        a fault below the gate, held + unknown: Open pump x2 with ticket; ticket Open/Held pump held BelowGate;
            nothing is told
        a fault below the gate, held + clear: Cleared pump x1 with ticket; ticket Open/Held pump held FindingCleared;
            finding.cleared, ticket.finding_cleared
        an unknown fault + pump: Open pump x2 with ticket; ticket Open/Planned pump;
            finding.named, ticket.finding_grew
        an unknown fault + pump, worse: Open pump x2 with ticket; ticket Open/Planned pump;
            finding.named, ticket.finding_grew
        an unknown fault + bearing: Open bearing x2 with ticket; ticket Open/Planned bearing;
            finding.named, ticket.finding_grew
        an unknown fault + unknown: Open unknown_fault x2 with ticket; ticket Open/Planned unknown_fault;
            nothing is told
        an unknown fault + clear: Cleared unknown_fault x1 with ticket; ticket Open/Planned unknown_fault;
            finding.cleared, ticket.finding_cleared
        a false alarm, quiet + pump: Open pump x1;
            finding.opened
        a false alarm, quiet + pump, worse: Open pump x1;
            finding.opened
        a false alarm, quiet + bearing: Open bearing x1 with ticket; ticket Open/Planned bearing;
            finding.opened, ticket.opened
        a false alarm, quiet + unknown: Open unknown_fault x1 with ticket; ticket Open/Planned unknown_fault;
            finding.opened, ticket.opened
        a false alarm, quiet + clear:
            nothing is told
        a fault left as it is + pump: Open pump x2 with ticket; ticket Resolved/Done pump;
            nothing is told
        a fault left as it is + pump, worse: Open pump x2 with ticket; ticket Resolved/Done pump;
            nothing is told
        a fault left as it is + bearing: Open pump x1 with ticket; Open bearing x1 with ticket; ticket Resolved/Done pump; ticket Open/Planned bearing;
            finding.opened, ticket.opened
        a fault left as it is + unknown: Open pump x2 with ticket; ticket Resolved/Done pump;
            nothing is told
        a fault left as it is + clear: Cleared pump x1 with ticket; ticket Resolved/Done pump;
            finding.cleared
        gone, its ticket open + pump: Cleared pump x1 with ticket; Open pump x1 with ticket; ticket Open/Planned pump;
            finding.opened, ticket.finding_grew
        gone, its ticket open + pump, worse: Cleared pump x1 with ticket; Open pump x1 with ticket; ticket Open/Planned pump;
            finding.opened, ticket.finding_grew
        gone, its ticket open + bearing: Cleared pump x1 with ticket; Open bearing x1 with ticket; ticket Open/Planned pump; ticket Open/Planned bearing;
            finding.opened, ticket.opened
        gone, its ticket open + unknown: Cleared pump x1 with ticket; Open unknown_fault x1 with ticket; ticket Open/Planned pump; ticket Open/Planned unknown_fault;
            finding.opened, ticket.opened
        gone, its ticket open + clear: Cleared pump x1 with ticket; ticket Open/Planned pump;
            nothing is told
    "#]].assert_eq(&table);
}

/// Each end of a ticket, beside another fault with its own ticket.
#[test]
fn end_of_a_ticket() {
    let ends = [
        ("repaired", Resolution::ConfirmedFixed, Verdict::Right),
        (
            "repaired, another fault",
            Resolution::ConfirmedRemoteFix,
            Verdict::OtherFault,
        ),
        ("put off", Resolution::ConfirmedDeferred, Verdict::Right),
        ("nothing found", Resolution::NoFaultFound, Verdict::Wrong),
        ("false alarm", Resolution::FalseAlarm, Verdict::Wrong),
        ("unreachable", Resolution::Unreachable, Verdict::NotChecked),
    ];
    let mut table = String::new();
    for (name, resolution, verdict) in ends {
        let mut unit = Unit::new();
        unit.sees(alarm("pump", 0.95, Severity::Major));
        unit.sees(alarm("bearing", 0.95, Severity::Major));
        let changes = unit.close(0, resolution, verdict);
        let baseline = if changes.restarted.is_empty() {
            ""
        } else {
            " baseline anew"
        };
        writeln!(table, "{name}:{}{baseline}", stands(&unit.situation)).unwrap();
        writeln!(table, "    {}", heard(&changes)).unwrap();
    }
    expect![[r#"
        repaired: Cleared pump x1 with ticket; Cleared bearing x1 with ticket; ticket Resolved/Done pump; ticket Open/Planned bearing; baseline anew
            ticket.closed, finding.cleared, finding.cleared, ticket.finding_cleared
        repaired, another fault: Cleared pump x1 with ticket; Cleared bearing x1 with ticket; ticket Resolved/Done pump; ticket Open/Planned bearing; baseline anew
            ticket.closed, finding.cleared, finding.cleared, ticket.finding_cleared
        put off: Open pump x1 with ticket; Open bearing x1 with ticket; ticket Resolved/Done pump; ticket Open/Planned bearing;
            ticket.closed
        nothing found: Cleared pump x1 with ticket; Open bearing x1 with ticket; ticket Resolved/Done pump; ticket Open/Planned bearing;
            ticket.closed, finding.cleared
        false alarm: Cleared pump x1 with ticket; Open bearing x1 with ticket; ticket Resolved/Done pump; ticket Open/Planned bearing;
            ticket.closed, finding.cleared
        unreachable: Open pump x1 with ticket; Open bearing x1 with ticket; ticket Resolved/Done pump; ticket Open/Planned bearing;
            ticket.closed
    "#]].assert_eq(&table);
}

#[test]
fn a_new_fault_is_saved_once_with_its_ticket() {
    let mut unit = Unit::new();
    let changes = unit.sees(alarm("pump", 0.95, Severity::Major));
    let (finding, ticket) = (
        changes.findings.values().next().unwrap(),
        changes.tickets.values().next().unwrap(),
    );
    assert_eq!((changes.findings.len(), changes.tickets.len()), (1, 1));
    assert!(finding.is_new && changes.grown.contains(&finding.now.id) && ticket.is_new);
    assert_eq!(finding.now.ticket, Some(ticket.now.id));
    let about = ticket.now.fault.as_ref().map(|fault| fault.finding);
    assert_eq!((about, ticket.now.number), (Some(finding.now.id), 0));
    assert_eq!(ticket.now.contact.due, Some(morning()));
    let again = unit.sees(alarm("pump", 0.2, Severity::Major));
    assert!(again.grown.is_empty(), "less certain than what is kept");
    let again = again.findings.values().next().unwrap();
    assert!(!again.is_new);
    assert_eq!(again.now.prediction.probability, 0.95);
}

/// What the model says is bounded before it is kept.
#[test]
fn what_a_model_says_is_bounded() {
    let Observation::Alarm {
        mut prediction,
        mut evidence,
        ..
    } = alarm("pump", f32::INFINITY, Severity::Major)
    else {
        panic!("an alarm")
    };
    prediction.score = f32::NAN;
    evidence.points = (0..400)
        .map(|n| crate::prediction::EvidencePoint {
            at: Timestamp::from_second(n).unwrap(),
            score: f32::NEG_INFINITY,
            values: vec![f64::NAN, f64::MAX],
        })
        .collect();
    let mut unit = Unit::new();
    unit.sees(Observation::Alarm {
        appliance: ApplianceId(1),
        prediction,
        evidence,
        trace: TraceId(Uuid::nil()),
    });
    let kept = &unit.situation.findings[0];
    assert_eq!((kept.prediction.probability, kept.prediction.score), (1.0, 0.0));
    assert_eq!(kept.evidence.points.len(), 300);
    let newest = kept.evidence.points.last().unwrap();
    assert_eq!(newest.at, Timestamp::from_second(399).unwrap(), "the newest are kept");
    assert_eq!((newest.score, newest.values.as_slice()), (-1e30, &[0.0, 1e100][..]));
}

#[test]
fn the_gate_that_is_crossed_plans_the_call_again() {
    let mut unit = Unit::new();
    unit.sees(alarm("pump", 0.5, Severity::Major));
    let reason = HoldReason::BelowGate;
    unit.act(0, &TicketEvent::Held { reason });
    assert!(
        told(&unit.sees(alarm("pump", 0.6, Severity::Major))).is_empty(),
        "still below"
    );
    let crossed = unit.sees(alarm("pump", 0.95, Severity::Major));
    assert_eq!(told(&crossed), ["ticket.finding_grew"]);
    let ticket = &unit.situation.tickets[0];
    assert_eq!(
        (ticket.contact.phase, ticket.contact.due),
        (ContactPhase::Planned, Some(morning()))
    );
}

/// An unknown fault that is named keeps its ticket's class where another ticket has the name already.
#[test]
fn two_tickets_never_have_one_fault() {
    let mut unit = Unit::new();
    unit.sees(alarm(UNKNOWN_FAULT, 0.95, Severity::Major));
    unit.situation.findings[0].state = FindingState::Cleared;
    unit.sees(alarm("pump", 0.95, Severity::Major));
    unit.sees(CLEAR);
    unit.sees(alarm(UNKNOWN_FAULT, 0.95, Severity::Major));
    let named = unit.sees(alarm("pump", 0.95, Severity::Major));
    assert_eq!(told(&named), ["finding.named", "ticket.finding_grew"]);
    let classes: Vec<_> = unit
        .situation
        .tickets
        .iter()
        .map(|ticket| ticket.fault.as_ref().unwrap().fault_class.as_str())
        .collect();
    assert_eq!(classes, [UNKNOWN_FAULT, "pump"]);
}

#[test]
fn a_false_alarm_keeps_quiet_until_its_cool_down_ends() {
    let mut unit = Unit::new();
    unit.sees(alarm("pump", 0.95, Severity::Major));
    unit.sees(CLEAR);
    let judged = unit.close(0, Resolution::FalseAlarm, Verdict::Wrong);
    let until = morning() + COOL_DOWN;
    let cleared = judged.findings.values().next().unwrap();
    assert_eq!(
        cleared.now.suppressed_until,
        Some(until),
        "also what had gone by itself"
    );
    unit.situation.quiet = vec![("pump".into(), until)];
    unit.now += SignedDuration::from_mins(1);
    assert_eq!(
        told(&unit.sees(alarm("pump", 0.95, Severity::Major))),
        ["finding.opened"]
    );
    let end = |unit: &mut Unit, now| {
        let (told, changes) = unit.with_ids(|situation, ids, changes| situation.end_cool_downs(ids, now, changes));
        (told.unwrap().len(), changes)
    };
    assert_eq!(end(&mut unit, until - SignedDuration::from_secs(1)).0, 0);
    let (opened, changes) = end(&mut unit, until);
    assert_eq!((opened, told(&changes)), (1, vec!["ticket.opened"]));
    assert_eq!(end(&mut unit, until).0, 0, "once");
}

/// A fault that keeps quiet is named, goes and comes back, all in one batch: it still keeps quiet.
#[test]
fn a_name_keeps_the_cool_down() {
    let mut unit = Unit::new();
    let until = morning() + COOL_DOWN;
    unit.situation.quiet = vec![(UNKNOWN_FAULT.into(), until)];
    unit.sees(alarm(UNKNOWN_FAULT, 0.95, Severity::Major));
    unit.sees(alarm("pump", 0.95, Severity::Major));
    unit.sees(CLEAR);
    assert_eq!(
        told(&unit.sees(alarm("pump", 0.95, Severity::Major))),
        ["finding.opened"]
    );
    assert_eq!(unit.situation.findings[1].suppressed_until, Some(until));
}

#[test]
fn what_a_restarted_baseline_says_does_not_count() {
    let mut unit = Unit::new();
    unit.sees(alarm("pump", 0.95, Severity::Major));
    let mut changes = Changes::default();
    let reason = RestartReason::NewOwner;
    unit.situation
        .restart_baseline(reason, morning(), &mut changes)
        .unwrap();
    assert_eq!(told(&changes), ["finding.cleared", "ticket.finding_cleared"]);
    assert!(changes.restarted.contains_key(&ApplianceId(1)));
    assert!(unit.sees(alarm("pump", 0.99, Severity::Major)).is_empty());
    assert!(unit.sees(CLEAR).is_empty());
}
