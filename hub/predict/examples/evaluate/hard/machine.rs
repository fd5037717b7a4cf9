//! Machines of the hard world, and what their rows say: the features of each run, by the same way that they take in the hub.

use std::path::Path;

use hub_core::profile::ApplianceProfile;
use hub_predict::generic::{Channel, Influence, Told};
use hub_predict::manifest::{Feature, Resampling, Statistic, Transform};
use hub_predict::{Manifest, Row, RunReader, Steps, load_manifest};
use jiff::Timestamp;
use tests_world::hard::{Effect, Effects, Fleet, WashingMachine};

use super::parts::{Parts, parts};

const DAY_S: f64 = 86_400.0;

/// Phases of the profile in which laundry is washed, and spun.
const WASH: i32 = 2;
const SPIN: i32 = 5;

/// What a run says of the conditions under which it worked: name, channel, phase, unit, usual value and spread. They are read from
/// rows, never from what the world knows.
const CONDITIONS: [(&str, &str, i32, &str, f64, f64); 4] = [
    ("wash_level", "water_level_mm", WASH, "mm", 105.0, 12.0),
    ("wash_temperature", "water_temperature_c", WASH, "Cel", 42.0, 15.0),
    ("spin_speed", "drum_speed_rpm", SPIN, "1/min", 900.0, 200.0),
    ("mains", "supply_voltage_v", SPIN, "V", 225.0, 8.0),
];

/// What is read of every machine.
pub struct Kit {
    profile: ApplianceProfile,
    /// The shipped manifest with the conditions as further features.
    manifest: Manifest,
    /// Features that tell of the machine's health; conditions follow them.
    pub features: usize,
    pub channels: Vec<Channel>,
    pub influences: Vec<Influence>,
    /// What named faults are told by.
    pub parts: Parts,
    reader: RunReader,
}

/// One run, as it was known to the hub.
#[derive(Clone)]
pub struct Run {
    /// Day of the record on which it was known.
    pub day: f64,
    pub values: Vec<Option<f64>>,
    /// What it says of single parts.
    pub parts: Vec<Option<f64>>,
    /// Before this run something happened that the hub is told of and that begins a new normal.
    pub afresh: bool,
    /// The same, as the detector of named faults is told; of new firmware as well.
    pub told: Option<Told>,
}

impl Kit {
    pub fn load(models: &Path) -> anyhow::Result<Self> {
        let (mut manifest, family) = load_manifest(&models.join("washing-machine"))?;
        let profile = family.profile;
        let features = manifest.features.len();
        let condition = |(name, channel, phase, unit, ..): &(&str, &str, i32, &str, f64, f64)| Feature {
            name: (*name).into(),
            words: None,
            channel: (*channel).into(),
            unit: (*unit).into(),
            statistic: Statistic::Mean,
            per: None,
            phases: vec![*phase],
            transform: Transform::None,
            floor: 1.0,
            stuck_after: 0,
        };
        manifest.features.extend(CONDITIONS.iter().map(condition));
        let influences = (0..features).flat_map(|channel| {
            let of = CONDITIONS.iter().enumerate();
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
            decimals: decimals(feature, &profile),
        });
        let parts = parts();
        Ok(Self {
            features,
            channels: channels.collect(),
            influences: influences.collect(),
            reader: RunReader::new(&parts.features, &profile, phase(&manifest)),
            parts,
            profile,
            manifest,
        })
    }

    /// Runs of a calibration, as the shipped model has them.
    pub fn calibration(&self) -> u32 {
        self.manifest.baseline.calibration
    }

    /// The shipped manifest with the conditions as further features.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub fn profile(&self) -> &ApplianceProfile {
        &self.profile
    }

    /// The rows of a machine until a day, with the time at which each was received.
    pub fn rows<'a>(
        &self,
        fleet: &Fleet,
        machine: &'a mut WashingMachine,
        until_day: f64,
    ) -> impl Iterator<Item = (Row, Timestamp)> + use<'a> {
        let (start, channels) = (fleet.start, self.profile.channels.len());
        let received = machine.map(move |row| {
            let mut values = vec![None; channels];
            for (id, value) in row.sample.values {
                values[usize::from(id) - 1] = Some(value);
            }
            let at = row.sample.at;
            (Row { at, values }, row.received)
        });
        received.take_while(move |(_, received)| day_of(start, *received) < until_day)
    }

    /// The runs of a machine until a day.
    pub fn runs(&self, fleet: &Fleet, machine: &mut WashingMachine, until_day: f64) -> Vec<Run> {
        let mut steps = Steps::with_figures(&self.manifest, &self.profile, &self.reader);
        let mut told = told(machine);
        let mut reports = told.clone();
        let mut runs = Vec::new();
        for (row, received) in self.rows(fleet, machine, until_day) {
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
fn phase(manifest: &Manifest) -> &str {
    match &manifest.resampling {
        Resampling::Cycle { phase_channel, .. } => phase_channel,
        Resampling::Period { .. } | Resampling::Mean { .. } => "",
    }
}

/// What the hub is told, by day: the machine goes to another household, gets a part, or other firmware.
fn told(machine: &WashingMachine) -> Vec<(f64, Effect)> {
    const TOLD: [Effect; 3] = [Effect::NewOwner, Effect::PartChange, Effect::Firmware];
    let episodes = machine.life().episodes().iter();
    let told = episodes.filter(|one| TOLD.contains(&one.effect) && one.from_day > 0.0);
    let mut told: Vec<_> = told.map(|one| (one.from_day, one.effect)).collect();
    told.sort_by(|a, b| a.0.total_cmp(&b.0));
    told
}

/// A mean over the rows of a run resolves ten times finer than a row.
fn decimals(feature: &Feature, profile: &ApplianceProfile) -> u8 {
    let channel = profile.position(&feature.channel).map(|i| &profile.channels[i]);
    channel.map_or(0, |channel| channel.decimals) + 1
}

pub fn day_of(start: Timestamp, at: Timestamp) -> f64 {
    at.duration_since(start).as_secs_f64() / DAY_S
}

/// Healthy effects of the weeks before a day: those at work, and those of single runs.
pub fn effects_before(machine: &WashingMachine, day: f64) -> Effects {
    const WEEKS: f64 = 28.0;
    let at_work = machine.life().effects_between(day - WEEKS, day);
    let runs = machine.runs().iter();
    let close = runs.filter(|run| (day - WEEKS..=day).contains(&run.day));
    close.fold(at_work, |effects, run| effects.or(run.effects))
}
