//! Floors that a fleet shows, and detectors that judge by them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use hub_core::budget::Month;
use hub_core::id::{ApplianceId, TenantId};
use hub_core::situation::Observation;
use hub_core::watching::WatchState;
use hub_predict::generic::MOVES_MAX;
use hub_predict::{FleetReader, Model, Registry, Row, Watch, stored};
use hub_store::floors::{Fleet, FleetFloors, Wandered};
use hub_store::prediction::{Checkpoint, ScoringSubject};
use jiff::civil::date;

use crate::boiler::{A_DAY, models_dir, rows};
use crate::untrained::{UNIT, judged};

/// Family `generic` for boilers, of which nobody has made a model.
fn untrained() -> (tempfile::TempDir, Arc<Registry>, Arc<Model>) {
    let directory = models_dir();
    let registry = Arc::new(Registry::load(directory.path()).unwrap());
    let model = registry.of(None, "boiler").unwrap().clone();
    (directory, registry, model)
}

fn fleet(tenant: &str) -> Fleet {
    Fleet {
        tenant: TenantId::new(tenant).unwrap(),
        model: "generic/1".to_owned(),
        profile: "boiler".to_owned(),
    }
}

fn month() -> Month {
    Month::of(date(2026, 11, 1))
}

/// What detectors hold of sound boilers after 130 days.
fn states(model: &Arc<Model>, appliance_model: &str, numbers: std::ops::RangeInclusive<u32>) -> Vec<Wandered> {
    states_of(model, appliance_model, numbers, |number| rows(number, 130, None))
}

fn states_of(
    model: &Arc<Model>,
    appliance_model: &str,
    numbers: std::ops::RangeInclusive<u32>,
    rows: impl Fn(u32) -> Vec<Row>,
) -> Vec<Wandered> {
    let wandered = |number| Wandered {
        appliance: ApplianceId(i64::from(number)),
        appliance_model: appliance_model.to_owned(),
        state: judged(
            model,
            stored(UNIT, model.profile(), 1, &rows(number)),
            &[(usize::MAX, false)],
        )
        .1,
    };
    numbers.map(wandered).collect()
}

fn refreshed(model: &Arc<Model>, in_force: &[FleetFloors], read: &[Wandered], month: Month) -> Vec<FleetFloors> {
    let mut reader = FleetReader::new(fleet("acme"), model.clone(), in_force);
    read.iter().for_each(|one| reader.take(one));
    reader.refreshed(month)
}

#[test]
fn thirty_of_one_appliance_model_show_floors_and_each_month_moves_them_by_a_fifth() {
    let (_directory, _, model) = untrained();
    let mut read = states(&model, "B7", 1..=30);
    read.extend(states(&model, "B8", 31..=59));
    read.push(Wandered {
        state: b"no state".to_vec(),
        ..read[0].clone()
    });
    let first = refreshed(&model, &[], &read, month());
    assert_eq!(first.len(), 1, "29 are no fleet");
    assert_eq!((first[0].appliance_model.as_str(), first[0].appliances), ("B7", 30));
    // A tenth by the table, and far less in these boilers: no floor goes below the model's own.
    let pump = |floors: &[FleetFloors]| floors[0].floors["pump_current_a"];
    assert!((pump(&first) - 0.1).abs() < 1e-9, "{first:?}");

    assert!(refreshed(&model, &first, &read, month()).is_empty(), "once a month");
    // Of a fleet that wandered more once: floors go towards what is shown.
    let mut wide = first.clone();
    wide[0].floors.insert("pump_current_a".to_owned(), 1.0);
    let second = refreshed(&model, &wide, &read, month().plus(1));
    assert!((pump(&second) - (1.0 - MOVES_MAX)).abs() < 1e-9, "{second:?}");
    assert!(FleetReader::new(fleet("acme"), model.clone(), &second).is_done(month().plus(1)));
    assert!(!FleetReader::new(fleet("beta"), model, &second).is_done(month().plus(1)));
}

/// With a floor of its fleet an appliance's own drift does not count any more.
#[test]
fn first_floors_begin_where_the_drift_of_appliances_ends_and_come_down_by_a_fifth_a_month() {
    let (_directory, _, model) = untrained();
    // Pumps whose current goes up and down by 6 % while they are calibrated, and is steady since.
    let drifting = |number| {
        let mut rows = rows(number, 130, None);
        for (place, row) in rows.iter_mut().take(40 * A_DAY as usize).enumerate() {
            let turns = place as f64 / (40 * A_DAY) as f64;
            let drifted = (0.06 * (std::f64::consts::TAU * turns).sin()).exp();
            row.values[3] = row.values[3].map(|current| current * drifted);
        }
        rows
    };
    let read = states_of(&model, "B7", 1..=30, drifting);
    let pump = |floors: &[FleetFloors]| floors[0].floors["pump_current_a"];
    let mut floors = refreshed(&model, &[], &read, month());
    // A tenth by the table, with some drift some 0.18; the fleet shows far less.
    assert!((0.13..0.16).contains(&pump(&floors)), "{floors:?}");
    for later in 1..6 {
        let next = refreshed(&model, &floors, &read, month().plus(later));
        let expected = ((1.0 - MOVES_MAX) * pump(&floors)).max(0.1);
        assert!((pump(&next) - expected).abs() < 1e-9, "{next:?}");
        floors = next;
    }
    assert!(
        (pump(&floors) - 0.1).abs() < 1e-9,
        "and no further than the model's own"
    );
}

/// What is said of a boiler from row 280 on, whose pump wears from day 85 on, by a hub that has such floors.
fn hears(registry: &Arc<Registry>, model: &Arc<Model>, in_force: &[FleetFloors]) -> Vec<Observation> {
    let rows = stored(UNIT, model.profile(), 1, &rows(5, 130, Some(85)));
    let (before, since) = rows.split_at(280);
    let (_, state) = judged(model, before.to_vec(), &[(usize::MAX, false)]);
    let mut watch = Watch::new(registry.clone(), &[], Arc::new(())).with_floors(in_force);
    watch.admit(&ScoringSubject {
        appliance: UNIT,
        tenant: TenantId::new("acme").unwrap(),
        profile: "boiler".to_owned(),
        appliance_model: "B7".to_owned(),
        model: None,
        checkpoints: vec![Checkpoint {
            appliance: UNIT,
            model: "generic/1".to_owned(),
            ingest_no: 280,
            state: state.clone(),
        }],
        fresh_after: 0,
    });
    assert_eq!(watch.state(UNIT), Some(state), "other floors change no state");
    assert_eq!(watch.states()[&WatchState::Watched], 1, "nothing is learned again");
    watch.score(since.to_vec(), Instant::now()).commit.observations
}

#[test]
fn floors_of_its_own_fleet_apply_at_once_and_reset_nothing() {
    let (_directory, registry, model) = untrained();
    let names = model.manifest().features.iter().map(|feature| feature.name.clone());
    let wide: BTreeMap<String, f64> = names.map(|name| (name, 1_000.0)).collect();
    let floors = |tenant: &str, appliance_model: &str| FleetFloors {
        fleet: fleet(tenant),
        appliance_model: appliance_model.to_owned(),
        month: month(),
        floors: wide.clone(),
        appliances: 212,
    };
    let alarms = |in_force: &[FleetFloors]| {
        let said = hears(&registry, &model, in_force);
        said.iter().any(|said| matches!(said, Observation::Alarm { .. }))
    };
    assert!(alarms(&[]));
    assert!(!alarms(&[floors("acme", "B7")]));
    // Neither another tenant's nor another appliance model's.
    assert!(alarms(&[floors("beta", "B7"), floors("acme", "B8")]));
}
