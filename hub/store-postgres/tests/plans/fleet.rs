//! What workers ask of a fleet while its devices report: budgets of its family, and what its detectors hold.

use crate::load::{DEVICES, FAMILY, Load, MODEL, checkpoint};
use hub_core::watching::{WatchState, Watching};
use hub_store::budget::BudgetStore;
use hub_store::conformance::scene::tenant;
use hub_store::floors::{Fleet, FloorStore, WANDERED_MAX};
use hub_store::prediction::{PredictionStore, ScoringCommit};
use jiff::SignedDuration;

impl Load<'_> {
    /// What workers ask of budgets each minute: breakers count, and a ledger is kept whose levels may be others.
    pub async fn budgets(&self) {
        self.plans.step("budgets", DEVICES);
        let (store, acme) = (self.store, tenant("acme"));
        store.families_scored().await.unwrap();
        store.families_kept().await.unwrap();
        let since = self.now - SignedDuration::from_secs(60);
        let until = self.now + SignedDuration::from_secs(1);
        let opened = store.tickets_opened(&acme, FAMILY, since, until).await.unwrap();
        assert!(!opened.is_empty(), "what the desk has opened");
        let mut kept = store.ledger(&acme, FAMILY).await.unwrap();
        kept.ledger.breaker("WM7").count(1, 0.5, self.now);
        let mut reviewed = serde_json::to_value(&kept.ledger).unwrap();
        reviewed["reviewed_at"] = serde_json::json!(self.now);
        kept.ledger = serde_json::from_value(reviewed).unwrap();
        store.save_ledger(&acme, FAMILY, &kept, &[], self.now).await.unwrap();
    }

    /// Those that report are watched for long, and the others are not: of a page little is given back, of the next one nothing.
    pub async fn floors(&self) {
        self.plans.step("floors", DEVICES);
        let told = Watching {
            since: Some(self.now - SignedDuration::from_hours(24 * 40)),
            model: Some(MODEL.to_owned()),
            ..Watching::nothing(WatchState::Watched)
        };
        let commit = ScoringCommit {
            checkpoints: self.devices.iter().copied().map(checkpoint).collect(),
            watching: self.devices.iter().map(|id| (*id, told.clone())).collect(),
            ..ScoringCommit::default()
        };
        self.store.commit_scoring(&commit, self.now).await.unwrap();
        self.store.floors_in_force().await.unwrap();
        let fleet = Fleet {
            tenant: tenant("acme"),
            model: MODEL.to_owned(),
            profile: FAMILY.to_owned(),
        };
        let since = self.now - SignedDuration::from_hours(24 * 30);
        let first = self.store.wandered(&fleet, since, None, WANDERED_MAX).await.unwrap();
        assert!(!first.of.is_empty(), "some that report have no finding");
        let next = self
            .store
            .wandered(&fleet, since, first.last, WANDERED_MAX)
            .await
            .unwrap();
        assert!(next.of.is_empty() && next.last.is_some(), "a fleet of many pages");
    }
}
