//! A wrong label is taken back: the outcome of a closed ticket, and what was learned from it.

use super::Harness;
use super::scene::{after, alarm, appliance, findings, morning, played, seen, tenant};
use crate::Store;
use crate::error::StoreError;
use crate::ticket::TicketView;
use hub_core::actor::{Actor, Role};
use hub_core::appointment::AppointmentState;
use hub_core::finding::FindingState;
use hub_core::id::{ApplianceId, TicketId};
use hub_core::outcome::{Outcome, Resolution, Verdict};
use hub_core::ticket::{TicketError, TicketEvent};

const PUMP: &str = "drain_pump_wear";

fn lena() -> Actor {
    Actor {
        roles: vec![Role::Supervisor],
        ..Actor::hub("lena").within(Some(tenant("acme")))
    }
}

fn outcome(resolution: Resolution, verdict: Verdict) -> Outcome {
    let note = "n".to_owned();
    Outcome {
        resolution,
        verdict,
        note,
        part: None,
    }
}

fn false_alarm() -> Outcome {
    outcome(Resolution::FalseAlarm, Verdict::Wrong)
}

fn put_off() -> Outcome {
    outcome(Resolution::ConfirmedDeferred, Verdict::Right)
}

fn corrected(outcome: Outcome) -> TicketEvent {
    TicketEvent::Corrected {
        outcome,
        reason: "the wrong line".into(),
    }
}

/// An alarm of this minute: the ticket that it opens, if it opens one.
async fn sees(store: &dyn Store, id: ApplianceId, minutes: i64) -> Option<TicketId> {
    let commit = seen(vec![alarm(id, PUMP, 0.95)]);
    store.commit_scoring(&commit, after(minutes)).await.unwrap()[0].opened
}

async fn does(store: &dyn Store, id: TicketId, event: &TicketEvent, minutes: i64) -> Result<(), StoreError> {
    store.apply_ticket(&lena(), id, event, after(minutes)).await.map(drop)
}

async fn view(store: &dyn Store, id: TicketId) -> TicketView {
    store.ticket(&lena(), id, morning()).await.unwrap()
}

async fn open(store: &dyn Store) -> Vec<Option<TicketId>> {
    let findings = findings(store).await.into_iter();
    let open = findings.filter(|finding| finding.state == FindingState::Open);
    open.map(|finding| finding.ticket).collect()
}

pub(super) async fn a_false_label_is_taken_back_with_what_was_learned_from_it(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let store = &*store;
    let id = appliance(store, "acme", "wm-1").await;
    let ticket = sees(store, id, 0).await.unwrap();
    let early = does(store, ticket, &corrected(put_off()), 1).await;
    assert!(matches!(early, Err(StoreError::Ticket(TicketError::NotClosed(1)))));
    let outcome = false_alarm();
    does(store, ticket, &TicketEvent::Closed { outcome }, 1).await.unwrap();
    // Seen and gone, and seen once more, while it keeps quiet.
    assert_eq!(sees(store, id, 2).await, None);
    let clear = seen(vec![hub_core::situation::Observation::Clear { appliance: id }]);
    store.commit_scoring(&clear, after(3)).await.unwrap();
    assert_eq!(sees(store, id, 4).await, None);
    assert_eq!(open(store).await, [None]);
    // Who closes tickets may not say that it was done wrongly.
    let agent = Actor {
        roles: vec![Role::Agent, Role::Technician],
        ..lena()
    };
    let refused = store
        .apply_ticket(&agent, ticket, &corrected(put_off()), after(5))
        .await;
    assert!(matches!(refused, Err(StoreError::NotAllowed(_))), "{refused:?}");

    let story = view(store, ticket).await.timeline.len();
    does(store, ticket, &corrected(put_off()), 5).await.unwrap();
    let told = view(store, ticket).await;
    assert_eq!(told.ticket.outcome, Some(put_off()));
    let correction = told.ticket.correction.unwrap();
    assert_eq!((correction.count, correction.by.as_str()), (1, "lena"));
    assert_eq!(
        (correction.reason.as_str(), correction.at),
        ("the wrong line", after(5))
    );
    assert_eq!(told.ticket.closed_at, Some(after(1)));
    assert_eq!(told.timeline.len(), story + 1);
    assert_eq!(told.timeline.last().unwrap().event, corrected(put_off()));
    // What was held back is this ticket's, and the next time is told at once.
    assert_eq!(open(store).await, [Some(ticket)]);
    assert_eq!(sees(store, id, 6).await, None);
    store.commit_scoring(&clear, after(7)).await.unwrap();
    assert!(sees(store, id, 8).await.is_some(), "nothing is quiet any more");

    let again = does(store, ticket, &corrected(put_off()), 9).await;
    assert!(matches!(
        again,
        Err(StoreError::Ticket(TicketError::NothingCorrected(1)))
    ));
    assert!(store.baselines_restarted().await.unwrap().is_empty());
    let fixed = Outcome {
        resolution: Resolution::ConfirmedFixed,
        ..put_off()
    };
    does(store, ticket, &corrected(fixed), 10).await.unwrap();
    assert_eq!(store.baselines_restarted().await.unwrap(), [id]);
    assert_eq!(open(store).await, []);
}

pub(super) async fn a_repair_that_was_none_leaves_its_fault_open(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let store = &*store;
    let id = appliance(store, "acme", "wm-1").await;
    let ticket = sees(store, id, 0).await.unwrap();
    let outcome = outcome(Resolution::ConfirmedFixed, Verdict::Right);
    let opened = view(store, ticket).await;
    let booked = TicketEvent::Booked {
        slot: opened.next_slot.unwrap(),
        service_point: opened.service_point.unwrap().id,
    };
    does(store, ticket, &booked, 1).await.unwrap();
    does(store, ticket, &TicketEvent::Closed { outcome }, 1).await.unwrap();
    let ended = async || view(store, ticket).await.ticket.appointment.unwrap().state;
    assert_eq!(ended().await, AppointmentState::Done);
    assert_eq!(store.baselines_restarted().await.unwrap(), [id]);
    assert_eq!(open(store).await, []);
    does(store, ticket, &corrected(put_off()), 2).await.unwrap();
    assert_eq!(ended().await, AppointmentState::Cancelled, "nobody was there");
    assert_eq!(open(store).await, [Some(ticket)]);
    assert!(
        store.baselines_restarted().await.unwrap().is_empty(),
        "it stays as it began then"
    );
    // A false alarm after all: quiet from now on, and not from the first label on.
    does(store, ticket, &corrected(false_alarm()), 3).await.unwrap();
    assert_eq!(open(store).await, []);
    assert_eq!(sees(store, id, 4).await, None);
    let ends = 72 * 60 + 3;
    let changes = store.commit_scoring(&seen(vec![]), after(ends - 1)).await.unwrap();
    assert!(changes.is_empty());
    let changes = store.commit_scoring(&seen(vec![]), after(ends)).await.unwrap();
    assert!(changes[0].opened.is_some());
}
