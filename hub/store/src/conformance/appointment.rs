//! Visits: agreed, moved, called off, and what comes of them and of their places.

use super::Harness;
use super::contact::{SCOPED, random, view};
use super::scene::{PHONES, after, ended, played, tenant, ticket};
use crate::appointment::{AppointmentFilter, AppointmentSummary};
use crate::{Store, StoreError};
use hub_core::actor::{Actor, Role};
use hub_core::appointment::{AppointmentEvent, AppointmentState, CancelledBy, Slot};
use hub_core::call_result::{CallResult, Disposition};
use hub_core::contact::AttemptEvent;
use hub_core::contact::ContactPhase;
use hub_core::id::TicketId;
use hub_core::outcome::{Outcome, Resolution, Verdict};
use hub_core::phone_number::PhoneNumber;
use hub_core::ticket::{ServiceTicket, TicketCategory, TicketEvent};

fn booked(slot: Slot) -> TicketEvent {
    TicketEvent::Booked {
        slot,
        service_point: "pudong".into(),
    }
}

fn called_off() -> TicketEvent {
    TicketEvent::Visit(AppointmentEvent::Cancelled {
        by: CancelledBy::Owner,
        reason: "出差".into(),
    })
}

fn closed(resolution: Resolution, verdict: Verdict) -> TicketEvent {
    TicketEvent::Closed {
        outcome: Outcome {
            resolution,
            verdict,
            note: String::new(),
            part: None,
        },
    }
}

async fn tell(store: &dyn Store, id: TicketId, event: &TicketEvent, minutes: i64) -> ServiceTicket {
    let told = store.apply_ticket(&Actor::hub("li"), id, event, after(minutes)).await;
    assert_eq!(
        told.as_ref().ok(),
        Some(&view(store, id).await.ticket),
        "{event:?}: {told:?}"
    );
    told.unwrap()
}

/// Visits within five days, page by page.
async fn visits(store: &dyn Store, actor: &Actor, service_point: Option<&str>) -> Vec<AppointmentSummary> {
    let filter = AppointmentFilter {
        from: after(0),
        until: after(5 * 24 * 60),
        service_point: service_point.map(str::to_owned),
    };
    let (mut all, mut next) = (Vec::new(), None);
    loop {
        let page = store.appointments(actor, &filter, next.as_deref(), 1).await.unwrap();
        all.extend(page.items);
        match page.next {
            Some(cursor) => next = Some(cursor),
            None => return all,
        }
    }
}

pub(super) async fn a_visit_is_moved_called_off_and_agreed_again(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let store = &*store;
    let (first, second) = (ticket(store, "wm-1", 0.95).await, ticket(store, "wm-2", 0.95).await);
    let tuesday = view(store, first).await.next_slot.unwrap();
    let agreed = tell(store, first, &booked(tuesday), 1).await;
    let visit = agreed.appointment.unwrap();
    assert_eq!(
        (visit.state, visit.slot, visit.agreed_by.as_str()),
        (AppointmentState::Confirmed, tuesday, "li")
    );
    assert_eq!((visit.made_at, visit.changed_at), (after(1), after(1)));
    let thursday = view(store, second).await.next_slot.unwrap();
    assert_ne!(thursday, tuesday);
    let to = |slot| TicketEvent::Visit(AppointmentEvent::Moved { slot });
    let moved = tell(store, first, &to(thursday), 2).await.appointment.unwrap();
    assert_eq!(
        (moved.id, moved.state, moved.slot),
        (visit.id, AppointmentState::Moved, thursday)
    );
    assert_eq!((moved.made_at, moved.changed_at), (after(1), after(2)));
    // Its first place is free for another one, and taken then.
    assert_eq!(view(store, second).await.next_slot, Some(tuesday));
    tell(store, second, &booked(tuesday), 3).await;
    let back = store
        .apply_ticket(&Actor::hub("li"), first, &to(tuesday), after(4))
        .await;
    assert!(matches!(back, Err(StoreError::Conflict(_))), "{back:?}");
    let open = tell(store, first, &called_off(), 5).await;
    assert_eq!(
        (
            open.status.category,
            open.contact.phase,
            open.appointment.unwrap().state
        ),
        (TicketCategory::Open, ContactPhase::Held, AppointmentState::Cancelled)
    );
    assert_eq!(view(store, second).await.next_slot, Some(thursday));
    let again = tell(store, first, &booked(thursday), 6).await.appointment.unwrap();
    assert_ne!(again.id, visit.id, "another visit");
    let timeline = view(store, first).await.timeline;
    assert!(timeline.iter().any(|line| line.event == called_off()), "{timeline:?}");

    let everybody = Actor::hub("test");
    let told: Vec<_> = visits(store, &everybody, None)
        .await
        .into_iter()
        .map(|summary| {
            let visit = summary.appointment;
            (summary.appliance.device.to_string(), visit.slot, visit.state)
        })
        .collect();
    let wanted = [
        ("wm-2".to_owned(), tuesday, AppointmentState::Confirmed),
        ("wm-1".to_owned(), thursday, AppointmentState::Cancelled),
        ("wm-1".to_owned(), thursday, AppointmentState::Confirmed),
    ];
    assert_eq!(told, wanted);
    assert_eq!(visits(store, &everybody, Some("pudong")).await.len(), 3);
    assert!(visits(store, &everybody, Some("minhang")).await.is_empty());
    assert!(
        visits(store, &everybody.within(Some(tenant("beta"))), None)
            .await
            .is_empty()
    );
}

pub(super) async fn a_visit_ends_with_its_technician_or_with_its_ticket(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let store = &*store;
    let (done, left) = (ticket(store, "wm-1", 0.95).await, ticket(store, "wm-2", 0.95).await);
    let tuesday = view(store, done).await.next_slot.unwrap();
    tell(store, done, &booked(tuesday), 1).await;
    let thursday = view(store, left).await.next_slot.unwrap();
    tell(store, left, &booked(thursday), 1).await;
    let technician = Actor {
        roles: vec![Role::Technician],
        ..Actor::hub("zhou").within(Some(tenant("acme")))
    };
    let refused = store
        .apply_ticket(&technician, done, &called_off(), after(24 * 60))
        .await;
    assert!(matches!(refused, Err(StoreError::NotAllowed(_))), "{refused:?}");
    let no_show = TicketEvent::Visit(AppointmentEvent::NoShow);
    let early = store.apply_ticket(&technician, done, &no_show, after(2)).await;
    assert!(matches!(early, Err(StoreError::Ticket(_))), "{early:?}");
    for (event, state, category) in [
        (
            AppointmentEvent::EnRoute,
            AppointmentState::EnRoute,
            TicketCategory::Paused,
        ),
        (AppointmentEvent::Done, AppointmentState::Done, TicketCategory::Open),
    ] {
        let event = TicketEvent::Visit(event);
        let told = store.apply_ticket(&technician, done, &event, after(24 * 60)).await;
        let told = told.unwrap();
        assert_eq!(
            (told.status.category, told.appointment.unwrap().state),
            (category, state)
        );
    }
    let fixed = tell(
        store,
        done,
        &closed(Resolution::ConfirmedFixed, Verdict::Right),
        25 * 60,
    )
    .await;
    assert_eq!(fixed.appointment.unwrap().state, AppointmentState::Done);
    // Closed while its visit is still ahead: the place is free again, and the timeline says why.
    let declined = closed(Resolution::CustomerDeclined, Verdict::NotChecked);
    let ended = tell(store, left, &declined, 3).await;
    assert_eq!(ended.appointment.unwrap().state, AppointmentState::Cancelled);
    let noted = view(store, left).await.timeline.pop().unwrap();
    let why = AppointmentEvent::Cancelled {
        by: CancelledBy::Closing,
        reason: String::new(),
    };
    assert_eq!((noted.actor.as_str(), noted.event), ("hub", TicketEvent::Visit(why)));
    let other = ticket(store, "wm-3", 0.95).await;
    assert_eq!(view(store, other).await.next_slot, Some(tuesday), "both are free again");
}

pub(super) async fn key_1_in_a_later_call_moves_the_visit(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let store = &*store;
    let id = ticket(store, "wm-1", 0.95).await;
    let tuesday = view(store, id).await.next_slot.unwrap();
    let visit = tell(store, id, &booked(tuesday), 1).await.appointment.unwrap();
    let caller = PhoneNumber::new(PHONES[0]).unwrap();
    let order = store.begin_inbound(&SCOPED, &caller, after(2), random()).await;
    let order = order.unwrap().order().unwrap();
    assert_eq!(order.visit, Some(tuesday));
    let attempt = order.attempt;
    let thursday = attempt.offered.unwrap();
    assert_ne!(thursday, tuesday);
    let one = AttemptEvent::Chose(Disposition::AppointmentBooked);
    store.apply_attempt(attempt.id, one, after(3)).await.unwrap();
    let moved = view(store, id).await.ticket.appointment.unwrap();
    assert_eq!(
        (moved.id, moved.state, moved.slot, moved.agreed_by.as_str()),
        (visit.id, AppointmentState::Moved, thursday, "owner_by_phone")
    );
    assert_eq!(view(store, id).await.next_slot, Some(tuesday));
    // What is over is not told as to come, though nobody has said what became of it.
    let end = ended(CallResult::Answered);
    store.apply_attempt(attempt.id, end, after(4)).await.unwrap();
    let week = store
        .begin_inbound(&SCOPED, &caller, after(7 * 24 * 60), random())
        .await;
    let order = week.unwrap().order().unwrap();
    assert_eq!((order.attempt.ticket, order.visit), (id, None));
}
