//! Machines of the hard world, and what their rows say: the features of each run, by the same way that they take in the hub.

use std::path::Path;

use hub_core::profile::ApplianceProfile;
use hub_predict::generic::{Channel, Influence, Settings};
use hub_predict::manifest::{Feature, Statistic, Transform};
use hub_predict::{Manifest, Row, Steps, load_manifest};
use jiff::Timestamp;
use tests_world::hard::{FaultKind, Fleet, WashingMachine};

use super::unit::{begins_afresh, told_days};

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

/// Faults that the features of a run show; the others move what none of them is made of.
const SHOWN: &[FaultKind] = &[
    FaultKind::DrainPumpWear,
    FaultKind::DrainPumpDebris,
    FaultKind::DrumBearing,
    FaultKind::HeaterScale,
    FaultKind::DoorGasket,
];

/// What is read of every unit of an appliance model.
pub struct Kit {
    /// Name in reports.
    pub appliance: &'static str,
    /// Features that tell of the unit's health; conditions follow them.
    pub features: usize,
    pub channels: Vec<Channel>,
    pub influences: Vec<Influence>,
    /// Settings before a fleet has shown better ones.
    pub settings: Settings,
    /// Faults that an appliance can have, and those of them that the features are made to show.
    pub kinds: &'static [FaultKind],
    pub shown: &'static [FaultKind],
    pub(super) calibration: u32,
    pub(super) source: Source,
}

/// What one step is made of.
pub enum Source {
    /// Runs of a washing machine.
    Runs(Box<Machines>),
    /// Days of a fridge.
    Days,
}

/// The way from rows to runs.
pub struct Machines {
    profile: ApplianceProfile,
    /// The shipped manifest with the conditions as further features.
    manifest: Manifest,
}

/// One step, as it was known to the hub.
pub struct Run {
    /// Day of the record on which it was known.
    pub day: f64,
    pub values: Vec<Option<f64>>,
    /// Before this run something happened that the hub is told of and that begins a new normal.
    pub afresh: bool,
}

impl Kit {
    /// What is read of washing machines: the features of the shipped model.
    pub fn washing_machines(models: &Path) -> anyhow::Result<Self> {
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
        Ok(Self {
            appliance: "washing machine",
            features,
            channels: channels.collect(),
            influences: influences.collect(),
            settings: Settings::of_runs(),
            kinds: FaultKind::WASHING_MACHINE,
            shown: SHOWN,
            calibration: manifest.baseline.calibration,
            source: Source::Runs(Box::new(Machines { profile, manifest })),
        })
    }

    /// Steps of a calibration, as the shipped model has them where there is one.
    pub fn calibration(&self) -> u32 {
        self.calibration
    }
}

impl Machines {
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
        received.take_while(move |(_, received)| day(start, *received) < until_day)
    }

    /// The runs of a machine until a day.
    pub fn runs(&self, fleet: &Fleet, machine: &mut WashingMachine, until_day: f64) -> Vec<Run> {
        let mut steps = Steps::new(&self.manifest, &self.profile);
        let mut told = told_days(machine.life());
        let mut runs = Vec::new();
        for (row, received) in self.rows(fleet, machine, until_day) {
            for step in steps.take(&row, received) {
                let day = day(fleet.start, received);
                runs.push(Run {
                    day,
                    values: step.values,
                    afresh: begins_afresh(&mut told, day),
                });
            }
        }
        runs
    }
}

/// A mean over the rows of a run resolves ten times finer than a row.
fn decimals(feature: &Feature, profile: &ApplianceProfile) -> u8 {
    let channel = profile.position(&feature.channel).map(|i| &profile.channels[i]);
    channel.map_or(0, |channel| channel.decimals) + 1
}

/// Days of the record until a moment.
pub fn day(start: Timestamp, at: Timestamp) -> f64 {
    at.duration_since(start).as_secs_f64() / DAY_S
}
