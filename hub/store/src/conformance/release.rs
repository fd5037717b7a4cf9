//! Ready to ring: calls that a person approves or refuses, and verdicts that make that needless.

use super::Harness;
use super::contact::{due, random, ring, view};
use super::scene::{after, alarm_on, appliance, ended, played, seen, tenant};
use crate::Store;
use crate::contact::Begun;
use crate::error::StoreError;
use crate::ticket::TicketFilter;
use hub_core::actor::{Actor, Role};
use hub_core::call_result::CallResult;
use hub_core::call_rules::HoldReason;
use hub_core::contact::ContactPhase;
use hub_core::id::TicketId;
use hub_core::outcome::{Outcome, Resolution, Verdict};
use hub_core::prediction::UNKNOWN_FAULT;
use hub_core::release::{Basis, EvidenceKind, Predicted, Tally, Unreleased, VERDICTS_MIN};
use hub_core::situation::Observation;
use hub_core::ticket::{TicketError, TicketEvent};

const PUMP: &str = "drain_pump_wear";

fn li() -> Actor {
    Actor {
        roles: vec![Role::Supervisor],
        ..Actor::hub("li").within(Some(tenant("acme")))
    }
}

fn refused() -> TicketEvent {
    TicketEvent::CallRefused {
        reason: "a filter was cleaned".into(),
    }
}

fn outcome(resolution: Resolution, verdict: Verdict) -> Outcome {
    Outcome {
        resolution,
        verdict,
        note: String::new(),
        part: None,
    }
}

/// The ticket that a simulated model's alarm opens, at this minute.
async fn simulated(store: &dyn Store, device: &str, class: &str, minutes: i64) -> TicketId {
    let id = appliance(store, "acme", device).await;
    let commit = seen(vec![alarm_on(Basis::default(), id, class, 0.95)]);
    let changes = store.commit_scoring(&commit, after(minutes)).await.unwrap();
    changes[0].opened.unwrap()
}

/// The same, looked at by the contact worker.
async fn ready(store: &dyn Store, device: &str, class: &str, minutes: i64) -> TicketId {
    let id = simulated(store, device, class, minutes).await;
    let begun = store.begin_attempt(id, after(minutes), random()).await.unwrap();
    assert_eq!(begun, Begun::Held(HoldReason::ReadyToRing));
    id
}

async fn does(store: &dyn Store, id: TicketId, event: &TicketEvent, minutes: i64) -> Result<(), StoreError> {
    store.apply_ticket(&li(), id, event, after(minutes)).await.map(drop)
}

async fn listed(store: &dyn Store, actor: &Actor) -> Vec<TicketId> {
    let filter = TicketFilter {
        ready_to_ring: true,
        ..TicketFilter::default()
    };
    let page = store.tickets(actor, &filter, None, 10).await.unwrap();
    page.items.iter().map(|summary| summary.ticket.id).collect()
}

pub(super) async fn nobody_is_rung_by_a_simulators_word_until_a_person_approves(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let store = &*store;
    let id = ready(store, "wm-1", PUMP, 0).await;
    assert_eq!(listed(store, &li()).await, [id]);
    assert!(due(store, after(600)).await.is_empty());
    let release = view(store, id).await.release.unwrap();
    let predicted = Predicted {
        model: "washing-machine/1".into(),
        fault_class: PUMP.into(),
    };
    assert_eq!((&release.predicted, release.tally), (&predicted, Tally::default()));
    assert_eq!(release.basis.kind, EvidenceKind::Simulated);
    assert_eq!(release.withheld(), Some(Unreleased::TooFewVerdicts));
    // Technicians read tickets, and have nobody rung.
    let technician = Actor {
        roles: vec![Role::Technician],
        ..li()
    };
    let approved = TicketEvent::CallApproved;
    let not_allowed = store.apply_ticket(&technician, id, &approved, after(1)).await;
    assert!(matches!(not_allowed, Err(StoreError::NotAllowed(_))), "{not_allowed:?}");

    does(store, id, &approved, 1).await.unwrap();
    assert!(listed(store, &li()).await.is_empty());
    assert_eq!(due(store, after(1)).await, [id]);
    let told = view(store, id).await;
    assert_eq!(told.ticket.contact.approved_by.as_deref(), Some("li"));
    assert_eq!(told.timeline.last().unwrap().event, approved);
    assert_eq!(told.release.unwrap().tally, Tally::APPROVED);
    let again = does(store, id, &approved, 1).await;
    assert!(matches!(again, Err(StoreError::Ticket(TicketError::NotReadyToRing(1)))));
    // Nobody is at home: the approval stands for the next call.
    let order = ring(store, id, 1).await;
    store
        .apply_attempt(order.attempt.id, ended(CallResult::NoAnswer), after(2))
        .await
        .unwrap();
    ring(store, id, 4 * 60).await;
}

pub(super) async fn what_a_person_refused_stays_unrung(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let store = &*store;
    let id = ready(store, "wm-1", UNKNOWN_FAULT, 0).await;
    let without_reason = TicketEvent::CallRefused { reason: " ".into() };
    assert!(does(store, id, &without_reason, 1).await.is_err());
    does(store, id, &refused(), 1).await.unwrap();
    assert!(listed(store, &li()).await.is_empty());
    let told = view(store, id).await;
    let contact = &told.ticket.contact;
    assert_eq!(
        (contact.phase, contact.reason),
        (ContactPhase::Held, Some(HoldReason::CallRefused))
    );
    assert!(!told.ticket.is_closed());
    assert_eq!(told.release.unwrap().tally, Tally::REFUSED);
    let washer = appliance(store, "acme", "wm-1").await;
    let surer = seen(vec![alarm_on(Basis::default(), washer, UNKNOWN_FAULT, 0.99)]);
    store.commit_scoring(&surer, after(2)).await.unwrap();
    assert!(due(store, after(24 * 60)).await.is_empty());
    does(store, id, &TicketEvent::CallApproved, 3).await.unwrap();
    ring(store, id, 3).await;
}

pub(super) async fn an_approval_in_the_night_rings_in_the_morning(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let store = &*store;
    let night = 12 * 60;
    let id = ready(store, "wm-1", PUMP, night).await;
    does(store, id, &TicketEvent::CallApproved, night + 1).await.unwrap();
    let begun = store.begin_attempt(id, after(night + 1), random()).await.unwrap();
    let opening = after(23 * 60);
    let waits = Begun::Waits {
        until: opening,
        reason: HoldReason::QuietHours,
    };
    assert_eq!(begun, waits);
    assert!(due(store, after(23 * 60 - 1)).await.is_empty());
    assert_eq!(due(store, opening).await, [id]);
    ring(store, id, 23 * 60).await;
}

/// 21 repairs of pumps that were worn: the next one is rung about. One of them was another fault: then none is.
pub(super) async fn verdicts_of_closed_tickets_release_and_a_correction_takes_that_back(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let store = &*store;
    let washer = appliance(store, "acme", "wm-1").await;
    let mut closed = Vec::new();
    for n in 0..i64::from(VERDICTS_MIN) {
        let id = simulated(store, "wm-1", PUMP, n).await;
        let right = outcome(Resolution::ConfirmedDeferred, Verdict::Right);
        does(store, id, &TicketEvent::Closed { outcome: right }, n)
            .await
            .unwrap();
        let clear = seen(vec![Observation::Clear { appliance: washer }]);
        store.commit_scoring(&clear, after(n)).await.unwrap();
        closed.push(id);
    }
    let release = view(store, closed[0]).await.release.unwrap();
    let counted = |right, wrong| Tally {
        right,
        wrong,
        ..Tally::default()
    };
    assert_eq!(release.tally, counted(21, 0));
    assert!(release.is_released());
    let first = simulated(store, "wm-2", PUMP, 30).await;
    let corrected = |verdict| TicketEvent::Corrected {
        outcome: outcome(
            match verdict {
                Verdict::NotChecked => Resolution::Unreachable,
                Verdict::Right | Verdict::OtherFault | Verdict::Wrong => Resolution::ConfirmedDeferred,
            },
            verdict,
        ),
        reason: "the wrong line".into(),
    };
    does(store, closed[0], &corrected(Verdict::NotChecked), 31)
        .await
        .unwrap();
    assert_eq!(view(store, first).await.release.unwrap().tally, counted(20, 0));
    let begun = store.begin_attempt(first, after(31), random()).await.unwrap();
    assert_eq!(begun, Begun::Held(HoldReason::ReadyToRing));
    does(store, closed[0], &corrected(Verdict::Right), 32).await.unwrap();
    let second = simulated(store, "wm-4", PUMP, 33).await;
    ring(store, second, 34).await;
    // One that was another fault is one too many.
    does(store, closed[0], &corrected(Verdict::OtherFault), 35)
        .await
        .unwrap();
    let release = view(store, second).await.release.unwrap();
    assert_eq!(release.tally, counted(20, 1));
    assert_eq!(release.withheld(), Some(Unreleased::TooOftenWrong));
    assert_eq!(
        view(store, first).await.ticket.contact.reason,
        Some(HoldReason::ReadyToRing),
        "what waits for a person still does"
    );
    let judged = view(store, closed[0]).await.ticket.judged;
    assert_eq!(judged.unwrap().fault_class, PUMP);
}

pub(super) async fn what_is_ready_to_ring_is_listed_by_tenant_and_in_pages(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let store = &*store;
    let mut waiting = Vec::new();
    for (minute, device) in [(0, "wm-1"), (1, "wm-2")] {
        waiting.push(ready(store, device, PUMP, minute).await);
    }
    let unsure = appliance(store, "acme", "wm-4").await;
    let commit = seen(vec![alarm_on(Basis::default(), unsure, PUMP, 0.5)]);
    let below = store.commit_scoring(&commit, after(2)).await.unwrap()[0]
        .opened
        .unwrap();
    let begun = store.begin_attempt(below, after(2), random()).await.unwrap();
    assert_eq!(begun, Begun::Held(HoldReason::BelowGate));
    waiting.push(below);
    assert_eq!(listed(store, &li()).await, waiting, "the longest waiting first");
    let filter = TicketFilter {
        ready_to_ring: true,
        ..TicketFilter::default()
    };
    let mut paged = Vec::new();
    let mut edge = None;
    loop {
        let page = store.tickets(&li(), &filter, edge.as_deref(), 1).await.unwrap();
        paged.extend(page.items.iter().map(|summary| summary.ticket.id));
        edge = page.next;
        if edge.is_none() {
            break;
        }
    }
    assert_eq!(paged, waiting);
    let other = li().within(Some(tenant("beta")));
    assert!(listed(store, &other).await.is_empty());
    // What has gone by itself waits for nobody.
    let clear = seen(vec![Observation::Clear { appliance: unsure }]);
    store.commit_scoring(&clear, after(3)).await.unwrap();
    assert_eq!(listed(store, &li()).await, waiting[..2]);
    assert!(does(store, below, &TicketEvent::CallApproved, 3).await.is_err());
}
