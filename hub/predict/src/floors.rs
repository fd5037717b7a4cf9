//! Floors that the fleets of a hub show: how far appliances wander is read from the states of their detectors, and what follows for
//! a month comes out. Pure; the rule itself is [`crate::generic::fleet_floors`] and [`crate::generic::refreshed_floors`].

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use hub_core::budget::Month;
use hub_core::id::ApplianceId;
use hub_store::floors::{Fleet, FleetFloors, Wandered};
use hub_store::prediction::ScoringSubject;

use crate::detector::Detector;
use crate::generic::{DEVICES_MIN, fleet_floors, refreshed_floors};
use crate::model::Model;

/// Appliances of one appliance model that floors are learned from, at most: a sample of a larger fleet by their ids.
const APPLIANCES_MAX: usize = 2_000;
/// Appliance models of one fleet that floors are learned for, at most: devices say themselves what they are.
const APPLIANCE_MODELS_MAX: usize = 1_000;

/// How far one appliance wanders from what was normal at first, and the floors of the model as it is loaded, without and with the appliance's
/// own drift; by feature as an index.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wander {
    pub(crate) wanders: Vec<(usize, f64)>,
    pub(crate) floors: Vec<(usize, f64)>,
    pub(crate) tolerances: Vec<(usize, f64)>,
}

/// The appliance models of one fleet, as far as they have been read.
pub struct FleetReader {
    fleet: Fleet,
    model: Arc<Model>,
    in_force: BTreeMap<String, FleetFloors>,
    /// By appliance model, and by a number that follows from the appliance.
    read: BTreeMap<String, BTreeMap<u64, Wander>>,
}

impl FleetReader {
    /// A fleet of which nothing has been read, watched by this model; with what is in force of all fleets.
    pub fn new(fleet: Fleet, model: Arc<Model>, in_force: &[FleetFloors]) -> Self {
        let own = in_force.iter().filter(|floors| floors.fleet == fleet);
        Self {
            in_force: own.map(|own| (own.appliance_model.clone(), own.clone())).collect(),
            fleet,
            model,
            read: BTreeMap::new(),
        }
    }

    /// Whether floors of this month are in force for each appliance model of which any are: then nothing is to be done.
    pub fn is_done(&self, month: Month) -> bool {
        !self.in_force.is_empty() && self.in_force.values().all(|own| own.month >= month)
    }

    /// Takes the state of an appliance. One that does not read, or in which nothing is watched, or an alarm stands, is passed over.
    pub fn take(&mut self, wandered: &Wandered) {
        let has_room = self.read.len() < APPLIANCE_MODELS_MAX || self.read.contains_key(&wandered.appliance_model);
        if !has_room {
            return;
        }
        let detector = Detector::restore(&self.model, &wandered.state).ok();
        let Some(wander) = detector.and_then(|detector| detector.wander(&self.model)) else {
            return;
        };
        let read = self.read.entry(wandered.appliance_model.clone()).or_default();
        read.insert(mixed(wandered.appliance), wander);
        if read.len() > APPLIANCES_MAX {
            read.pop_last();
        }
    }

    /// Floors that hold from this month on, of each appliance model that enough appliances have shown and that has none of the month:
    /// 30 make a fleet. They come from those of the month before and move by a fifth at most. At first they come from what is usually
    /// harmless by the model as it is loaded: with a fleet's floor an appliance's own drift does not count any more, so that floors which began
    /// without it would narrow a fleet at once. They do not shrink below the floors of the model as it is loaded.
    pub fn refreshed(self, month: Month) -> Vec<FleetFloors> {
        let features = &self.model.manifest().features;
        let mut all = Vec::new();
        for (appliance_model, read) in self.read {
            let kept = self.in_force.get(&appliance_model);
            if kept.is_some_and(|kept| kept.month >= month) {
                continue;
            }
            let wanders: Vec<_> = read.values().map(|wander| wander.wanders.clone()).collect();
            let shown = fleet_floors(features.len(), &wanders, DEVICES_MIN);
            if shown.iter().all(Option::is_none) {
                continue;
            }
            let known = |name: &str| kept.and_then(|kept| kept.floors.get(name).copied());
            let all_usual = |of: fn(&Wander) -> &[(usize, f64)]| -> Vec<Option<f64>> {
                (0..features.len()).map(|i| usual(i, read.values().map(of))).collect()
            };
            let own = all_usual(|wander| &wander.floors);
            let begun = all_usual(|wander| &wander.tolerances);
            let before = features
                .iter()
                .zip(begun)
                .map(|(feature, begun)| known(&feature.name).or(begun));
            let before: Vec<Option<f64>> = before.collect();
            let refreshed = refreshed_floors(&before, &shown, &own);
            let named = features.iter().zip(refreshed).zip(&shown);
            let floors = named.filter_map(|((feature, floor), shown)| {
                // What no fleet has shown stays the table's.
                let is_learned = shown.is_some() || known(&feature.name).is_some();
                Some((feature.name.clone(), floor.filter(|floor| is_learned && *floor > 0.0)?))
            });
            all.push(FleetFloors {
                fleet: self.fleet.clone(),
                appliance_model,
                month,
                floors: floors.collect(),
                appliances: u32::try_from(read.len()).unwrap_or(u32::MAX),
            });
        }
        all
    }
}

/// The median of what appliances tell of a feature.
fn usual<'a>(feature: usize, told: impl Iterator<Item = &'a [(usize, f64)]>) -> Option<f64> {
    let floors = told.flatten();
    let mut floors: Vec<f64> = floors
        .filter(|(of, _)| *of == feature)
        .map(|(_, floor)| *floor)
        .collect();
    floors.sort_by(f64::total_cmp);
    floors.get(floors.len() / 2).copied()
}

/// A number in no order of ids, the same each time: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
fn mixed(appliance: ApplianceId) -> u64 {
    let state = appliance.0.cast_unsigned().wrapping_add(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// What holds for one appliance: its fleet, and what its device says it is.
type Place = (Fleet, String);

/// Models by the floors in force: one for each appliance model of a fleet, made when it is first asked for.
#[derive(Default)]
pub(crate) struct Floors {
    in_force: HashMap<Place, BTreeMap<String, f64>>,
    models: HashMap<Place, Arc<Model>>,
}

impl Floors {
    pub(crate) fn new(in_force: &[FleetFloors]) -> Self {
        let places = in_force.iter();
        let places = places.map(|own| ((own.fleet.clone(), own.appliance_model.clone()), own.floors.clone()));
        Self {
            in_force: places.collect(),
            models: HashMap::new(),
        }
    }

    /// The model by which this appliance is judged: with its fleet's floors, or as it is.
    pub(crate) fn of(&mut self, model: &Arc<Model>, subject: &ScoringSubject) -> Arc<Model> {
        let fleet = Fleet {
            tenant: subject.tenant.clone(),
            model: model.version().to_owned(),
            profile: subject.profile.clone(),
        };
        let place = (fleet, subject.appliance_model.clone());
        let Some(floors) = self.in_force.get(&place) else {
            return model.clone();
        };
        let with_floors = || model.with_floors(floors).map_or_else(|| model.clone(), Arc::new);
        self.models.entry(place).or_insert_with(with_floors).clone()
    }
}
