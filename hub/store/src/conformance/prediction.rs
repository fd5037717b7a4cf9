//! One fault, one ticket, no matter who sees it at the same time; and what becomes of a ticket flows back into its finding.

use super::Harness;
use super::scene::{
    after, alarm, appliance, findings, has_a_quiet_past, lines, morning, played, seen, site, tenant, tickets,
};
use crate::Store;
use crate::StoreError;
use crate::contact::Begun;
use crate::prediction::ScoredUpTo;
use crate::ticket::TicketFilter;
use hub_core::actor::Actor;
use hub_core::call_rules::HoldReason;
use hub_core::contact::ContactPhase;
use hub_core::finding::FindingState;
use hub_core::id::ApplianceId;
use hub_core::outcome::{Outcome, Resolution, Verdict};
use hub_core::situation::Observation;
use hub_core::ticket::{TicketCategory, TicketEvent};

use std::collections::BTreeSet;
use std::sync::Arc;

const PUMP: &str = "drain_pump_wear";
/// Of two scorers at once.
const ROUNDS: i64 = 1_000;

async fn sees(store: &dyn Store, id: ApplianceId, class: &str, p: f32, minutes: i64) -> Option<hub_core::id::TicketId> {
    let changes = store
        .commit_scoring(&seen(vec![alarm(id, class, p)]), after(minutes))
        .await
        .unwrap();
    changes[0].opened
}

const PLANNED: (TicketCategory, ContactPhase) = (TicketCategory::Open, ContactPhase::Planned);
const HELD: (TicketCategory, ContactPhase) = (TicketCategory::Open, ContactPhase::Held);
const CLOSED: (TicketCategory, ContactPhase) = (TicketCategory::Resolved, ContactPhase::Done);

async fn stands(store: &dyn Store, id: hub_core::id::TicketId) -> (TicketCategory, ContactPhase) {
    let view = store.ticket(&Actor::hub("test"), id, morning()).await.unwrap();
    (view.ticket.status.category, view.ticket.contact.phase)
}

fn closed(resolution: Resolution, verdict: Verdict) -> TicketEvent {
    TicketEvent::Closed {
        outcome: Outcome {
            resolution,
            verdict,
            note: "n".into(),
            part: None,
        },
    }
}

/// Two scorers, each with a connection of its own, see the same fault of the same appliance at the same time.
pub(super) async fn racing_findings_open_one_ticket_each_time(h: &dyn Harness) {
    let (_place, left) = played(h).await;
    let right = Arc::clone(&left);
    let id = appliance(&*left, "acme", "wm-1").await;
    for round in 0..ROUNDS {
        let commit = seen(vec![alarm(id, &format!("fault_{round}"), 0.95)]);
        let now = after(round);
        let (a, b) = tokio::join!(left.commit_scoring(&commit, now), right.commit_scoring(&commit, now));
        let opened = [a.unwrap(), b.unwrap()]
            .iter()
            .flatten()
            .filter(|change| change.opened.is_some())
            .count();
        assert_eq!(opened, 1, "round {round}");
        // So that the list of open findings stays short.
        left.commit_scoring(&seen(vec![Observation::Clear { appliance: id }]), now)
            .await
            .unwrap();
    }
    let numbers: BTreeSet<i64> = tickets(&*left).await.iter().map(|ticket| ticket.number).collect();
    assert_eq!(numbers, (1..=ROUNDS).collect());
    let seen: u32 = findings(&*left).await.iter().map(|finding| finding.count).sum();
    assert_eq!(i64::from(seen), 2 * ROUNDS);
}

pub(super) async fn a_repeat_opens_nothing_and_is_told_only_when_it_matters(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let ticket = sees(&*store, id, "unknown_fault", 0.5, 0).await.unwrap();
    let lines = || lines(&*store);
    assert_eq!(lines().await, 1);
    assert_eq!(sees(&*store, id, "unknown_fault", 0.6, 1).await, None);
    assert_eq!(lines().await, 1, "a little more certain is no news");
    assert_eq!(sees(&*store, id, PUMP, 0.7, 2).await, None);
    assert_eq!(lines().await, 2, "a name is");
    assert_eq!(sees(&*store, id, PUMP, 0.95, 3).await, None);
    assert_eq!(lines().await, 3, "crossing the gate is");
    assert_eq!(sees(&*store, id, PUMP, 0.99, 4).await, None);
    assert_eq!(lines().await, 3);
    let view = store.ticket(&Actor::hub("test"), ticket, morning()).await.unwrap();
    assert_eq!(
        (view.ticket.fault.unwrap().fault_class.as_str(), view.ticket.number),
        (PUMP, 1)
    );
    let finding = view.finding.unwrap();
    assert_eq!((finding.count, finding.prediction.probability), (5, 0.99));
    assert_eq!(
        finding.evidence.points[0].score, 0.0,
        "what JSON cannot hold was bounded"
    );
    let page = store
        .tickets(&Actor::hub("test"), &TicketFilter::default(), None, 10)
        .await
        .unwrap();
    assert_eq!(page.items[0].probability, Some(0.99));
}

pub(super) async fn a_fault_that_comes_back_is_the_ticket_that_is_still_open(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let ticket = sees(&*store, id, PUMP, 0.95, 0).await.unwrap();
    let clear = seen(vec![Observation::Clear { appliance: id }]);
    let cleared = store.commit_scoring(&clear, after(1)).await.unwrap();
    assert_eq!(cleared[0].finding.state, FindingState::Cleared);
    assert!(store.commit_scoring(&clear, after(2)).await.unwrap().is_empty());
    assert_eq!(sees(&*store, id, PUMP, 0.95, 3).await, None);
    let view = store.ticket(&Actor::hub("test"), ticket, morning()).await.unwrap();
    assert_eq!(view.finding.unwrap().state, FindingState::Open);
    // An unknown fault beside it belongs to it; another class is a fault of its own.
    assert_eq!(sees(&*store, id, "unknown_fault", 0.99, 4).await, None);
    assert!(sees(&*store, id, "drum_bearing", 0.95, 5).await.is_some());
    assert_eq!(tickets(&*store).await.len(), 2);
}

/// Ids are made of the hub's time: what comes later may have the smaller one, also within one batch.
pub(super) async fn a_fault_that_comes_back_while_the_clock_goes_back_is_stored(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let ticket = sees(&*store, id, PUMP, 0.95, 60).await.unwrap();
    let back = seen(vec![Observation::Clear { appliance: id }, alarm(id, PUMP, 0.95)]);
    let changes = store.commit_scoring(&back, after(0)).await.unwrap();
    assert_eq!(changes.len(), 2);
    let view = store.ticket(&Actor::hub("test"), ticket, morning()).await.unwrap();
    assert_eq!(
        view.finding.unwrap().id,
        changes[1].finding.id,
        "the ticket is about the newer one"
    );
    let open = findings(&*store).await.into_iter().map(|finding| finding.state);
    assert_eq!(open.filter(|state| *state == FindingState::Open).count(), 1);
}

/// An unknown fault is named as one whose ticket is still open though its finding cleared: both tickets stay as they are.
pub(super) async fn naming_never_makes_two_open_tickets_of_one_class(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    sees(&*store, id, PUMP, 0.95, 0).await.unwrap();
    store
        .commit_scoring(&seen(vec![Observation::Clear { appliance: id }]), after(1))
        .await
        .unwrap();
    let second = sees(&*store, id, "unknown_fault", 0.5, 2).await.unwrap();
    assert_eq!(sees(&*store, id, PUMP, 0.97, 3).await, None);
    assert_eq!(
        store
            .ticket(&Actor::hub("test"), second, morning())
            .await
            .unwrap()
            .ticket
            .fault
            .unwrap()
            .fault_class,
        "unknown_fault"
    );
    assert_eq!(tickets(&*store).await.len(), 2);
}

pub(super) async fn a_false_alarm_keeps_quiet_and_a_repair_starts_the_baseline_anew(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let first = sees(&*store, id, PUMP, 0.95, 0).await.unwrap();
    let wrong = closed(Resolution::FalseAlarm, Verdict::Wrong);
    store
        .apply_ticket(&Actor::hub("li"), first, &wrong, after(1))
        .await
        .unwrap();
    assert_eq!(sees(&*store, id, PUMP, 0.95, 2).await, None);
    assert!(store.baselines_restarted().await.unwrap().is_empty());
    let later = 72 * 60 + 2;
    let second = sees(&*store, id, PUMP, 0.95, later).await.unwrap();
    let fixed = closed(Resolution::ConfirmedFixed, Verdict::Right);
    store
        .apply_ticket(&Actor::hub("li"), second, &fixed, after(later + 1))
        .await
        .unwrap();
    assert_eq!(store.baselines_restarted().await.unwrap(), [id]);
    assert_eq!(stands(&*store, second).await, CLOSED);
    let again = store
        .apply_ticket(&Actor::hub("li"), second, &TicketEvent::Taken, after(later + 2))
        .await
        .unwrap_err();
    assert!(matches!(again, StoreError::Ticket(_)));
    let findings = store.findings(&Actor::hub("test"), None, 10).await.unwrap().items;
    assert!(findings.iter().all(|finding| finding.state == FindingState::Cleared));
    assert!(
        sees(&*store, id, PUMP, 0.95, later + 3).await.is_some(),
        "a new fault after the repair"
    );
}

pub(super) async fn tenants_stay_apart(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let other = appliance(&*store, "beta", "wm-1").await;
    let ticket = sees(&*store, id, PUMP, 0.95, 0).await.unwrap();
    let theirs = sees(&*store, other, PUMP, 0.95, 0).await.unwrap();
    let beta = Actor::hub("test").within(Some(tenant("beta")));
    assert!(matches!(
        store.ticket(&beta, ticket, morning()).await,
        Err(StoreError::NotFound { .. })
    ));
    let refused = store.apply_ticket(&beta, ticket, &TicketEvent::Taken, morning()).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })));
    let listed = store.tickets(&beta, &TicketFilter::default(), None, 10).await.unwrap();
    assert_eq!(listed.items.iter().map(|s| s.ticket.id).collect::<Vec<_>>(), [theirs]);
    let findings = store.findings(&beta, None, 10).await.unwrap();
    assert_eq!(findings.items.len(), 1);
    let hidden = store
        .findings(&Actor::hub("test").within(Some(tenant("acme"))), None, 10)
        .await
        .unwrap()
        .items
        .remove(0);
    assert!(matches!(
        store.finding(&beta, hidden.id).await,
        Err(StoreError::NotFound { .. })
    ));
    // Each tenant counts for itself.
    assert_eq!(listed.items[0].ticket.number, 1);
}

pub(super) async fn lists_are_read_page_by_page(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    for n in 0..5 {
        sees(&*store, id, &format!("fault_{n}"), 0.95, n).await.unwrap();
    }
    let mut numbers = Vec::new();
    let mut after = None;
    loop {
        let page = store
            .tickets(&Actor::hub("test"), &TicketFilter::default(), after.as_deref(), 2)
            .await
            .unwrap();
        numbers.extend(page.items.iter().map(|summary| summary.ticket.number));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(numbers, [5, 4, 3, 2, 1]);
    let bad = store
        .tickets(&Actor::hub("test"), &TicketFilter::default(), Some("x"), 2)
        .await;
    assert!(matches!(bad, Err(StoreError::NotFound { .. })));
}

async fn clears(store: &dyn Store, id: ApplianceId, minutes: i64) {
    let clear = seen(vec![Observation::Clear { appliance: id }]);
    store.commit_scoring(&clear, after(minutes)).await.unwrap();
}

/// Nobody repaired it, so the detector goes on alarming, grows, and says it all again after a restart.
pub(super) async fn a_fault_that_is_left_as_it_is_opens_no_second_ticket_until_it_has_cleared(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let left = [
        (Resolution::CustomerDeclined, Verdict::NotChecked),
        (Resolution::Unreachable, Verdict::NotChecked),
        (Resolution::ConfirmedDeferred, Verdict::Right),
    ];
    let id = appliance(&*store, "acme", "wm-1").await;
    for (round, (resolution, verdict)) in (0_i64..).zip(left) {
        let start = round * 10_000;
        let ticket = sees(&*store, id, PUMP, 0.85, start).await.unwrap();
        store
            .apply_ticket(
                &Actor::hub("li"),
                ticket,
                &closed(resolution, verdict),
                after(start + 1),
            )
            .await
            .unwrap();
        let told = lines(&*store).await;
        for (minutes, class, probability) in [
            (2, PUMP, 0.85),
            (3, PUMP, 0.99),
            (5_000, PUMP, 0.99),
            (5_001, "unknown_fault", 0.99),
        ] {
            assert_eq!(sees(&*store, id, class, probability, start + minutes).await, None);
        }
        assert_eq!(lines(&*store).await, told, "closed is closed");
        assert_eq!(stands(&*store, ticket).await, CLOSED);
        clears(&*store, id, start + 6_000).await;
    }
    assert!(sees(&*store, id, PUMP, 0.95, 40_000).await.is_some(), "gone and back");
}

pub(super) async fn a_false_alarm_that_is_still_seen_gets_its_ticket_when_the_cool_down_ends(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let first = sees(&*store, id, PUMP, 0.95, 0).await.unwrap();
    let wrong = closed(Resolution::FalseAlarm, Verdict::Wrong);
    store
        .apply_ticket(&Actor::hub("li"), first, &wrong, after(1))
        .await
        .unwrap();
    assert_eq!(sees(&*store, id, PUMP, 0.95, 2).await, None);
    // Whatever batch comes, even one that says nothing.
    let ends = 72 * 60 + 1;
    assert!(
        store
            .commit_scoring(&seen(vec![]), after(ends - 1))
            .await
            .unwrap()
            .is_empty()
    );
    // As most do: with offsets alone.
    let mut plain = seen(vec![]);
    plain.offsets = vec![ScoredUpTo {
        partition: 0,
        ingest_no: 1,
        received_at: after(ends),
        kept_no: 0,
        kept_received_at: after(0),
    }];
    let changes = store.commit_scoring(&plain, after(ends)).await.unwrap();
    let [change] = changes.as_slice() else {
        panic!("{changes:?}")
    };
    assert_eq!(change.finding.ticket, change.opened);
    assert_eq!(stands(&*store, change.opened.unwrap()).await, PLANNED);
    assert!(
        store
            .commit_scoring(&seen(vec![]), after(ends + 1))
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(tickets(&*store).await.len(), 2);
    // One that clears at the end of its cool-down opens none.
    let other = appliance(&*store, "acme", "wm-2").await;
    let second = sees(&*store, other, PUMP, 0.95, ends).await.unwrap();
    store
        .apply_ticket(&Actor::hub("li"), second, &wrong, after(ends))
        .await
        .unwrap();
    assert_eq!(sees(&*store, other, PUMP, 0.95, ends + 1).await, None);
    clears(&*store, other, 3 * ends).await;
    assert_eq!(tickets(&*store).await.len(), 3);
}

pub(super) async fn a_held_ticket_is_lifted_by_the_gate_and_by_the_faults_return(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let ticket = sees(&*store, id, PUMP, 0.899, 0).await.unwrap();
    let held = |at| store.begin_attempt(ticket, after(at), [1; 20]);
    assert_eq!(held(0).await.unwrap(), Begun::Held(HoldReason::BelowGate));
    sees(&*store, id, PUMP, 0.8995, 1).await;
    assert_eq!(stands(&*store, ticket).await, HELD);
    sees(&*store, id, PUMP, 0.9001, 2).await;
    assert_eq!(stands(&*store, ticket).await, PLANNED);
    clears(&*store, id, 3).await;
    assert_eq!(held(4).await.unwrap(), Begun::Held(HoldReason::FindingCleared));
    sees(&*store, id, PUMP, 0.95, 5).await;
    assert_eq!(stands(&*store, ticket).await, PLANNED);
    has_a_quiet_past(&*store).await;
    assert!(matches!(held(6).await.unwrap(), Begun::Ring(_)));
}

/// What was found on the old baseline is not known of the new one.
pub(super) async fn a_restarted_baseline_clears_every_open_finding_of_the_appliance(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let pump = sees(&*store, id, PUMP, 0.95, 0).await.unwrap();
    let drum = sees(&*store, id, "drum_bearing", 0.95, 1).await.unwrap();
    let fixed = closed(Resolution::ConfirmedFixed, Verdict::Right);
    store
        .apply_ticket(&Actor::hub("li"), pump, &fixed, after(2))
        .await
        .unwrap();
    let open = store.ticket(&Actor::hub("test"), drum, morning()).await.unwrap();
    assert_eq!(open.finding.unwrap().state, FindingState::Cleared);
    assert_eq!(open.timeline.last().unwrap().event, TicketEvent::FindingCleared);
    store.baselines_restarted().await.unwrap();
    sees(&*store, id, "drum_bearing", 0.95, 3).await;
    // Another owner.
    let mut site = site();
    site.tenants[0].devices[0].owner = Some("wang".into());
    store.apply_site(&site, after(4), false).await.unwrap();
    let open = store.ticket(&Actor::hub("test"), drum, morning()).await.unwrap();
    assert_eq!(open.finding.unwrap().state, FindingState::Cleared);
    assert_eq!(
        store.begin_attempt(drum, after(5), [2; 20]).await.unwrap(),
        Begun::Held(HoldReason::FindingCleared)
    );
}
