//! What is read of every unit of the hard world: the features of each step and the figures of its parts, by the same way that they take in
//! the hub.

use hub_core::profile::ApplianceProfile;
use hub_predict::generic::{Channel, Influence, Told};
use hub_predict::manifest::{Feature, Resampling, Statistic, Transform};
use hub_predict::{Manifest, Row, RunReader, Steps};
use jiff::Timestamp;
use tests_world::hard::{self, Effect, Fleet, Life};

use super::parts::Parts;

const DAY_S: f64 = 86_400.0;

/// What is read of every unit of an appliance model.
pub struct Kit {
    profile: ApplianceProfile,
    /// A manifest with the conditions as further features.
    manifest: Manifest,
    /// Features that tell of the unit's health; conditions follow them.
    pub features: usize,
    pub channels: Vec<Channel>,
    pub influences: Vec<Influence>,
    /// What named faults are told by.
    pub parts: Parts,
    reader: RunReader,
}

/// A condition under which a unit works, as a further feature: name, channel, phases, unit, usual value and spread. It is read from rows,
/// never from what the world knows.
pub type ConditionOf = (&'static str, &'static str, &'static [i32], &'static str, f64, f64);

/// One step, a run or a day, as it was known to the hub.
#[derive(Clone)]
pub struct Run {
    /// Day of the record on which it was known.
    pub day: f64,
    pub values: Vec<Option<f64>>,
    /// What it says of single parts.
    pub parts: Vec<Option<f64>>,
    /// Before this step something happened that the hub is told of and that begins a new normal.
    pub afresh: bool,
    /// The same, as the detector of named faults is told; of new firmware as well.
    pub told: Option<Told>,
}

impl Kit {
    /// Features of the manifest, each of which may follow each of the conditions, and the parts.
    pub fn new(mut manifest: Manifest, profile: ApplianceProfile, conditions: &[ConditionOf], parts: Parts) -> Self {
        let features = manifest.features.len();
        let condition = |(name, channel, phases, unit, ..): &ConditionOf| Feature {
            name: (*name).into(),
            words: None,
            channel: (*channel).into(),
            unit: (*unit).into(),
            statistic: Statistic::Mean,
            per: None,
            phases: phases.to_vec(),
            transform: Transform::None,
            floor: 1.0,
            stuck_after: 0,
        };
        manifest.features.extend(conditions.iter().map(condition));
        let influences = (0..features).flat_map(|channel| {
            let of = conditions.iter().enumerate();
            of.map(move |(i, (.., reference, spread))| Influence {
                channel,
                by: features + i,
                reference: *reference,
                spread: *spread,
            })
        });
        let channels = manifest.features.iter().map(|feature| Channel {
            name: feature.name.clone(),
            unit: feature.unit.clone(),
            decimals: decimals(feature, &manifest.resampling, &profile),
        });
        Self {
            features,
            channels: channels.collect(),
            influences: influences.collect(),
            reader: RunReader::new(&parts.features, &profile, phase(&manifest)),
            parts,
            profile,
            manifest,
        }
    }

    /// The manifest with the conditions as further features.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub fn profile(&self) -> &ApplianceProfile {
        &self.profile
    }

    /// The rows of a unit until a day, with the time at which each was received.
    pub fn rows<'a>(
        &self,
        fleet: &Fleet,
        unit: impl Iterator<Item = hard::Row> + 'a,
        until_day: f64,
    ) -> impl Iterator<Item = (Row, Timestamp)> + 'a {
        let (start, channels) = (fleet.start, self.profile.channels.len());
        let received = unit.map(move |row| {
            let mut values = vec![None; channels];
            for (id, value) in row.sample.values {
                values[usize::from(id) - 1] = Some(value);
            }
            let at = row.sample.at;
            (Row { at, values }, row.received)
        });
        received.take_while(move |(_, received)| day_of(start, *received) < until_day)
    }

    /// The steps of a unit until a day, by its rows and what happened in its life.
    pub fn steps(&self, fleet: &Fleet, unit: impl Iterator<Item = hard::Row>, life: &Life, until_day: f64) -> Vec<Run> {
        let mut steps = Steps::with_figures(&self.manifest, &self.profile, &self.reader);
        let mut told = told(life);
        let mut reports = told.clone();
        let mut runs = Vec::new();
        for (row, received) in self.rows(fleet, unit, until_day) {
            for step in steps.take(&row, received) {
                let day = day_of(fleet.start, received);
                let news = told.iter().take_while(|(from, _)| *from <= day).count();
                let news: Vec<Effect> = told.drain(..news).map(|(_, effect)| effect).collect();
                // What a device reports comes in the order of its rows, however late both are.
                let own = day_of(fleet.start, step.at);
                let reported = reports.iter().take_while(|(from, _)| *from <= own).count();
                let reported: Vec<Effect> = reports.drain(..reported).map(|(_, effect)| effect).collect();
                let part = |i: &usize| step.figures.get(*i).copied().flatten();
                runs.push(Run {
                    day,
                    parts: self.parts.told.iter().map(part).collect(),
                    values: step.values,
                    afresh: news.iter().any(|one| *one != Effect::Firmware),
                    told: match reported.contains(&Effect::PartChange) {
                        true => Some(Told::Repaired),
                        false => (!reported.is_empty()).then_some(Told::Changed),
                    },
                });
            }
        }
        runs
    }
}

/// The channel that tells the phase of a run.
fn phase(manifest: &Manifest) -> Option<&str> {
    match &manifest.resampling {
        Resampling::Cycle { phase_channel, .. } => Some(phase_channel),
        Resampling::Period { .. } | Resampling::Mean { .. } => None,
    }
}

/// What the hub is told, by day: the unit goes to another household, gets a part, or other firmware.
fn told(life: &Life) -> Vec<(f64, Effect)> {
    const TOLD: [Effect; 3] = [Effect::NewOwner, Effect::PartChange, Effect::Firmware];
    let episodes = life.episodes().iter();
    let told = episodes.filter(|one| TOLD.contains(&one.effect) && one.from_day > 0.0);
    let mut told: Vec<_> = told.map(|one| (one.from_day, one.effect)).collect();
    told.sort_by(|a, b| a.0.total_cmp(&b.0));
    told
}

/// A mean over the rows of a run resolves ten times finer than a row; that of a period may be of a single one.
fn decimals(feature: &Feature, resampling: &Resampling, profile: &ApplianceProfile) -> u8 {
    let channel = profile.position(&feature.channel).map(|i| &profile.channels[i]);
    let finer = u8::from(matches!(resampling, Resampling::Cycle { .. }));
    channel.map_or(0, |channel| channel.decimals) + finer
}

pub fn day_of(start: Timestamp, at: Timestamp) -> f64 {
    at.duration_since(start).as_secs_f64() / DAY_S
}
