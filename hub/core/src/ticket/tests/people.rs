//! What people do with a ticket besides calls: labels, promises, notes, and tickets that they open.

use super::*;

/// The promise that is due first is kept.
const KEPT: TicketEvent = TicketEvent::PromiseKept {
    by: None,
    of_call: None,
};

/// Labels are people's: the hub changes one only together with the category, and then to the first of it.
#[test]
fn a_label_stays_until_the_category_changes() {
    let set = |ticket, label: &str| after(ticket, &TicketEvent::StatusSet { label: label.into() }, "li");
    let label = |ticket: &ServiceTicket| ticket.status.label.clone();
    let second = set(ticket(Stands::Planned), "second-line").unwrap();
    assert_eq!(stands(&second), (TicketCategory::Open, ContactPhase::Planned));
    let reason = HoldReason::NoConsent;
    let held = after(second, &TicketEvent::Held { reason }, HUB).unwrap();
    assert_eq!(label(&held), "second-line", "open before and after");
    let parts = set(held, "parts").unwrap();
    assert_eq!(stands(&parts), (TicketCategory::Paused, ContactPhase::Held));
    // The owner rings and chooses nothing: it stays paused. They want a person: it is open again.
    assert_eq!(rung_back(parts.clone(), CallResult::NoAnswer, None), parts);
    let wanted = rung_back(parts.clone(), CallResult::Answered, Some(Disposition::PersonWanted));
    assert_eq!(
        (label(&wanted), wanted.status.category),
        ("new".into(), TicketCategory::Open)
    );
    let booked = after(parts, &visit_agreed(), "li").unwrap();
    assert_eq!(label(&booked), "parts", "paused before and after");
    let again = after(wanted, &visit_agreed(), "li").unwrap();
    assert_eq!(label(&again), "visit");
    let refused = |label| set(ticket(Stands::Held), label).unwrap_err().to_string();
    assert!(refused("elsewhere").contains("there is no status elsewhere"));
    assert!(refused("done").contains("only by closing"));
}

#[test]
fn a_promise_is_made_replaced_and_kept() {
    let promised = |what: &str, by| TicketEvent::Promised {
        what: what.into(),
        to: "Li Wei".into(),
        by,
    };
    let made = after(ticket(Stands::Held), &promised("a part", due()), "lena").unwrap();
    let promise = made.promise.clone().unwrap();
    assert_eq!((promise.what.as_str(), promise.made_by.as_str()), ("a part", "lena"));
    assert_eq!((promise.by, promise.made_at), (due(), now()));
    let replaced = after(made, &promised("a call", due()), "li").unwrap();
    assert_eq!(replaced.promise.as_ref().unwrap().made_by, "li");
    let kept = after(replaced, &KEPT, "li").unwrap();
    assert_eq!(kept.promise, None);
    let refused = |event: &TicketEvent| after(ticket(Stands::Held), event, "li").unwrap_err().to_string();
    let released = |reason: &str| TicketEvent::PromiseReleased {
        reason: reason.into(),
        by: None,
        of_call: None,
    };
    let made = after(ticket(Stands::Held), &promised("a part", due()), "lena").unwrap();
    assert_eq!(
        after(made.clone(), &released("spoken with"), "li").unwrap().promise,
        None
    );
    assert!(
        after(made, &released(" "), "li")
            .unwrap_err()
            .to_string()
            .contains("1 to 500")
    );
    assert!(refused(&released("spoken with")).contains("no such promise"));
    assert!(refused(&KEPT).contains("no such promise"));
    assert!(refused(&promised("now", now())).contains("later than now"));
    assert!(refused(&promised(" ", due())).contains("1 to 500"));
    let text = "x".repeat(NOTE_LEN_MAX + 1);
    assert!(refused(&TicketEvent::Noted { text }).contains("1 to 2000"));
}

/// A call says by when a person rings: the ticket keeps it, until a person says what became of it.
#[test]
fn what_a_call_promises_stands_on_the_ticket() {
    let hour = jiff::SignedDuration::from_hours(1);
    let chose = |rings_by| TicketEvent::Chose {
        attempt: AttemptId(Uuid::from_u128(9)),
        disposition: Disposition::PersonWanted,
        slot: None,
        service_point: None,
        rings_by: Some(rings_by),
    };
    let made = after(ticket(Stands::InCall), &chose(due()), HUB).unwrap();
    let promise = made.promise.clone().unwrap();
    assert!(promise.is_of_call() && promise.by == due() && promise.made_at == now());
    assert!(promise.is_overdue(due()) && !promise.is_overdue(now()));
    let later = after(made, &chose(due() + hour), HUB).unwrap();
    assert_eq!(later.promise, Some(promise), "another call puts nothing off");
    let earlier = TicketEvent::NamedByCaller { rings_by: due() - hour };
    let before = stands(&later);
    let sooner = after(later, &earlier, HUB).unwrap();
    assert_eq!(sooner.promise.as_ref().unwrap().by, due() - hour);
    assert_eq!(stands(&sooner), before, "a stranger changes nothing else");
    assert!(
        after(sooner.clone(), &TicketEvent::RangIn, HUB).is_err(),
        "opened before"
    );
    // No promise outlives its ticket, and the timeline says so.
    let outcome = Outcome {
        resolution: Resolution::Unreachable,
        verdict: Verdict::NotChecked,
        note: String::new(),
        part: None,
    };
    let hung_up = ServiceTicket {
        contact: ticket(Stands::Held).contact,
        ..sooner
    };
    let closed = hung_up.apply(&TicketEvent::Closed { outcome }, "li", &declared(), now());
    let (closed, actions) = closed.unwrap();
    assert!(
        closed.promise.is_none() && actions.contains(&TicketAction::NotePromise),
        "{actions:?}"
    );
}

/// Neither a person's promise nor a call's is lost in the other, whichever comes first and whichever is due first.
#[test]
fn a_promise_of_a_person_and_one_of_a_call_stand_beside_each_other() {
    let hours = |hours| now() + jiff::SignedDuration::from_hours(hours);
    let of_person = |by| TicketEvent::Promised {
        what: "a part".into(),
        to: "Li Wei".into(),
        by: hours(by),
    };
    let of_call = |by| TicketEvent::NamedByCaller { rings_by: hours(by) };
    let times = |ticket: &ServiceTicket| -> Vec<_> {
        let promises = ticket.promises();
        promises
            .map(|one| (one.by.duration_since(now()).as_hours(), one.is_of_call()))
            .collect()
    };
    let with = |events: &[TicketEvent]| {
        let told = events.iter();
        told.fold(ticket(Stands::Held), |ticket, event| {
            after(ticket, event, "lena").unwrap()
        })
    };
    for (events, expected) in [
        (vec![of_person(5), of_call(3)], [(3, true), (5, false)]),
        (vec![of_call(3), of_person(5)], [(3, true), (5, false)]),
        (vec![of_call(5), of_person(3)], [(3, false), (5, true)]),
        (vec![of_person(3), of_call(5)], [(3, false), (5, true)]),
        // Each takes the place of its own kind alone; a call puts nothing off.
        (vec![of_person(5), of_call(3), of_person(2)], [(2, false), (3, true)]),
        (vec![of_call(5), of_person(4), of_call(3)], [(3, true), (4, false)]),
        (vec![of_person(5), of_call(3), of_call(4)], [(3, true), (5, false)]),
    ] {
        assert_eq!(times(&with(&events)), expected, "{events:?}");
    }
    // The one that is over leaves the other, and the same word again does not end that one too.
    let both = with(&[of_person(5), of_call(3)]);
    let kept =
        |ticket: &ServiceTicket, by| after(ticket.clone(), &TicketEvent::PromiseKept { by, of_call: None }, "li");
    assert_eq!(times(&kept(&both, None).unwrap()), [(5, false)]);
    assert_eq!(times(&kept(&both, Some(hours(5))).unwrap()), [(3, true)]);
    let left = kept(&both, Some(hours(3))).unwrap();
    assert_eq!(times(&left), [(5, false)]);
    let refused = kept(&left, Some(hours(3))).unwrap_err().to_string();
    assert!(refused.contains("no such promise"), "{refused}");
    let released = TicketEvent::PromiseReleased {
        reason: "spoken with".into(),
        by: Some(hours(5)),
        of_call: None,
    };
    assert_eq!(times(&after(left, &released, "li").unwrap()), []);
    // Both are over with the ticket, a line of the timeline each.
    let outcome = Outcome {
        resolution: Resolution::Unreachable,
        verdict: Verdict::NotChecked,
        note: String::new(),
        part: None,
    };
    let closed = both.apply(&TicketEvent::Closed { outcome }, "li", &declared(), now());
    let (closed, actions) = closed.unwrap();
    let noted = actions.iter().filter(|action| **action == TicketAction::NotePromise);
    assert_eq!((times(&closed), noted.count()), (vec![], 2));
}

/// Where both are for one time, the time does not tell which is meant.
#[test]
fn of_two_promises_for_one_time_the_one_that_is_named_is_kept() {
    let promised = TicketEvent::Promised {
        what: "a part".into(),
        to: "Li Wei".into(),
        by: due(),
    };
    let one = after(ticket(Stands::Held), &promised, "lena").unwrap();
    let both = after(one, &TicketEvent::NamedByCaller { rings_by: due() }, HUB).unwrap();
    for of_call in [true, false] {
        let (by, of_call) = (Some(due()), Some(of_call));
        let kept = TicketEvent::PromiseKept { by, of_call };
        let left = after(both.clone(), &kept, "li").unwrap();
        let left_of_call: Vec<bool> = left.promises().map(Promise::is_of_call).collect();
        assert_eq!(left_of_call, [of_call == Some(false)]);
        let reason = "spoken with".to_owned();
        let again = [kept, TicketEvent::PromiseReleased { reason, by, of_call }];
        for event in again {
            let refused = after(left.clone(), &event, "li").unwrap_err().to_string();
            assert!(refused.contains("no such promise"), "{refused}");
        }
    }
}

/// As timelines have it from before there were two.
#[test]
fn a_promise_that_was_kept_before_is_read() {
    let stored = serde_json::json!({ "event": "promise_kept" });
    assert_eq!(serde_json::to_value(KEPT).unwrap(), stored);
    assert_eq!(serde_json::from_value::<TicketEvent>(stored).unwrap(), KEPT);
    let released = serde_json::json!({ "event": "promise_released", "reason": "r" });
    assert!(serde_json::from_value::<TicketEvent>(released).is_ok());
}

/// A ticket that a person opened: nobody is rung by the hub, nothing is said of a prediction, and only a repair starts the baseline
/// over.
#[test]
fn a_ticket_without_a_fault() {
    let of = |kind| ServiceTicket {
        kind,
        fault: None,
        contact: ContactThread::held(HoldReason::NothingToSay),
        ..ticket(Stands::Held)
    };
    let refused = after(of(TicketKind::Repair), &TicketEvent::CallRequested, "li").unwrap_err();
    assert!(refused.to_string().contains("nothing to say"), "{refused}");
    let note = "It smells.".to_owned();
    let reported = |kind, number| {
        let event = TicketEvent::Reported {
            kind,
            note: note.clone(),
        };
        after(ServiceTicket { number, ..of(kind) }, &event, "li").is_ok()
    };
    assert!(reported(TicketKind::Complaint, 0));
    assert!(!reported(TicketKind::Complaint, 7), "it is open already");
    assert!(!reported(TicketKind::PredictedFault, 0), "the hub's");
    let close = |kind, resolution, verdict| {
        let outcome = Outcome {
            resolution,
            verdict,
            note: String::new(),
            part: None,
        };
        let closed = of(kind).apply(&TicketEvent::Closed { outcome }, "li", &declared(), now());
        closed.map(|(_, actions)| settlement(&actions))
    };
    let fixed = |kind| close(kind, Resolution::ConfirmedFixed, Verdict::NotChecked).unwrap();
    assert_eq!(fixed(TicketKind::Repair), Some(Settlement::Repaired));
    for kind in [TicketKind::Complaint, TicketKind::Consult, TicketKind::Care] {
        assert_eq!(fixed(kind), None);
    }
    assert!(close(TicketKind::Repair, Resolution::ConfirmedFixed, Verdict::Right).is_err());
}

/// Stored and told: a fault's fields stand beside the others, and are not there without one.
#[test]
fn a_fault_stands_flat_in_json() {
    let predicted = serde_json::to_value(ticket(Stands::Held)).unwrap();
    assert_eq!(predicted["fault_class"], "drain_pump_wear");
    let bare = ServiceTicket {
        fault: None,
        ..ticket(Stands::Held)
    };
    let stored = serde_json::to_value(&bare).unwrap();
    assert_eq!(stored.get("finding"), None);
    assert_eq!(serde_json::from_value::<ServiceTicket>(stored).unwrap(), bare);
    assert_eq!(
        serde_json::from_value::<ServiceTicket>(predicted).unwrap(),
        ticket(Stands::Held)
    );
}
