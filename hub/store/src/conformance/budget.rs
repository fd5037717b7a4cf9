//! Budgets: scores of months, ledgers that are kept, levels that hold tickets and calls back, and breakers.

use super::Harness;
use super::scene::{after, alarm, appliance, findings, ledger_of, morning, played, seen, site, tenant};
use crate::Store;
use crate::budget::{KeptLedger, MonthScore};
use crate::contact::Begun;
use crate::error::StoreError;
use crate::prediction::{Checkpoint, ScoringCommit};
use hub_core::actor::{Actor, Role};
use hub_core::budget::change::LedgerChange;
use hub_core::budget::gate::FIRST_LEVEL;
use hub_core::budget::ledger::Ledger;
use hub_core::budget::precision::Counted;
use hub_core::budget::{Budget, Budgets, Month};
use hub_core::call_rules::HoldReason;
use hub_core::finding::Finding;
use hub_core::id::{ApplianceId, TicketId};
use hub_core::outcome::{Outcome, Resolution, Verdict};
use hub_core::prediction::FaultPrediction;
use hub_core::release::GENERIC;
use hub_core::site::DeclaredBudget;
use hub_core::situation::Observation;
use hub_core::ticket::TicketEvent;
use jiff::SignedDuration;
use std::collections::BTreeMap;

pub(super) const FAMILY: &str = "washing-machine";
pub(super) const PUMP: &str = "drain_pump_wear";

pub(super) fn month() -> Month {
    Month::at(morning())
}

pub(super) fn days(days: i64) -> jiff::Timestamp {
    morning() + SignedDuration::from_hours(24 * days)
}

pub(super) fn lena() -> Actor {
    Actor {
        roles: vec![Role::Administrator],
        ..Actor::hub("lena").within(Some(tenant("acme")))
    }
}

/// A ledger whose thresholds come from 300 sound washing machines with scores from 2.0 to 2.6.
pub(super) fn learned() -> Ledger {
    ledger_of(FAMILY, |id| 2.0 + 0.002 * id as f32)
}

/// A ledger whose breaker has stopped the calls of washing machines.
pub(super) fn stopped() -> Ledger {
    let mut ledger = Ledger::default();
    assert!(ledger.breaker(FAMILY).count(20, 0.1, morning()));
    ledger
}

/// An end of which nothing else is said.
pub(super) fn outcome(resolution: Resolution, verdict: Verdict) -> Outcome {
    serde_json::from_value(serde_json::json!({ "resolution": resolution, "verdict": verdict, "note": "" })).unwrap()
}

pub(super) async fn keep(store: &dyn Store, ledger: Ledger, changes: &[LedgerChange]) {
    keep_of(store, FAMILY, ledger, changes).await;
}

async fn keep_of(store: &dyn Store, family: &str, ledger: Ledger, changes: &[LedgerChange]) {
    let acme = tenant("acme");
    let kept = KeptLedger {
        ledger,
        revision: store.ledger(&acme, family).await.unwrap().revision,
    };
    let saved = store.save_ledger(&acme, family, &kept, changes, morning());
    saved.await.unwrap();
}

/// The score of tickets and the score of calls of these washing machines.
fn levels(ledger: &Ledger) -> (f64, f64) {
    let thresholds = ledger.model(FAMILY).unwrap().thresholds.clone().unwrap();
    (thresholds.tickets.in_force, thresholds.calls.unwrap().in_force)
}

/// An alarm with this score: the ticket that it opens, if it opens one.
pub(super) async fn sees(store: &dyn Store, device: &str, score: f64) -> Option<TicketId> {
    sees_by(store, "washing-machine/1", device, score).await
}

async fn sees_by(store: &dyn Store, model: &str, device: &str, score: f64) -> Option<TicketId> {
    let Observation::Alarm {
        appliance,
        prediction,
        evidence,
        trace,
    } = alarm(appliance(store, "acme", device).await, PUMP, 0.95)
    else {
        panic!("an alarm")
    };
    let prediction = Box::new(FaultPrediction {
        score: score as f32,
        model: model.to_owned(),
        ..*prediction
    });
    let observation = Observation::Alarm {
        appliance,
        prediction,
        evidence,
        trace,
    };
    let told = store.commit_scoring(&seen(vec![observation]), morning()).await.unwrap();
    told.first().and_then(|change| change.opened)
}

async fn finding(store: &dyn Store, device: &str) -> Finding {
    let id = appliance(store, "acme", device).await;
    let mut own = findings(store).await;
    own.retain(|finding| finding.appliance == id);
    own.remove(0)
}

pub(super) async fn rung(store: &dyn Store, ticket: TicketId) -> Begun {
    store.begin_attempt(ticket, morning(), [3; 20]).await.unwrap()
}

pub(super) async fn the_highest_score_of_a_month_only_grows_and_old_months_go_in_steps(h: &dyn Harness) {
    let (place, store) = played(h).await;
    let ids = [
        appliance(&*store, "acme", "wm-1").await,
        appliance(&*store, "acme", "wm-2").await,
    ];
    let other = appliance(&*store, "beta", "wm-1").await;
    let save = async |scores: &[(ApplianceId, i32, f32)]| {
        let scores = scores.iter().map(|(appliance, later, score)| MonthScore {
            appliance: *appliance,
            family: FAMILY.to_owned(),
            month: month().plus(*later),
            score: *score,
        });
        let commit = ScoringCommit {
            checkpoints: vec![Checkpoint {
                appliance: ids[0],
                model: "washing-machine/1".to_owned(),
                ingest_no: 1,
                state: vec![7],
            }],
            scores: scores.collect(),
            ..ScoringCommit::default()
        };
        store.commit_scoring(&commit, morning()).await.unwrap();
    };
    save(&[(ids[0], 0, 0.5), (ids[1], 0, 0.25), (other, 0, 4.0), (ids[0], 0, 0.75)]).await;
    save(&[
        (ids[0], 0, 0.5),
        (ids[1], -13, 0.5),
        (ids[0], -13, 0.5),
        (ids[1], 2, 0.5),
        (ids[1], -12, 0.5),
    ])
    .await;
    let of = async |later: i32| {
        let scores = store.scores_of(&tenant("acme"), FAMILY, month().plus(later)).await;
        let mut scores = scores.unwrap().remove(FAMILY).unwrap_or_default();
        scores.sort_by_key(|one| one.appliance);
        scores.iter().map(|one| (one.appliance, one.score)).collect::<Vec<_>>()
    };
    assert_eq!(of(0).await, [(ids[0], 0.75), (ids[1], 0.25)]);
    let acme = (tenant("acme"), FAMILY.to_owned());
    assert!(store.families_scored().await.unwrap().contains(&acme));

    // Nothing goes that nobody vouches for, and then so many in a step: two of a year and a month ago, and one that lies ahead.
    assert_eq!(store.sweep_scores(morning(), 2).await.unwrap(), 0);
    store.vouch(None, Some(morning())).await.unwrap();
    let mut steps = Vec::new();
    for _ in 0..3 {
        steps.push(store.sweep_scores(days(4_000), 2).await.unwrap());
    }
    assert_eq!(steps, [2, 1, 0]);
    assert_eq!(
        (
            of(-13).await.len(),
            of(-12).await.len(),
            of(0).await.len(),
            of(2).await.len()
        ),
        (0, 1, 2, 0)
    );
    drop(place);
}

pub(super) async fn a_ledger_is_kept_whole_and_changed_by_one_at_a_time(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let (acme, beta) = (tenant("acme"), tenant("beta"));
    let budgets = Budgets {
        tickets: Budget::new(2.0).unwrap(),
        calls: Budget::new(0.1).unwrap(),
    };
    let early = store.ledger(&acme, FAMILY).await.unwrap();
    assert_eq!(early, KeptLedger::default());
    let stated = async |by: &Actor, family: &str, faults| {
        store.state_budget(by, &acme, family, budgets, faults, morning()).await
    };
    stated(&lena(), FAMILY, 0.02).await.unwrap();
    for refused in [
        stated(&lena(), FAMILY, 0.9).await,
        stated(&lena(), "no family", 0.02).await,
    ] {
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    }
    // What was read before the statement is not written over it.
    let late = store.save_ledger(&acme, FAMILY, &early, &[], morning()).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");

    let mut kept = store.ledger(&acme, FAMILY).await.unwrap();
    assert_eq!((kept.ledger.budgets(), kept.ledger.faults_a_year()), (budgets, 0.02));
    let learned = learned();
    kept.ledger = kept.ledger.with_models(learned.models().clone());
    let change = LedgerChange::Stopped {
        model: FAMILY.to_owned(),
        tickets: 7,
        expected: 0.5,
    };
    store
        .save_ledger(&acme, FAMILY, &kept, std::slice::from_ref(&change), after(1))
        .await
        .unwrap();
    let shown = store.budgets(&lena(), &acme).await.unwrap().remove(0);
    assert_eq!((shown.family.as_str(), shown.ledger.budgets()), (FAMILY, budgets));
    let (is, was) = (levels(&shown.ledger), levels(&learned));
    assert!(
        (is.0 / was.0 - 1.0).abs() < 1e-9 && (is.1 / was.1 - 1.0).abs() < 1e-9,
        "{is:?} {was:?}"
    );
    let lines: Vec<_> = shown
        .lines
        .iter()
        .map(|line| (line.by.as_str(), line.change.name()))
        .collect();
    assert_eq!(lines, [("hub", "stopped"), ("lena", "stated")]);
    assert_eq!(shown.lines[0].change, change);
    // Its models are those that were kept last, and another tenant has none of it.
    kept = store.ledger(&acme, FAMILY).await.unwrap();
    kept.ledger = kept.ledger.without_models();
    store.save_ledger(&acme, FAMILY, &kept, &[], after(2)).await.unwrap();
    assert_eq!(store.ledger(&acme, FAMILY).await.unwrap().ledger.model(FAMILY), None);
    assert!(store.budgets(&Actor::hub("test"), &beta).await.unwrap().is_empty());
    let foreign = store.budgets(&lena(), &beta).await;
    assert!(matches!(foreign, Err(StoreError::NotFound { .. })), "{foreign:?}");
}

pub(super) async fn a_level_holds_a_ticket_back_until_the_score_reaches_it(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let ledger = learned();
    let (ticket_level, call_level) = levels(&ledger);
    assert!(
        2.2 < ticket_level && ticket_level < call_level,
        "{ticket_level} {call_level}"
    );
    keep(&*store, ledger, &[]).await;
    assert_eq!(sees(&*store, "wm-1", 1.5).await, None);
    let waits = finding(&*store, "wm-1").await;
    assert_eq!((waits.ticket, waits.suppressed_until), (None, None));
    assert!((waits.ticket_from.unwrap() / ticket_level - 1.0).abs() < 1e-9);
    assert!(waits.prediction.probability < 0.1, "such scores are frequent");
    assert_eq!(waits.prediction.verdicts, Some(Counted::default()));

    // High enough for a ticket, and too frequent for a call: the probability says so before the level does.
    let between = f64::midpoint(ticket_level, call_level);
    let ticket = sees(&*store, "wm-1", between).await.unwrap();
    let open = finding(&*store, "wm-1").await;
    assert_eq!((open.ticket, open.ticket_from), (Some(ticket), None));
    assert_eq!(rung(&*store, ticket).await, Begun::Held(HoldReason::BelowGate));
    // Far above both: no sound machine comes there.
    assert_eq!(sees(&*store, "wm-1", 2.0 * call_level).await, None, "it has its ticket");
    let story = store.ticket(&Actor::hub("test"), ticket, morning()).await.unwrap();
    assert_eq!(story.ticket.contact.reason, Some(HoldReason::BelowGate));
    assert!(
        matches!(rung(&*store, ticket).await, Begun::Ring(_)),
        "lifted by its score"
    );
}

pub(super) async fn a_level_that_comes_down_gives_a_finding_its_ticket(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    keep(&*store, learned(), &[]).await;
    assert_eq!(sees(&*store, "wm-1", 1.5).await, None);
    assert_eq!(sees(&*store, "wm-2", 1.5).await, None);
    let nothing = ScoringCommit::default();
    assert!(
        store.commit_scoring(&nothing, after(1)).await.unwrap().is_empty(),
        "the level stands"
    );
    keep(&*store, Ledger::default(), &[]).await;
    let told = store.commit_scoring(&nothing, after(2)).await.unwrap();
    assert_eq!(
        told.iter().filter(|change| change.opened.is_some()).count(),
        2,
        "{told:?}"
    );
    assert_eq!(finding(&*store, "wm-1").await.ticket_from, None);
    assert!(store.commit_scoring(&nothing, after(3)).await.unwrap().is_empty());
}

pub(super) async fn family_generic_has_a_first_level_where_its_fleet_has_none(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let sees = async |score| sees_by(&*store, "generic/1", "wm-1", score).await;
    keep_of(&*store, GENERIC, learned(), &[]).await;
    assert_eq!(sees(1.5).await, None);
    assert!(finding(&*store, "wm-1").await.ticket_from.unwrap() < FIRST_LEVEL);
    // The fleet's level goes: what is below the first one is not due.
    keep_of(&*store, GENERIC, Ledger::default(), &[]).await;
    let nothing = ScoringCommit::default();
    assert!(store.commit_scoring(&nothing, after(1)).await.unwrap().is_empty());
    assert_eq!(finding(&*store, "wm-1").await.suppressed_until, None);
    assert_eq!(sees(2.9).await, None);
    assert_eq!(finding(&*store, "wm-1").await.ticket_from, Some(FIRST_LEVEL));
    let ticket = sees(3.1).await;
    let open = finding(&*store, "wm-1").await;
    assert!(ticket.is_some() && (open.ticket, open.ticket_from) == (ticket, None));
}

pub(super) async fn what_people_found_is_told_as_it_stands_after_corrections(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let acme = tenant("acme");
    let ticket = sees(&*store, "wm-1", 1.5).await.unwrap();
    sees(&*store, "wm-2", 1.5).await.unwrap();
    let opened = async |since, until| store.tickets_opened(&acme, FAMILY, since, until).await.unwrap();
    assert_eq!(
        opened(morning(), after(1)).await,
        BTreeMap::from([(FAMILY.to_owned(), 2)])
    );
    assert_eq!(opened(after(1), after(2)).await, BTreeMap::new());
    assert_eq!(opened(days(-1), morning()).await, BTreeMap::new(), "before its end");
    assert!(store.judged_tickets(&lena(), &acme).await.unwrap().is_empty());
    let closed = TicketEvent::Closed {
        outcome: outcome(Resolution::FalseAlarm, Verdict::Wrong),
    };
    store.apply_ticket(&lena(), ticket, &closed, after(5)).await.unwrap();
    let judged = store.judged_tickets(&lena(), &acme).await.unwrap().remove(0);
    assert_eq!(
        (judged.verdict, judged.repaired, judged.closed_at),
        (Verdict::Wrong, false, after(5))
    );
    assert_eq!(judged.model, FAMILY);
    let predicted = judged.predicted_by(FAMILY).unwrap();
    assert_eq!((predicted.score, predicted.probability), (1.5, 0.95));
    let corrected = TicketEvent::Corrected {
        outcome: outcome(Resolution::ConfirmedFixed, Verdict::Right),
        reason: "the wrong line".to_owned(),
    };
    store.apply_ticket(&lena(), ticket, &corrected, after(6)).await.unwrap();
    let judged = store.judged_tickets(&lena(), &acme).await.unwrap();
    assert_eq!(
        (judged.len(), judged[0].verdict, judged[0].repaired),
        (1, Verdict::Right, true)
    );
}

pub(super) async fn a_site_file_states_budgets_and_says_nothing_twice(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let acme = tenant("acme");
    let (tickets, calls) = (Budget::new(2.0).unwrap(), Budget::new(0.1).unwrap());
    let mut site = site();
    site.tenants[0].budgets = vec![DeclaredBudget {
        family: FAMILY.to_owned(),
        tickets,
        calls,
        faults_a_year: 0.02,
    }];
    let applied = async |dry_run| {
        let changes = store.apply_site(&site, after(1), dry_run).await.unwrap();
        let told = changes
            .into_iter()
            .map(|change| (change.action, change.kind, change.id));
        told.collect::<Vec<_>>()
    };
    let added = ("add", "budget", "acme/washing-machine".to_owned());
    assert_eq!(applied(true).await, std::slice::from_ref(&added));
    assert_eq!(store.ledger(&acme, FAMILY).await.unwrap(), KeptLedger::default());
    assert_eq!(applied(false).await, [added]);
    assert!(applied(false).await.is_empty());
    let budgets = Budgets { tickets, calls };
    let kept = store.ledger(&acme, FAMILY).await.unwrap();
    assert_eq!((kept.ledger.budgets(), kept.ledger.faults_a_year()), (budgets, 0.02));
    // What a person states meanwhile gives way to the file when it is applied again.
    let (by, default) = (lena(), Budgets::default());
    let stated = store.state_budget(&by, &acme, FAMILY, default, 0.01, after(2));
    stated.await.unwrap();
    assert_eq!(applied(false).await[0].0, "change");
    let shown = store.budgets(&lena(), &acme).await.unwrap().remove(0);
    let authors: Vec<_> = shown.lines.iter().map(|line| line.by.as_str()).collect();
    assert_eq!(authors, ["site file", "lena", "site file"]);
    assert_eq!(shown.ledger.budgets(), budgets);
}
