//! Budgets: one that a person has stated, and what a review leaves of it.

use super::{day, tenant};
use hub_core::actor::Actor;
use hub_core::budget::{Budget, Budgets, Month};
use hub_store::budget::BudgetStore;
use hub_store::floors::{Fleet, FleetFloors, FloorStore};
use hub_store_postgres::PostgresStore;

const FAMILY: &str = "washing-machine";

/// Acme accepts two false tickets; a surge has stopped the calls of one appliance model, and its fleet has shown floors.
pub async fn are_stated(store: &PostgresStore) {
    let (acme, kim) = (tenant("acme"), Actor::hub("kim"));
    let budgets = Budgets {
        tickets: Budget::new(2.0).unwrap(),
        calls: Budget::new(0.1).unwrap(),
    };
    let stated = store.state_budget(&kim, &acme, FAMILY, budgets, 0.02, day(40));
    stated.await.unwrap();
    let mut kept = store.ledger(&acme, FAMILY).await.unwrap();
    assert!(kept.ledger.breaker("WM-7").count(20, 0.5, day(41)));
    store.save_ledger(&acme, FAMILY, &kept, &[], day(41)).await.unwrap();
    let learned = FleetFloors {
        fleet: Fleet {
            tenant: acme,
            model: "generic/1".to_owned(),
            profile: FAMILY.to_owned(),
        },
        appliance_model: "WM-7".to_owned(),
        month: Month::at(day(40)),
        floors: [("current_a".to_owned(), 0.08)].into(),
        appliances: 212,
    };
    store.save_floors(&[learned], Month::at(day(0))).await.unwrap();
}
