//! Floors that fleets show: who they are learned from, and where they are kept.

use super::Harness;
use super::scene::{after, alarm, appliance, morning, played, seen, tenant};
use crate::Store;
use crate::error::StoreError;
use crate::floors::{Fleet, FleetFloors, WanderedPage};
use crate::prediction::{Checkpoint, ScoringCommit};
use hub_core::actor::Actor;
use hub_core::budget::Month;
use hub_core::id::ApplianceId;
use hub_core::outcome::{Outcome, Resolution, Verdict};
use hub_core::situation::Observation;
use hub_core::ticket::TicketEvent;
use hub_core::watching::{WatchState, Watching};
use jiff::{SignedDuration, Timestamp};

const MODEL: &str = "generic/1";

fn fleet(of: &str) -> Fleet {
    Fleet {
        tenant: tenant(of),
        model: MODEL.to_owned(),
        profile: "washing-machine".to_owned(),
    }
}

fn floors(of: &str, appliance_model: &str, month: Month) -> FleetFloors {
    FleetFloors {
        fleet: fleet(of),
        appliance_model: appliance_model.to_owned(),
        month,
        floors: [("current_a".to_owned(), 0.08), ("inlet \"\u{e9}\"".to_owned(), 1.5)].into(),
        appliances: 212,
    }
}

fn month() -> Month {
    Month::at(morning())
}

/// A fleet of this tenant has shown floors.
pub(super) async fn learned(store: &dyn Store, of: &str) {
    store
        .save_floors(&[floors(of, "WM-7", month())], month().plus(-1))
        .await
        .unwrap();
}

pub(super) async fn floors_are_kept_by_fleet_and_tenants_stay_apart(h: &dyn Harness) {
    let (place, store) = played(h).await;
    assert!(store.floors_in_force().await.unwrap().is_empty());
    learned(&*store, "acme").await;
    learned(&*store, "beta").await;
    let other = floors("acme", "WM-8", month().plus(-1));
    store
        .save_floors(std::slice::from_ref(&other), month().plus(-1))
        .await
        .unwrap();
    drop(store);
    let store = place.hub().await;
    let acme = [floors("acme", "WM-7", month()), other];
    let beta = [floors("beta", "WM-7", month())];
    let all: Vec<FleetFloors> = acme.iter().chain(&beta).cloned().collect();
    assert_eq!(store.floors_in_force().await.unwrap(), all);
    let hub = Actor::hub("test");
    assert_eq!(store.floors(&hub, &tenant("acme")).await.unwrap(), acme);
    let of_beta = hub.within(Some(tenant("beta")));
    assert_eq!(store.floors(&of_beta, &tenant("beta")).await.unwrap(), beta);
    let refused = store.floors(&of_beta, &tenant("acme")).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");

    // Those of another month take their place, and what no fleet has shown for long is forgotten.
    let mut next = floors("acme", "WM-7", month().plus(1));
    next.floors.remove("current_a");
    next.appliances = 30;
    store.save_floors(&[next.clone()], month()).await.unwrap();
    assert_eq!(
        store.floors(&Actor::hub("test"), &tenant("acme")).await.unwrap(),
        [next]
    );
    assert_eq!(store.floors_in_force().await.unwrap().len(), 2);
}

/// A detector of this appliance has been saved, and tells this.
async fn watch(store: &dyn Store, appliance: ApplianceId, model: &str, state: WatchState, since: Timestamp) {
    let told = Watching {
        since: Some(since),
        model: Some(model.to_owned()),
        ..Watching::nothing(state)
    };
    let commit = ScoringCommit {
        checkpoints: vec![Checkpoint {
            appliance,
            model: model.to_owned(),
            ingest_no: 1,
            state: vec![0, 255, 7],
        }],
        watching: [(appliance, told)].into(),
        ..ScoringCommit::default()
    };
    store.commit_scoring(&commit, morning()).await.unwrap();
}

async fn read(store: &dyn Store, of: &str, since: Timestamp) -> Vec<ApplianceId> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let page = store.wandered(&fleet(of), since, after, 2).await.unwrap();
        assert!(page.of.len() <= 2);
        for one in page.of {
            assert_eq!(
                (one.appliance_model.as_str(), one.state),
                ("washing-machine", vec![0, 255, 7])
            );
            ids.push(one.appliance);
        }
        let Some(last) = page.last else {
            return ids;
        };
        assert!(after.is_none_or(|after| after < last), "it goes on");
        after = Some(last);
    }
}

pub(super) async fn floors_are_learned_from_appliances_that_are_watched_and_sound(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let long_ago = morning() - SignedDuration::from_hours(24 * 40);
    let month_ago = morning() - SignedDuration::from_hours(24 * 30);
    let mut ids = Vec::new();
    for device in ["wm-1", "wm-2", "wm-3", "wm-4"] {
        let id = appliance(&*store, "acme", device).await;
        watch(&*store, id, MODEL, WatchState::Watched, long_ago).await;
        ids.push(id);
    }
    let beta = appliance(&*store, "beta", "wm-1").await;
    watch(&*store, beta, MODEL, WatchState::Watched, long_ago).await;
    ids.sort_unstable();
    assert_eq!(read(&*store, "acme", month_ago).await, ids);
    assert_eq!(read(&*store, "beta", month_ago).await, [beta]);
    let of_dishwashers = Fleet {
        profile: "dishwasher".to_owned(),
        ..fleet("acme")
    };
    let nothing = WanderedPage {
        of: Vec::new(),
        last: None,
    };
    let page = store.wandered(&of_dishwashers, month_ago, None, 9).await.unwrap();
    assert_eq!(page, nothing);

    // For a short time, not now, or by another model.
    watch(&*store, ids[0], MODEL, WatchState::Watched, after(-60)).await;
    watch(&*store, ids[1], MODEL, WatchState::ChannelsMissing, long_ago).await;
    watch(&*store, ids[2], "washing-machine/1", WatchState::Watched, long_ago).await;
    assert_eq!(read(&*store, "acme", month_ago).await, [ids[3]]);
    // A page is of the appliances that were looked at: one of which nothing is given back is full too.
    let page = store.wandered(&fleet("acme"), month_ago, None, 3).await.unwrap();
    let full = WanderedPage {
        last: Some(ids[2]),
        ..nothing
    };
    assert_eq!(page, full);
    let page = store.wandered(&fleet("acme"), month_ago, page.last, 3).await.unwrap();
    assert_eq!((page.of.len(), page.last), (1, None));
    for id in &ids {
        watch(&*store, *id, MODEL, WatchState::Watched, long_ago).await;
    }

    // Something was found, a fault was confirmed, and it was none.
    let raised = ids[..3].iter().map(|id| alarm(*id, "drain_pump_wear", 0.95));
    let opened = store.commit_scoring(&seen(raised.collect()), morning()).await.unwrap();
    assert_eq!(read(&*store, "acme", month_ago).await, [ids[3]]);
    let close = |resolution, verdict| TicketEvent::Closed {
        outcome: Outcome {
            resolution,
            verdict,
            note: String::new(),
            part: None,
        },
    };
    let hub = Actor::hub("test");
    let ends = [
        close(Resolution::FalseAlarm, Verdict::Wrong),
        close(Resolution::ConfirmedDeferred, Verdict::OtherFault),
    ];
    for (change, end) in opened.iter().zip(&ends) {
        let ticket = change.opened.unwrap();
        store.apply_ticket(&hub, ticket, end, after(1)).await.unwrap();
    }
    assert_eq!(read(&*store, "acme", month_ago).await, [ids[0], ids[3]]);
    // Its readings are as before, and it had a fault all the same.
    let clear = Observation::Clear { appliance: ids[1] };
    store.commit_scoring(&seen(vec![clear]), after(2)).await.unwrap();
    assert_eq!(read(&*store, "acme", month_ago).await, [ids[0], ids[3]]);
}
