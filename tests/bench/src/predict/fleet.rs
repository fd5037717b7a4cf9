//! A simulated hour of fleets under family `generic`: a sample of eight channels a minute, a step every 15. Counted is what a
//! detector costs from the stored integers on; what the store and the ingest before it cost, other benchmarks say.

use super::{Plan, noise, processor};
use crate::bar::{Bars, median};
use anyhow::{Result, ensure};
use hub_core::profile;
use hub_predict::generic::{Channel, Settings, Step, Unit};
use std::time::Duration;
use tests_hub::processes::resident_memory;

const CHANNELS: usize = 8;
const MINUTES: usize = 60;
const STEP_MINUTES: u32 = 15;
/// Appliances whose samples are made in one go, before they are given to detectors.
const CHUNK: usize = 10_000;

/// Percent of a processor for the smaller fleet.
const CORE_PERCENT_MAX: f64 = 5.0;
/// What an appliance costs in the larger fleet, of what it does in the smaller one.
const GROWTH_MAX: f64 = 1.3;
/// Bytes in memory of an appliance that is watched.
const BYTES_MAX: f64 = 1_024.0;

/// Unit, decimals and normal value of each channel.
const NORMAL: [(&str, u8, f64); CHANNELS] = [
    ("Cel", 2, 4.5),
    ("Cel", 2, 38.0),
    ("A", 3, 1.2),
    ("W", 1, 80.0),
    ("V", 1, 230.0),
    ("bar", 2, 6.2),
    ("1/min", 0, 2_900.0),
    ("m/s2", 3, 0.8),
];

/// An appliance: what is under way of its step, and its detector.
struct Appliance {
    unit: Unit,
    sums: [f64; CHANNELS],
    rows: u32,
}

/// What all appliances of a family share.
struct Family {
    stored: Vec<profile::Channel>,
    channels: Vec<Channel>,
    settings: Settings,
}

/// A fleet whose normal is learned.
struct Fleet {
    appliances: Vec<Appliance>,
    /// Hours that have passed.
    hours: usize,
    bytes_each: f64,
}

/// Stored integers of one sample.
type Sample = [i32; CHANNELS];

pub(super) fn measure(plan: Plan, bars: &mut Bars) -> Result<()> {
    let family = Family::new();
    let counts = [plan.appliances, plan.many];
    let mut fleets = Vec::new();
    for count in counts {
        fleets.push(Fleet::calibrated(&family, count)?);
    }
    let mut seconds = counts.map(|_| Vec::new());
    for _ in 0..plan.rounds {
        for (fleet, seconds) in fleets.iter_mut().zip(&mut seconds) {
            seconds.push(fleet.hour(&family)?.as_secs_f64());
        }
    }
    let seconds = seconds.map(median);
    for ((count, seconds), fleet) in counts.into_iter().zip(seconds).zip(&fleets) {
        println!(
            "generic, {count} appliances, a sample of {CHANNELS} channels a minute, a step every {STEP_MINUTES}: {seconds:.2} s \
             of a processor an hour ({:.2} %), {:.0} bytes each",
            percent(seconds),
            fleet.bytes_each
        );
    }
    let each = |at: usize| seconds[at] / counts[at] as f64;
    bars.at_most("generic_percent_of_a_core", percent(seconds[0]), CORE_PERCENT_MAX);
    bars.at_most("generic_cost_of_one_in_many", each(1) / each(0), GROWTH_MAX);
    let bytes = fleets.iter().map(|fleet| fleet.bytes_each).fold(0.0, f64::max);
    bars.at_most("generic_bytes_a_watched_appliance", bytes, BYTES_MAX);
    Ok(())
}

/// Of a processor's hour.
fn percent(seconds: f64) -> f64 {
    100.0 * seconds / 3_600.0
}

impl Family {
    fn new() -> Self {
        let names = (1..).map(|id: u8| (id, format!("channel_{id}")));
        let channel = |((id, name), (unit, decimals, normal)): ((u8, String), (&str, u8, f64))| profile::Channel {
            id,
            name,
            unit: unit.to_owned(),
            decimals,
            min: 0.0,
            max: 10.0 * normal,
        };
        let stored: Vec<profile::Channel> = names.zip(NORMAL).map(channel).collect();
        let watched = |channel: &profile::Channel| Channel {
            name: channel.name.clone(),
            unit: channel.unit.clone(),
            decimals: channel.decimals,
        };
        Self {
            channels: stored.iter().map(watched).collect(),
            settings: Settings::default(),
            stored,
        }
    }

    /// A sample in the channels' units.
    fn values(&self, sample: &Sample) -> Vec<Option<f64>> {
        let pairs = self.stored.iter().zip(sample);
        pairs.map(|(channel, stored)| Some(channel.value(*stored))).collect()
    }

    /// What this appliance measures in a minute of its life: its own normal, and a noise of one in a hundred.
    fn sample(&self, appliance: usize, minute: usize) -> Sample {
        let mut sample = [0; CHANNELS];
        for (n, (stored, (channel, (_, _, normal)))) in
            (0_u64..).zip(sample.iter_mut().zip(self.stored.iter().zip(NORMAL)))
        {
            let own = 1.0 + 0.2 * noise(appliance as u64 * 16 + n);
            let now = 1.0 + 0.02 * noise(((appliance as u64) << 24) + (minute as u64) * 16 + n);
            *stored = channel.quantise(normal * own * now).unwrap_or(0);
        }
        sample
    }
}

impl Appliance {
    /// Takes a sample as it is stored, and gives what the step said that it completes.
    fn take(&mut self, family: &Family, sample: &Sample) -> Option<Step> {
        for ((sum, stored), channel) in self.sums.iter_mut().zip(sample).zip(&family.stored) {
            *sum += channel.value(*stored);
        }
        self.rows += 1;
        if self.rows < STEP_MINUTES {
            return None;
        }
        let values = self.sums.map(|sum| Some(sum / f64::from(self.rows)));
        (self.sums, self.rows) = ([0.0; CHANNELS], 0);
        Some(
            self.unit
                .step(&family.channels, &family.settings, &values, false, false),
        )
    }
}

impl Fleet {
    /// One appliance after the other, so that what one needs while it is calibrated is the next one's again.
    fn calibrated(family: &Family, count: usize) -> Result<Self> {
        let process = std::process::id();
        let before = resident_memory(process)?;
        let mut appliances = Vec::with_capacity(count);
        for number in 0..count {
            let mut appliance = Appliance {
                unit: Unit::new(&family.channels, &family.settings),
                sums: [0.0; CHANNELS],
                rows: 0,
            };
            let mut minutes = 0..10 * MINUTES;
            // Nothing of this is counted: one sample stands for a step.
            let watched = minutes.any(|minute| {
                let step = appliance.unit.step(
                    &family.channels,
                    &family.settings,
                    &family.values(&family.sample(number, minute)),
                    false,
                    false,
                );
                matches!(step, Step::Watching { .. })
            });
            ensure!(
                watched,
                "appliance {number} is not watched after {} steps",
                10 * MINUTES
            );
            appliances.push(appliance);
        }
        let taken = resident_memory(process)?.saturating_sub(before);
        Ok(Self {
            appliances,
            hours: 1,
            bytes_each: taken as f64 / count as f64,
        })
    }

    /// The next hour; what it costs.
    fn hour(&mut self, family: &Family) -> Result<Duration> {
        let mut spent = Duration::ZERO;
        let (mut steps, mut watched, mut alarms) = (0, 0, 0);
        let mut samples: Vec<Sample> = Vec::with_capacity(CHUNK);
        for minute in (0..MINUTES).map(|minute| self.hours * 1_000 + minute) {
            for (chunk, first) in self.appliances.chunks_mut(CHUNK).zip((0..).step_by(CHUNK)) {
                samples.clear();
                samples.extend((first..).take(chunk.len()).map(|number| family.sample(number, minute)));
                let begun = processor()?;
                for (appliance, sample) in chunk.iter_mut().zip(&samples) {
                    let Some(step) = appliance.take(family, sample) else {
                        continue;
                    };
                    steps += 1;
                    if let Step::Watching { alarm, .. } = step {
                        watched += 1;
                        alarms += usize::from(alarm);
                    }
                }
                spent += processor()? - begun;
            }
        }
        self.hours += 1;
        let expected = self.appliances.len() * MINUTES / STEP_MINUTES as usize;
        ensure!(
            (steps, watched) == (expected, expected),
            "{steps} steps, {watched} of them watched, not {expected}"
        );
        ensure!(alarms == 0, "{alarms} steps of sound appliances stand in an alarm");
        Ok(spent)
    }
}
