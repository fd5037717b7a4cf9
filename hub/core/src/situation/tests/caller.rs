use super::*;
use crate::appointment::Slot;
use crate::call_result::Disposition;
use crate::contact::{AttemptEvent, Direction};
use crate::id::{AttemptId, PersonId};
use crate::ticket::{HUB, TicketKind};
use jiff::SignedDuration;

fn hours(hours: i64) -> Timestamp {
    morning() + SignedDuration::from_hours(hours)
}

fn rings_in(unit: &mut Unit, ticket: TicketId) -> AttemptId {
    let id = AttemptId(Uuid::from_u128(9));
    let placing = Placing {
        id,
        owner: PersonId(Uuid::from_u128(3)),
        direction: Direction::Inbound,
        offered: None,
        service_point: None,
        zone: None,
    };
    let mut changes = Changes::default();
    unit.situation.place(ticket, placing, morning(), &mut changes).unwrap();
    id
}

/// Keys 2 and 3 leave the promise that was said; other keys leave none.
#[test]
fn the_hour_that_a_call_says_is_the_one_that_its_ticket_keeps() {
    for (key, is_promised) in [
        (Disposition::PersonWanted, true),
        (Disposition::AnotherTime, true),
        // There is no slot to take: it is a wish for one.
        (Disposition::AppointmentBooked, true),
        (Disposition::DoNotCall, false),
    ] {
        let mut unit = Unit::new();
        unit.sees(alarm("pump", 0.95, Severity::Major));
        let ticket = unit.situation.tickets[0].id;
        let id = rings_in(&mut unit, ticket);
        let said = unit.situation.attempts[0].attempt.rings_by;
        assert_eq!(said, Some(hours(2)));
        let (mut changes, later) = (Changes::default(), hours(1));
        let chose = AttemptEvent::Chose(key);
        unit.situation.call_event(id, chose, later, &mut changes).unwrap();
        let promise = unit.situation.tickets[0].promise.as_ref();
        let kept = promise.map(|promise| (promise.by, promise.made_at));
        assert_eq!(kept, is_promised.then_some((hours(2), later)), "{key:?}");
    }
}

#[test]
fn an_owner_who_rings_while_nothing_is_open_gets_a_ticket() {
    let mut unit = Unit::new();
    let (id, changes) = unit.with_ids(|situation, ids, changes| situation.open_for_caller(ids, morning(), changes));
    let id = id.unwrap();
    assert_eq!(told(&changes), ["ticket.rang_in"]);
    assert_eq!(
        (changes.lines[0].actor.as_str(), changes.tickets[&id].is_new),
        (HUB, true)
    );
    let ticket = &unit.situation.tickets[0];
    assert_eq!((ticket.kind, ticket.promise.is_none()), (TicketKind::Consult, true));
    assert_eq!(
        for_caller(&unit.situation.tickets, morning()).map(|ticket| ticket.id),
        Some(id)
    );
    let attempt = rings_in(&mut unit, id);
    assert_eq!(for_caller(&unit.situation.tickets, morning()), None, "it is in a call");
    let mut changes = Changes::default();
    let wants = AttemptEvent::Chose(Disposition::PersonWanted);
    unit.situation
        .call_event(attempt, wants, morning(), &mut changes)
        .unwrap();
    assert_eq!(unit.situation.tickets[0].promise.as_ref().unwrap().by, hours(2));
}

#[test]
fn a_visit_that_is_not_over_is_heard_first_and_its_slot_is_not_offered_again() {
    let mut unit = Unit::new();
    for class in ["pump", "bearing"] {
        unit.sees(alarm(class, 0.95, Severity::Major));
        unit.now += SignedDuration::from_mins(1);
    }
    let [own, other] = [24, 48].map(|start| Slot {
        start: hours(start),
        end: hours(start + 3),
    });
    let service_point = "shanghai".to_owned();
    unit.act(
        0,
        &TicketEvent::Booked {
            slot: own,
            service_point,
        },
    );
    let tickets = &unit.situation.tickets;
    let about = |now| for_caller(tickets, now).map(|ticket| ticket.id);
    assert_eq!(about(hours(26)), Some(tickets[0].id));
    assert_eq!(
        about(hours(27)),
        Some(tickets[1].id),
        "it is over, and the hub has said all"
    );
    for (offered, expected) in [(own, None), (other, Some(other))] {
        let placing = Placing {
            id: AttemptId(Uuid::from_u128(9)),
            owner: PersonId(Uuid::from_u128(3)),
            direction: Direction::Inbound,
            offered: Some(offered),
            service_point: None,
            zone: None,
        };
        let (mut situation, mut changes) = (unit.situation.clone(), Changes::default());
        let placed = situation.place(tickets[0].id, placing, morning(), &mut changes);
        assert_eq!(placed.unwrap().offered, expected);
    }
}

#[test]
fn a_stranger_who_names_an_appliance_leaves_a_promise_and_no_more() {
    let mut unit = Unit::new();
    let named = |unit: &mut Unit, ticket, by| {
        let made = unit.with_ids(|situation, ids, changes| situation.named(ticket, by, ids, morning(), changes));
        (made.0.unwrap(), made.1)
    };
    // Nothing is open: a ticket is opened, once.
    let (first, changes) = named(&mut unit, None, hours(2));
    assert_eq!(told(&changes), ["ticket.rang_in", "ticket.named_by_caller"]);
    let (again, changes) = named(&mut unit, None, hours(3));
    assert!(again == first && changes.is_empty(), "a promise stands");
    // The ticket that was named is taken before a newer one; a closed one is not.
    unit.now += SignedDuration::from_mins(1);
    unit.sees(alarm("pump", 0.95, Severity::Major));
    let (id, changes) = named(&mut unit, Some(first), hours(1));
    assert!(id == first && told(&changes) == ["ticket.named_by_caller"]);
    unit.situation.tickets[0].status.category = crate::ticket::TicketCategory::Resolved;
    let before = stands(&unit.situation);
    let (id, _) = named(&mut unit, Some(first), hours(1));
    assert_eq!(id, unit.situation.tickets[1].id);
    assert_eq!(stands(&unit.situation), before, "contact and status are as they were");
}

#[test]
fn figures_name_a_ticket_or_a_serial_number() {
    for (figures, ticket, serial) in [
        ("7", Some(7), None),
        ("012", Some(12), None),
        ("123456", Some(123_456), Some("123456")),
        ("1234567890", None, Some("1234567890")),
        ("", None, None),
        ("12*", None, None),
        ("+12", None, None),
        ("１２３４５６７", None, None),
        (&"1".repeat(FIGURES_MAX + 1), None, None),
    ] {
        assert_eq!(Keyed::read(figures), Keyed { ticket, serial }, "{figures}");
    }
}
