//! What healthy devices teach: influence of conditions, floors, thresholds. Each hangs on the others, so floors and thresholds are
//! learned several times over.

use std::collections::BTreeMap;

use hub_core::budget::history::{HighestScore, History, MonthOfScores};
use hub_core::budget::level::{DEVICE_MONTHS_MIN, Thresholds, renew};
use hub_core::budget::{Budgets, Draws, Month};
use hub_core::id::ApplianceId;
use hub_core::profile::ApplianceProfile;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::recordings::{Device, Draft, Taken};
use super::{DEVICES_MIN, Fault, TrainingError};
use crate::generic::{Channel, Influence, Settings, Step, Unit, conditions, fleet_floors};
use crate::manifest::{ConditionRule, Kit, Manifest, Resampling};

/// Floors hang on what is taken for a calibration, which hangs on floors.
const FLOOR_ROUNDS: usize = 3;
/// The normal follows below half of a threshold.
const THRESHOLD_ROUNDS: usize = 3;
/// Days for which a device has to be watched before it teaches a floor.
const WATCHED_DAYS_MIN: f64 = 30.0;
/// Seed of the samples that bound a threshold: the same recordings make the same model.
const SEED: u64 = 1;

/// What was learned.
pub(super) struct Learned {
    pub(super) manifest: Manifest,
    /// The devices, with steps of the manifest's features.
    pub(super) devices: Vec<Device>,
    /// Months of healthy devices behind the thresholds; fewer than 200 give none.
    pub(super) thresholds: u32,
    /// Features whose floor was learned.
    pub(super) floors: usize,
    /// Features that are freed of conditions.
    pub(super) conditions: usize,
}

/// A device as it was watched.
pub(super) struct Watched {
    pub(super) said: Vec<Said>,
    wander: Vec<(usize, f64)>,
    /// The steps at which an alarm stood.
    pub(super) stood: Vec<Stood>,
}

/// A step at which an alarm stood.
pub(super) struct Stood {
    pub(super) at: Timestamp,
    /// The alarm rose with it.
    pub(super) rose: bool,
    /// How far each feature's average had moved, in widths: what an alarm is named by.
    pub(super) moved: Vec<f64>,
}

/// What was said of a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said {
    pub(super) at: Timestamp,
    /// Score that was held for the hold time, by which tickets are opened.
    ticket: f64,
    /// The same by which calls would be made: what creeps is for tickets alone.
    pub(super) call: f64,
    /// An alarm rose.
    pub(super) rose: bool,
}

impl Watched {
    /// Days from the first step that was compared to the last.
    pub(super) fn days(&self) -> f64 {
        let ends = self.said.first().zip(self.said.last());
        ends.map_or(0.0, |(first, last)| {
            last.at.duration_since(first.at).as_secs_f64() / 86_400.0
        })
    }
}

/// Learns from the devices without a fault.
///
/// # Errors
/// No device could be watched.
pub(super) fn learn(
    draft: &mut Draft,
    profile: &ApplianceProfile,
    mut devices: Vec<Device>,
    faults: &BTreeMap<String, Vec<Fault>>,
) -> Result<Learned, TrainingError> {
    let freed = learn_conditions(draft, profile, &mut devices, faults);
    let mut manifest = draft.manifest.clone();
    let healthy: Vec<&Device> = devices.iter().filter(|one| !faults.contains_key(&one.name)).collect();
    let kit = |manifest: &Manifest| {
        // The draft is for a detector without a network.
        let kit = Kit::of(manifest, profile);
        kit.map(|kit| (kit.channels, kit.settings)).unwrap_or_default()
    };
    let (channels, mut settings) = kit(&manifest);
    let shipped = settings.threshold;
    // No device of these has a finding.
    settings.threshold = f64::MAX;
    for _ in 0..FLOOR_ROUNDS {
        let watched = healthy
            .iter()
            .map(|device| watch(&device.steps, &[], &channels, &settings));
        let long = watched.filter(|one| one.days() >= WATCHED_DAYS_MIN);
        let wanders: Vec<_> = long.map(|one| one.wander).collect();
        let floors = fleet_floors(channels.len(), &wanders, DEVICES_MIN);
        settings.fleet_floors = floors
            .into_iter()
            .map(|floor| floor.filter(|f| *f > 0.0 && f.is_finite()))
            .collect();
    }
    settings.threshold = shipped;
    let (mut months, mut call) = (0, None);
    for _ in 0..THRESHOLD_ROUNDS {
        let watched: Vec<Watched> = healthy
            .iter()
            .map(|device| watch(&device.steps, &[], &channels, &settings))
            .collect();
        if watched.iter().all(|one| one.said.is_empty()) {
            let period_s = match manifest.resampling {
                Resampling::Mean { period_s, .. }
                | Resampling::Period { period_s, .. }
                | Resampling::Cycle { period_s, .. } => period_s,
            };
            return Err(TrainingError::NoneWatched {
                devices: healthy.len(),
                period_s,
            });
        }
        let tickets = thresholds(&watched, |said| said.ticket);
        months = tickets.0;
        let Some(tickets) = tickets.1 else { break };
        settings.threshold = tickets.tickets.in_force;
        call = thresholds(&watched, |said| said.call)
            .1
            .and_then(|thresholds| thresholds.calls);
    }
    for (feature, floor) in manifest.features.iter_mut().zip(&settings.fleet_floors) {
        feature.floor = floor.map_or(0.0, rounded);
    }
    let threshold = rounded(settings.threshold);
    manifest.baseline.threshold = threshold;
    if let Some(rule) = &mut manifest.detector {
        rule.call = call.map(|call| rounded(call.in_force).max(threshold));
    }
    Ok(Learned {
        floors: settings.fleet_floors.iter().flatten().count(),
        manifest,
        devices,
        thresholds: months,
        conditions: freed,
    })
}

/// Puts into the draft what conditions do to features, and drops the conditions of which nothing was learned; how many features are freed.
fn learn_conditions(
    draft: &mut Draft,
    profile: &ApplianceProfile,
    devices: &mut [Device],
    faults: &BTreeMap<String, Vec<Fault>>,
) -> usize {
    let channels = crate::manifest::channels(&draft.manifest, profile);
    let healthy = || devices.iter().filter(|one| !faults.contains_key(&one.name));
    let usual = |by: usize| -> Option<(f64, f64)> {
        let steps = healthy().flat_map(|device| &device.steps);
        let mut values: Vec<f64> = steps
            .filter_map(|step| step.values.get(by).copied().flatten())
            .collect();
        values.sort_by(f64::total_cmp);
        let reference = values.get(values.len() / 2).copied()?;
        let squares: f64 = values.iter().map(|value| (value - reference).powi(2)).sum();
        let spread = (squares / values.len() as f64).sqrt();
        (spread > 0.0 && spread.is_finite()).then_some((reference, spread))
    };
    let by: Vec<(usize, (f64, f64))> = (draft.measured..channels.len())
        .filter_map(|by| Some((by, usual(by)?)))
        .collect();
    let influences = (0..draft.measured).flat_map(|channel| {
        let of = by.iter();
        of.map(move |(by, (reference, spread))| Influence {
            channel,
            by: *by,
            reference: *reference,
            spread: *spread,
        })
    });
    let influences: Vec<Influence> = influences.collect();
    let learned = conditions(&channels, &influences, healthy().map(|device| device.steps.as_slice()));
    let name = |place: usize| draft.manifest.features.get(place).map(|feature| feature.name.clone());
    let rules: Vec<ConditionRule> = learned
        .iter()
        .filter_map(|one| {
            Some(ConditionRule {
                feature: name(one.channel)?,
                by: name(one.by)?,
                reference: rounded(one.reference),
                linear: rounded(one.linear),
                square: rounded(one.square),
            })
        })
        .collect();
    let is_used = |place: usize| place < draft.measured || learned.iter().any(|one| one.by == place);
    let kept: Vec<usize> = (0..channels.len()).filter(|place| is_used(*place)).collect();
    for step in devices.iter_mut().flat_map(|device| &mut device.steps) {
        step.values = kept
            .iter()
            .map(|place| step.values.get(*place).copied().flatten())
            .collect();
    }
    let mut freed: Vec<&String> = rules.iter().map(|rule| &rule.feature).collect();
    freed.dedup();
    let freed = freed.len();
    let features = std::mem::take(&mut draft.manifest.features);
    let is_kept = |(place, _): &(usize, crate::manifest::Feature)| kept.contains(place);
    draft.manifest.features = features
        .into_iter()
        .enumerate()
        .filter(is_kept)
        .map(|(_, one)| one)
        .collect();
    if let Some(rule) = &mut draft.manifest.detector {
        rule.conditions = rules;
    }
    freed
}

/// Watches a device's steps; its normal begins again behind each of these times.
pub(super) fn watch(steps: &[Taken], restarts: &[Timestamp], channels: &[Channel], settings: &Settings) -> Watched {
    let mut unit = Unit::new(channels, settings);
    let hold = settings.hold.max(1) as usize;
    let (mut quick, mut slow, mut stands) = (Held::new(hold), Held::new(hold), false);
    let mut restarts = restarts.iter().peekable();
    let (mut said, mut stood) = (Vec::new(), Vec::new());
    for step in steps {
        while restarts.next_if(|at| **at < step.at).is_some() {
            unit.restart(channels, settings);
            (quick, slow, stands) = (Held::new(hold), Held::new(hold), false);
        }
        if step.after_gap {
            // As where it is watched: what was held starts over.
            (quick, slow) = (Held::new(hold), Held::new(hold));
        }
        let told = unit.step(channels, settings, &step.values, step.after_gap, stands);
        if let Step::Watching {
            score,
            slow_score,
            alarm,
            rose,
            slow: by_slow,
            measured: true,
            ..
        } = told
        {
            let call = quick.next(score);
            stands = alarm;
            if alarm {
                stood.push(Stood {
                    at: step.at,
                    rose,
                    moved: unit.moved(channels, settings, by_slow),
                });
            }
            said.push(Said {
                at: step.at,
                ticket: call.max(slow.next(slow_score)),
                call,
                rose,
            });
        }
    }
    Watched {
        wander: unit.wander(channels),
        said,
        stood,
    }
}

/// The lowest of the newest scores, as many as an alarm is held for; 0 until there are so many.
struct Held {
    newest: std::collections::VecDeque<f64>,
    hold: usize,
}

impl Held {
    fn new(hold: usize) -> Self {
        Self {
            newest: std::collections::VecDeque::new(),
            hold,
        }
    }

    fn next(&mut self, score: f64) -> f64 {
        self.newest.push_back(score);
        if self.newest.len() < self.hold {
            return 0.0;
        }
        let lowest = self.newest.iter().copied().fold(f64::INFINITY, f64::min);
        self.newest.pop_front();
        lowest
    }
}

/// The thresholds that a hub would have after these months, with how many there are: of each device those that it was watched in from
/// the first day to the last.
fn thresholds(watched: &[Watched], score: impl Fn(&Said) -> f64) -> (u32, Option<Thresholds>) {
    let mut months: BTreeMap<Month, Vec<HighestScore>> = BTreeMap::new();
    for (number, one) in (0_i64..).zip(watched) {
        let (Some(first), Some(last)) = (one.said.first(), one.said.last()) else {
            continue;
        };
        let whole = month(first.at).plus(1)..month(last.at);
        let mut highest: BTreeMap<Month, f64> = BTreeMap::new();
        for said in one.said.iter().filter(|said| whole.contains(&month(said.at))) {
            let of_month = highest.entry(month(said.at)).or_default();
            *of_month = of_month.max(score(said));
        }
        for (month, highest) in highest {
            months.entry(month).or_default().push(HighestScore {
                appliance: ApplianceId(number),
                score: highest as f32,
            });
        }
    }
    let count = months.values().map(Vec::len).sum::<usize>();
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let Some(next) = months
        .keys()
        .next_back()
        .map(|month| month.plus(1))
        .filter(|_| count >= DEVICE_MONTHS_MIN)
    else {
        return (count, None);
    };
    let mut history = History::default();
    for (month, highest) in months {
        history.record(MonthOfScores::new(month, highest));
    }
    let histories = BTreeMap::from([(String::new(), history)]);
    let mut random = SplitMix(SEED);
    let mut draw = || random.next();
    let mut renewed = renew(
        next,
        Budgets::default(),
        None,
        &histories,
        &BTreeMap::new(),
        &mut Draws(&mut draw),
    );
    (count, renewed.remove(""))
}

fn month(at: Timestamp) -> Month {
    Month::of(at.to_zoned(TimeZone::UTC).date())
}

/// Six significant digits, as the manifest has it.
pub(super) fn rounded(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

/// Steele, Lea and Flood, OOPSLA 2014: enough for samples of devices.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
