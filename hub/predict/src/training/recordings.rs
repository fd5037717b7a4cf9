//! Recordings to steps, by the hub's own road. They are read twice: once for what they are like, once for their steps; so no more than
//! one file is in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use hub_core::profile::{ApplianceProfile, Channel};
use jiff::Timestamp;

use super::{TrainingError, VALUES_MAX, Wanted};
use crate::generic::Settings;
use crate::manifest::{Feature, Manifest, Resampling, Role, Running, role};
use crate::steps::Steps;
use crate::table::{Row, quantise_row};
use crate::trial::report::is_watched;
use crate::trial::{self, Fleet, Kind, period_s, quality, span_s};

/// Silence of so many steps is a gap.
const GAP_STEPS: f64 = 3.0;
/// Where idle is left out, silence of this length is.
const GAP_RUNNING_S: f64 = 7.0 * 86_400.0;
/// A step with less than one in so many of the usual rows is left out.
const THIN: f64 = 4.0;
/// A profile's phase is idle below this.
const IDLE_BELOW: f64 = 1.0;
/// A week, which no step is longer than.
const PERIOD_MAX_S: f64 = 7.0 * 86_400.0;

/// What the recordings are like.
#[derive(Debug)]
pub(super) struct Survey {
    /// The files, those with the earliest rows first.
    files: Vec<PathBuf>,
    devices: BTreeSet<String>,
    pub(super) rows: usize,
    /// Usual seconds from row to row.
    interval_s: f64,
    /// Seconds of a step.
    pub(super) period_s: f64,
    running: Option<Running>,
    /// Of all rows those in which appliances run.
    share_running: f64,
    /// What each channel of the profile seems to be in each file that has it.
    kinds: Vec<Vec<Kind>>,
}

/// A device and its steps.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) name: String,
    pub(super) steps: Vec<Taken>,
}

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Taken {
    pub(super) at: Timestamp,
    pub(super) values: Vec<Option<f64>>,
    pub(super) after_gap: bool,
}

impl AsRef<[Option<f64>]> for Taken {
    fn as_ref(&self) -> &[Option<f64>] {
        &self.values
    }
}

pub(super) fn open(path: &Path) -> Result<BufReader<File>, TrainingError> {
    let file = File::open(path).map_err(|source| TrainingError::Open {
        path: path.to_owned(),
        source,
    })?;
    Ok(BufReader::new(file))
}

fn read(path: &Path) -> Result<Fleet, TrainingError> {
    // Of a file without a column for the device, its name is the device's.
    let one = path.file_stem().unwrap_or_default().to_string_lossy();
    trial::read(open(path)?, &one).map_err(|source| TrainingError::Recording {
        path: path.to_owned(),
        source,
    })
}

/// The column of a channel.
fn column(fleet: &Fleet, channel: &Channel) -> Option<usize> {
    fleet
        .columns
        .iter()
        .position(|column| column.heading.name == channel.name)
}

impl Survey {
    pub(super) fn take(wanted: &Wanted<'_>, settings: &Settings) -> Result<Self, TrainingError> {
        let channels = &wanted.profile.channels;
        for name in wanted
            .running
            .into_iter()
            .chain(wanted.conditions.iter().map(String::as_str))
        {
            if wanted.profile.position(name).is_none() {
                return Err(TrainingError::NoChannel(name.to_owned()));
            }
        }
        let phase = channels.iter().find(|channel| role(channel) == Role::Phase);
        let named = wanted
            .running
            .and_then(|name| channels.iter().find(|channel| channel.name == name));
        let teller = named.or(phase);
        let (mut files, mut borders) = (Vec::new(), Vec::new());
        let (mut intervals, mut spans) = (Vec::new(), BTreeMap::<String, f64>::new());
        let (mut rows, mut running_rows) = (0, 0);
        let mut kinds = vec![Vec::new(); channels.len()];
        for path in wanted.files {
            let mut fleet = read(path)?;
            let told = quality(&mut fleet);
            files.push((told.from, path.clone()));
            for device in &told.devices {
                intervals.extend(device.interval_s);
                *spans.entry(device.name.clone()).or_default() += span_s(device).unwrap_or(0.0);
            }
            for (channel, kinds) in channels.iter().zip(&mut kinds) {
                kinds.extend(column(&fleet, channel).map(|column| told.channels[column].kind));
            }
            rows += fleet.devices.iter().map(|device| device.rows.len()).sum::<usize>();
            if named.is_some() {
                let found = trial::Running::find(&fleet, &told, wanted.running);
                let found = found.map_err(|source| TrainingError::Recording {
                    path: path.clone(),
                    source,
                })?;
                borders.extend(found.map(|running| running.from));
            }
            let from = borders.last().copied().unwrap_or(IDLE_BELOW);
            running_rows += running(&fleet, teller, from);
        }
        files.sort();
        let running = teller.map(|channel| Running {
            channel: channel.name.clone(),
            from: median(borders).unwrap_or(IDLE_BELOW),
        });
        let share_running = running_rows as f64 / rows.max(1) as f64;
        let interval_s = median(intervals).unwrap_or(1.0);
        let devices = spans.keys().cloned().collect();
        let span_s = median(spans.into_values().collect()).unwrap_or(0.0) * share_running;
        let period_s = period_s(span_s, interval_s, settings.calibration);
        Ok(Self {
            files: files.into_iter().map(|(_, path)| path).collect(),
            devices,
            rows,
            interval_s,
            period_s: period_s.ceil().clamp(1.0, PERIOD_MAX_S),
            running,
            share_running,
            kinds,
        })
    }

    pub(super) fn has(&self, device: &str) -> bool {
        self.devices.contains(device)
    }

    /// A manifest with all that can be watched, then all that tells a condition, and nothing learned.
    pub(super) fn draft(&self, wanted: &Wanted<'_>, settings: &Settings) -> Result<Draft, TrainingError> {
        let channels = wanted.profile.channels.iter().zip(&self.kinds);
        let (mut features, mut conditions) = (Vec::new(), Vec::new());
        for (channel, kinds) in channels {
            match self.left_out_since(wanted, channel, kinds) {
                None if is_condition(wanted, channel) => conditions.push(Feature::mean_of(channel)),
                None => features.push(Feature::mean_of(channel)),
                Some(_) => {}
            }
        }
        if features.is_empty() {
            return Err(TrainingError::NothingMeasured {
                profile: wanted.profile.name.clone(),
                left_out: self.reasons(wanted).join(", "),
            });
        }
        let measured = features.len();
        features.extend(conditions);
        let gap_s = GAP_STEPS * self.period_s;
        let usual = self.period_s / self.interval_s * self.share_running;
        let resampling = Resampling::Mean {
            period_s: self.period_s,
            row_s: self.interval_s.clamp(0.001, self.period_s),
            gap_s: if self.running.is_some() {
                gap_s.max(GAP_RUNNING_S)
            } else {
                gap_s
            },
            min_rows: ((usual / THIN) as u32).max(1),
            running: self.running.clone(),
        };
        let mut manifest = Manifest::without_network(wanted.profile, resampling, features, settings);
        manifest.family = wanted.family.to_owned();
        manifest.version = wanted.version;
        manifest.evidence.kind = wanted.evidence.unwrap_or_default();
        Ok(Draft { manifest, measured })
    }

    /// Channels that the model does not read, each with the reason.
    pub(super) fn left_out(&self, wanted: &Wanted<'_>, manifest: &Manifest) -> Vec<String> {
        let unused = |channel: &&Channel| {
            let is_read = manifest.features.iter().any(|feature| feature.channel == channel.name);
            !is_read && is_condition(wanted, channel)
        };
        let mut all = self.reasons(wanted);
        let conditions = wanted.profile.channels.iter().filter(unused);
        let conditions: Vec<String> = conditions
            .filter(|channel| !all.iter().any(|said| said.starts_with(&format!("{} (", channel.name))))
            .map(|channel| format!("{} (a condition of which nothing was learned)", channel.name))
            .collect();
        all.extend(conditions);
        all
    }

    fn reasons(&self, wanted: &Wanted<'_>) -> Vec<String> {
        let channels = wanted.profile.channels.iter().zip(&self.kinds);
        let said = |(channel, kinds): (&Channel, &Vec<Kind>)| {
            let why = self.left_out_since(wanted, channel, kinds)?;
            Some(format!("{} ({why})", channel.name))
        };
        channels.filter_map(said).collect()
    }

    /// Why a channel is not read, if it is not.
    fn left_out_since(&self, wanted: &Wanted<'_>, channel: &Channel, kinds: &[Kind]) -> Option<&'static str> {
        let is_condition = is_condition(wanted, channel);
        let of = |is_it: fn(Kind) -> bool| kinds.iter().filter(|kind| is_it(**kind)).count() * 2 > kinds.len();
        let seen = |kind: &&Kind| match kind {
            // By their names, which say the same here.
            Kind::Ambient => is_condition,
            kind => is_watched(**kind, self.period_s),
        };
        match role(channel) {
            _ if kinds.is_empty() => Some("no recording has it"),
            Role::Phase => Some("it tells the phase of a programme"),
            Role::Other if !is_condition => Some("it counts, or names something by a number"),
            _ if is_condition
                && kinds
                    .iter()
                    .all(|kind| matches!(kind, Kind::Empty | Kind::Text | Kind::Constant)) =>
            {
                Some("it is empty, or always the same")
            }
            _ if is_condition => None,
            _ if kinds.iter().filter(seen).count() * 2 >= kinds.len() => None,
            _ if of(|kind| matches!(kind, Kind::Empty | Kind::Text)) => Some("it is empty"),
            _ if of(|kind| matches!(kind, Kind::Constant | Kind::TwoValued)) => Some("it has one value, or two"),
            _ if of(|kind| matches!(kind, Kind::Counter)) => Some("it only grows"),
            _ if of(|kind| matches!(kind, Kind::Daily)) => Some("it follows the time of day"),
            _ => Some("it is no measurement in most recordings"),
        }
    }
}

/// A manifest without what is learned.
pub(super) struct Draft {
    pub(super) manifest: Manifest,
    /// Features that may be watched; conditions follow them.
    pub(super) measured: usize,
}

fn is_condition(wanted: &Wanted<'_>, channel: &Channel) -> bool {
    role(channel) == Role::Condition || wanted.conditions.contains(&channel.name)
}

/// Rows in which devices run; one that does not say is as the one before. All rows where nothing tells.
fn running(fleet: &Fleet, teller: Option<&Channel>, from: f64) -> usize {
    let Some(column) = teller.and_then(|channel| column(fleet, channel)) else {
        return fleet.devices.iter().map(|device| device.rows.len()).sum();
    };
    let of_device = |device: &trial::Device| {
        let mut runs = false;
        let is_running = |row: &&u32| {
            runs = fleet.value(**row, column).map_or(runs, |value| value >= from);
            runs
        };
        device.rows.iter().filter(is_running).count()
    };
    fleet.devices.iter().map(of_device).sum()
}

/// The steps of all devices, by name.
pub(super) fn steps(wanted: &Wanted<'_>, survey: &Survey, draft: &Draft) -> Result<Vec<Device>, TrainingError> {
    let (manifest, profile) = (&draft.manifest, wanted.profile);
    let mut under_way: BTreeMap<String, (Steps<'_>, Vec<Taken>)> = BTreeMap::new();
    let mut values = 0;
    for path in &survey.files {
        let mut fleet = read(path)?;
        quality(&mut fleet);
        let columns: Vec<Option<usize>> = profile.channels.iter().map(|channel| column(&fleet, channel)).collect();
        for device in &fleet.devices {
            let new = || (Steps::new(manifest, profile), Vec::new());
            let (steps, taken) = under_way.entry(device.name.clone()).or_insert_with(new);
            for row in &device.rows {
                let Some(row) = stored(&fleet, profile, &columns, *row) else {
                    continue;
                };
                for step in steps.take(&row, row.at) {
                    values += step.values.len();
                    taken.push(Taken {
                        at: step.at,
                        values: step.values,
                        after_gap: step.after_gap,
                    });
                }
                if values > VALUES_MAX {
                    return Err(TrainingError::TooMuch);
                }
            }
        }
    }
    let device = |(name, (_, steps))| Device { name, steps };
    Ok(under_way.into_iter().map(device).collect())
}

/// A row as the hub would have stored it.
fn stored(fleet: &Fleet, profile: &ApplianceProfile, columns: &[Option<usize>], row: u32) -> Option<Row> {
    let value = |column: &Option<usize>| column.and_then(|column| fleet.value(row, column));
    let values: Vec<Option<f64>> = columns.iter().map(value).collect();
    Some(Row {
        at: Timestamp::from_millisecond(fleet.at(row)).ok()?,
        values: quantise_row(profile, &values),
    })
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied()
}
