//! Rows of a device to steps, and which devices and channels can be watched.

use super::fleet::{Device, Fleet};
use super::median;
use super::quality::LEAP_MS;
use super::report::{DeviceQuality, DeviceReport, Lack, Lacking, Quality, Watch, is_watched, time_of};
use super::running::Running;
use super::services::Visit;
use super::watcher::Watcher;
use crate::generic::{Channel, Settings};

/// Lengths of a step in seconds: parts of an hour, of a day, and a day, so that its edges are those of a clock.
const PERIODS_S: [u32; 21] = [
    1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1_200, 1_800, 3_600, 7_200, 10_800, 14_400, 21_600, 43_200, 86_400,
];
/// The calibration fills a quarter of the recording.
const CALIBRATIONS: f64 = 4.0;
/// A device whose readings are further apart than so many steps is in a gap all the time.
const GAP_STEPS: i64 = 3;
/// A step with less than one in so many of the usual rows is left out.
const THIN: usize = 4;
/// Where idle is left out, silence of this length is a gap.
const GAP_RUNNING_MS: i64 = 7 * 24 * 3_600_000;
/// Silence counts as watched for so long.
const SILENCE_MS: i64 = 7 * 24 * 3_600_000;
/// Widths of noise below which what is normal lies around zero.
const AROUND_ZERO: f64 = 3.0;

/// How all devices of a fleet are judged.
pub(crate) struct Plan<'f> {
    pub(crate) fleet: &'f Fleet,
    pub(crate) running: Option<Running>,
    pub(crate) settings: Settings,
    /// Length of a step.
    pub(crate) period_ms: i64,
    /// Usual time between rows.
    pub(crate) interval_s: f64,
    /// The channels that are watched, as columns.
    columns: Vec<usize>,
}

/// The mean of one period.
pub(crate) struct Block {
    /// Time of its first row.
    pub(crate) from: i64,
    /// Time of its last row.
    pub(crate) at: i64,
    pub(crate) values: Vec<Option<f64>>,
    pub(crate) after_gap: bool,
}

impl<'f> Plan<'f> {
    pub(crate) fn new(fleet: &'f Fleet, quality: &Quality, running: Option<Running>, settings: Settings) -> Self {
        let interval_s = median(quality.devices.iter().filter_map(|device| device.interval_s)).unwrap_or(1.0);
        let spans = quality.devices.iter().filter_map(span_s);
        let all: usize = fleet.devices.iter().map(|device| device.rows.len()).sum();
        let running_rows = |running: Running| {
            let rows = fleet.devices.iter().map(|device| running.rows(fleet, device).len());
            rows.sum::<usize>() as f64 / all.max(1) as f64
        };
        let span_s = median(spans).unwrap_or(0.0) * running.map_or(1.0, running_rows);
        let period_s = period_s(span_s, interval_s, settings.calibration);
        let kinds = quality.channels.iter().enumerate();
        let columns = kinds
            .filter(|(_, channel)| is_watched(channel.kind, period_s))
            .map(|(column, _)| column);
        Self {
            fleet,
            running,
            settings,
            // Rows may be less than a millisecond apart.
            period_ms: ((period_s * 1_000.0).round() as i64).max(1),
            interval_s,
            columns: columns.collect(),
        }
    }

    pub(crate) fn period_s(&self) -> f64 {
        self.period_ms as f64 / 1_000.0
    }

    /// Silence of this length is watched.
    pub(crate) fn silence_ms(&self) -> i64 {
        SILENCE_MS.max(GAP_STEPS * self.period_ms)
    }

    /// Judges a device that was serviced at these times.
    pub(crate) fn judge(&self, device: &Device, quality: &DeviceQuality, services: &[Visit]) -> DeviceReport {
        let (all, thin_steps) = self.blocks(device);
        let mut report = DeviceReport {
            name: device.name.clone(),
            watch: Watch::NoChannel,
            lacking: Vec::new(),
            steps: u32::try_from(all.len()).unwrap_or(u32::MAX),
            thin_steps,
            to: end(&all).map(time_of),
            watched_from: None,
            watched_days: 0.0,
            compared: Vec::new(),
            baselines: Vec::new(),
            highest: None,
            openings: Vec::new(),
            plot: None,
        };
        let mut columns = Vec::new();
        for (place, column) in self.columns.iter().enumerate() {
            match self.lack(&all, place, *column) {
                None => columns.push((place, *column)),
                Some(why) => report.lacking.push(Lacking {
                    channel: self.fleet.columns[*column].heading.name.clone(),
                    why,
                }),
            }
        }
        let need = self.settings.calibration;
        let too_seldom = quality
            .interval_s
            .filter(|every| every * 1_000.0 > (GAP_STEPS * self.period_ms) as f64);
        if let Some(every_s) = too_seldom {
            let every_s = every_s.round() as u64;
            report.watch = Watch::TooSeldom { every_s };
        } else if report.steps <= need {
            report.watch = Watch::TooFewSteps {
                have: report.steps,
                // One more, that is compared.
                need: need + 1,
            };
        } else if !columns.is_empty() {
            self.watch(columns, &all, services, &mut report);
        }
        report
    }

    /// Watches a device. A channel with which no normal can be learned is left out, as long as half of the channels stay.
    fn watch(&self, mut columns: Vec<(usize, usize)>, all: &[Block], services: &[Visit], report: &mut DeviceReport) {
        let least = columns.len().div_ceil(2);
        loop {
            Watcher::new(self, &columns).watch(all, services, report);
            let Watch::SeveralStates { channel } = &report.watch else {
                return;
            };
            if columns.len() == least {
                return;
            }
            columns.retain(|(_, column)| self.fleet.columns[*column].heading.name != *channel);
            report.lacking.push(Lacking {
                channel: channel.clone(),
                why: Lack::SeveralStates,
            });
        }
    }

    /// A device's steps, and how many were left out because most of their rows are missing.
    fn blocks(&self, device: &Device) -> (Vec<Block>, u32) {
        let fleet = self.fleet;
        let (groups, gap_ms): (Vec<Vec<u32>>, i64) = match &self.running {
            None => {
                let period = |row: u32| fleet.at(row).div_euclid(self.period_ms);
                let groups = device.rows.chunk_by(|one, next| period(*one) == period(*next));
                (groups.map(<[u32]>::to_vec).collect(), GAP_STEPS * self.period_ms)
            }
            Some(running) => {
                let rows = ((self.period_s() / self.interval_s).round() as usize).max(1);
                let groups = running.rows(fleet, device);
                let groups = groups.chunks(rows).map(<[u32]>::to_vec);
                (groups.collect(), GAP_RUNNING_MS.max(GAP_STEPS * self.period_ms))
            }
        };
        let usual = median(groups.iter().map(|rows| rows.len() as f64)).unwrap_or(0.0) as usize;
        let all = groups.len();
        let mut before: Option<i64> = None;
        let mut blocks = Vec::new();
        for rows in groups.into_iter().filter(|rows| rows.len() * THIN >= usual) {
            let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
                continue;
            };
            let since = before.map_or(0, |before| fleet.at(*first) - before);
            before = Some(fleet.at(*last));
            blocks.push(Block {
                from: fleet.at(*first),
                at: fleet.at(*last),
                values: self.columns.iter().map(|column| mean(fleet, &rows, *column)).collect(),
                after_gap: since > gap_ms,
            });
        }
        let thin = u32::try_from(all - blocks.len()).unwrap_or(u32::MAX);
        (blocks, thin)
    }

    /// Why a device cannot be watched by a channel.
    fn lack(&self, blocks: &[Block], place: usize, column: usize) -> Option<Lack> {
        let values = || blocks.iter().filter_map(|block| block.values[place]);
        if values().count() * 2 <= blocks.len() {
            return Some(Lack::Missing);
        }
        let first = values().next()?;
        if values().all(|value| value == first) {
            return Some(Lack::Stuck);
        }
        let is_known = super::heading::senml(&self.fleet.columns[column].heading).is_some();
        let learned: Vec<f64> = values().take(self.settings.calibration as usize).collect();
        (!is_known && is_around_zero(&learned)).then_some(Lack::AroundZero)
    }

    pub(crate) fn channel(&self, column: usize) -> Channel {
        let column = &self.fleet.columns[column];
        let unit = super::heading::senml(&column.heading).unwrap_or(&column.heading.unit);
        Channel {
            name: column.heading.name.clone(),
            unit: unit.to_owned(),
            decimals: column.decimals,
        }
    }
}

/// Length of a step in seconds, where recordings cover so many and rows are usually so far apart: the largest round one of which four
/// calibrations fit into a recording.
pub(crate) fn period_s(span_s: f64, interval_s: f64, calibration: u32) -> f64 {
    let longest = span_s / (CALIBRATIONS * f64::from(calibration));
    let round = PERIODS_S.into_iter().map(f64::from);
    round
        .take_while(|period| *period <= longest)
        .last()
        .unwrap_or(0.0)
        .max(interval_s)
}

/// Seconds that a device's recording covers. A gap that is most of it is none of it: a wrong year in one row, say.
pub(crate) fn span_s(device: &DeviceQuality) -> Option<f64> {
    let span_s = device.to?.duration_since(device.from?).as_secs_f64();
    let gap_s = device.longest_gap_s.filter(|gap| gap * 2.0 > span_s);
    Some(span_s - gap_s.unwrap_or(0.0))
}

fn mean(fleet: &Fleet, rows: &[u32], column: usize) -> Option<f64> {
    let values = || rows.iter().filter_map(|row| fleet.value(*row, column));
    let count = values().count();
    (count > 0).then(|| values().sum::<f64>() / count as f64)
}

/// A share of what is normal is nothing there.
fn is_around_zero(values: &[f64]) -> bool {
    let count = values.len() as f64;
    let centre = values.iter().sum::<f64>() / count;
    let differences = values.windows(2).map(|pair| (pair[1] - pair[0]).powi(2));
    let noise = (differences.sum::<f64>() / (2.0 * (count - 1.0).max(1.0))).sqrt();
    centre.abs() < AROUND_ZERO * noise
}

/// End of a recording: of its longest part without a leap, since a wrong year in one row is no end.
fn end(blocks: &[Block]) -> Option<i64> {
    let parts = blocks.chunk_by(|one, next| next.at - one.at <= LEAP_MS);
    parts.max_by_key(|part| part.len())?.last().map(|block| block.at)
}
