//! A challenger beside the model that is served: what it says is kept, and nothing comes of it.

use super::Harness;
use super::scene::{after, alarm, appliance, findings, morning, played, seen, tickets};
use crate::Store;
use crate::prediction::{Challenge, Challenged, ScoringCommit, ShadowCommit};
use hub_core::actor::Actor;
use hub_core::id::ApplianceId;
use hub_core::outcome::{Outcome, Resolution, Verdict};
use hub_core::shadow::{Comparison, Judged, ShadowSaid};
use hub_core::ticket::TicketEvent;

const FAMILY: &str = "washing-machine";

fn challenge(version: u32) -> Challenge {
    Challenge {
        family: FAMILY.to_owned(),
        model: format!("{FAMILY}/{version}"),
        hash: "5f".repeat(32),
        champion: format!("{FAMILY}/1"),
    }
}

fn judges(appliance: ApplianceId, minutes: i64) -> (String, ApplianceId, ShadowSaid) {
    (FAMILY.to_owned(), appliance, ShadowSaid::Judges { at: after(minutes) })
}

fn rises(appliance: ApplianceId, minutes: i64) -> (String, ApplianceId, ShadowSaid) {
    let said = ShadowSaid::Alarm {
        at: after(minutes),
        fault_class: "drum_bearing".to_owned(),
        probability: 0.5,
    };
    (FAMILY.to_owned(), appliance, said)
}

async fn saves(store: &dyn Store, shadow: ShadowCommit, minutes: i64) {
    let commit = ScoringCommit {
        shadow,
        ..ScoringCommit::default()
    };
    let told = store.commit_scoring(&commit, after(minutes)).await.unwrap();
    assert!(told.is_empty(), "{told:?}");
}

async fn begins(store: &dyn Store, version: u32, minutes: i64) {
    let shadow = ShadowCommit {
        begun: vec![challenge(version)],
        ..ShadowCommit::default()
    };
    saves(store, shadow, minutes).await;
}

async fn says(store: &dyn Store, said: Vec<(String, ApplianceId, ShadowSaid)>, minutes: i64) {
    let shadow = ShadowCommit {
        said,
        ..ShadowCommit::default()
    };
    saves(store, shadow, minutes).await;
}

async fn challenged(store: &dyn Store, after: Option<ApplianceId>, limit: usize) -> Vec<Challenged> {
    store.challenged(FAMILY, after, limit).await.unwrap()
}

pub(super) async fn what_a_challenger_says_is_kept_and_opens_nothing(h: &dyn Harness) {
    let (place, store) = played(h).await;
    let mut ids = Vec::new();
    for device in ["wm-1", "wm-2", "wm-3"] {
        ids.push(appliance(&*store, "acme", device).await);
    }
    assert!(store.challenges().await.unwrap().is_empty());
    // Of no challenge, so that nothing is kept.
    says(&*store, vec![rises(ids[0], 0)], 0).await;
    // Nothing is compared before the challenger judges.
    let alarms = |id| seen(vec![alarm(id, "drain_pump_wear", 0.95)]);
    store.commit_scoring(&alarms(ids[0]), morning()).await.unwrap();
    begins(&*store, 2, 1).await;
    assert!(challenged(&*store, None, 10).await.is_empty());

    let clear = |id, minutes| (FAMILY.to_owned(), id, ShadowSaid::Clear { at: after(minutes) });
    // An end without a beginning is nothing.
    says(&*store, vec![clear(ids[2], 1)], 1).await;
    assert!(challenged(&*store, None, 10).await.is_empty());
    says(&*store, vec![judges(ids[1], 0), rises(ids[1], 3), judges(ids[0], 1)], 3).await;
    // What is said again changes nothing, and what comes later is added.
    let later = vec![rises(ids[1], 4), judges(ids[1], 4), clear(ids[1], 5), rises(ids[2], 4)];
    says(&*store, later, 5).await;
    let ticket = store.commit_scoring(&alarms(ids[1]), after(6)).await.unwrap()[0].opened;
    let outcome = Outcome {
        resolution: Resolution::ConfirmedFixed,
        verdict: Verdict::Right,
        note: String::new(),
        part: None,
    };
    let event = TicketEvent::Closed { outcome };
    let (lena, ticket) = (Actor::hub("lena"), ticket.unwrap());
    store.apply_ticket(&lena, ticket, &event, after(7)).await.unwrap();
    assert_eq!((findings(&*store).await.len(), tickets(&*store).await.len()), (2, 2));
    drop(store);

    let store = place.hub().await;
    let kept = store.challenges().await.unwrap();
    assert_eq!((kept.len(), &kept[0].challenge), (1, &challenge(2)));
    assert_eq!((kept[0].begun_at, &kept[0].dropped), (after(1), &None));
    let all = challenged(&*store, None, 10).await;
    let shown: Vec<ApplianceId> = all.iter().map(|one| one.appliance).collect();
    assert_eq!(shown, ids);
    let from: Vec<_> = all.iter().map(|one| one.challenger.judged_from).collect();
    assert_eq!(from, [Some(after(1)), Some(after(0)), Some(after(4))]);
    // It stood when the challenger began to judge there.
    assert_eq!((all[0].champion.len(), all[0].challenger.count), (1, 0));
    let alarms = &all[1].challenger;
    assert_eq!((alarms.count, alarms.newest[0].until), (1, Some(after(5))));
    assert_eq!(all[1].champion[0].verdict, Some(Verdict::Right));
    assert_eq!((all[2].champion.len(), all[2].challenger.count), (0, 1));
    // Page by page.
    assert_eq!(challenged(&*store, None, 1).await, all[..1]);
    assert_eq!(challenged(&*store, Some(ids[1]), 10).await, all[2..]);
    let mut comparison = Comparison::default();
    all.iter()
        .for_each(|one| comparison.add(&one.champion, &one.challenger));
    let both = Judged {
        both: 1,
        champion_alone: 0,
    };
    assert_eq!(
        (comparison.appliances, comparison.champion, comparison.challenger),
        (3, 1, 2)
    );
    assert_eq!((comparison.faults, comparison.challenger_alone), (both, 1));
}

pub(super) async fn a_challenger_that_fails_is_dropped_with_the_reason_until_it_begins_again(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    begins(&*store, 2, 0).await;
    says(&*store, vec![rises(id, 1)], 1).await;
    let dropped = ShadowCommit {
        dropped: [(FAMILY.to_owned(), "the network gave no finite error".to_owned())].into(),
        ..ShadowCommit::default()
    };
    saves(&*store, dropped, 2).await;
    let kept = store.challenges().await.unwrap().remove(0);
    let why = "the network gave no finite error".to_owned();
    assert_eq!(kept.dropped, Some((after(2), why)));
    // After a restart it is tried again, and what it said counts.
    begins(&*store, 2, 3).await;
    let kept = store.challenges().await.unwrap().remove(0);
    assert_eq!((kept.begun_at, kept.dropped), (after(0), None));
    assert_eq!(challenged(&*store, None, 10).await.len(), 1);
    // Another challenger begins with nothing.
    begins(&*store, 3, 4).await;
    let kept = store.challenges().await.unwrap();
    assert_eq!((kept.len(), &kept[0].challenge), (1, &challenge(3)));
    assert!(challenged(&*store, None, 10).await.is_empty());
}
