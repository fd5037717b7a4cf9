//! Rows of a device to steps, steps to the detector, and what it says of them to what would have been opened.

use super::fleet::{Device, Fleet};
use super::median;
use super::plot;
use super::report::{
    Baseline, DeviceQuality, DeviceReport, Highest, Lack, Lacking, Moved, Opening, Quality, Watch, days, is_watched,
    rounded, time_of,
};
use super::running::Running;
use crate::generic::{Channel, ChannelBaseline, Settings, Step, Unit};

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
/// The channels that moved most.
const TOP: usize = 3;

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
    pub(crate) at: i64,
    pub(crate) values: Vec<Option<f64>>,
    after_gap: bool,
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
        let longest = span_s / (CALIBRATIONS * f64::from(settings.calibration));
        let round = PERIODS_S
            .into_iter()
            .map(f64::from)
            .take_while(|period| *period <= longest)
            .last();
        let period_s = round.unwrap_or(0.0).max(interval_s);
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

    /// Judges a device that was serviced at these times.
    pub(crate) fn judge(&self, device: &Device, quality: &DeviceQuality, services: &[i64]) -> DeviceReport {
        let (all, thin_steps) = self.blocks(device);
        let mut report = DeviceReport {
            name: device.name.clone(),
            watch: Watch::NoChannel,
            lacking: Vec::new(),
            steps: u32::try_from(all.len()).unwrap_or(u32::MAX),
            thin_steps,
            to: all.last().map(|block| time_of(block.at)),
            watched_from: None,
            watched_days: 0.0,
            baselines: Vec::new(),
            highest: None,
            openings: Vec::new(),
            plot: None,
        };
        let mut columns = Vec::new();
        for (place, column) in self.columns.iter().enumerate() {
            match lack(&all, place) {
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
                need,
            };
        } else if !columns.is_empty() {
            self.watch(columns, &all, services, &mut report);
        }
        report
    }

    /// Watches a device. A channel with which no normal can be learned is left out, as long as half of the channels stay.
    fn watch(&self, mut columns: Vec<(usize, usize)>, all: &[Block], services: &[i64], report: &mut DeviceReport) {
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
                at: fleet.at(*last),
                values: self.columns.iter().map(|column| mean(fleet, &rows, *column)).collect(),
                after_gap: since > gap_ms,
            });
        }
        let thin = u32::try_from(all - blocks.len()).unwrap_or(u32::MAX);
        (blocks, thin)
    }

    fn channel(&self, column: usize) -> Channel {
        let column = &self.fleet.columns[column];
        let unit = super::heading::senml(&column.heading.unit).unwrap_or(&column.heading.unit);
        Channel {
            name: column.heading.name.clone(),
            unit: unit.to_owned(),
            decimals: column.decimals,
        }
    }
}

/// Seconds that a device's recording covers. A gap that is most of it is none of it: a wrong year in one row, say.
fn span_s(device: &DeviceQuality) -> Option<f64> {
    let span_s = device.to?.duration_since(device.from?).as_secs_f64();
    let gap_s = device.longest_gap_s.filter(|gap| gap * 2.0 > span_s);
    Some(span_s - gap_s.unwrap_or(0.0))
}

fn mean(fleet: &Fleet, rows: &[u32], column: usize) -> Option<f64> {
    let values = || rows.iter().filter_map(|row| fleet.value(*row, column));
    let count = values().count();
    (count > 0).then(|| values().sum::<f64>() / count as f64)
}

/// Why a device cannot be watched by a channel.
fn lack(blocks: &[Block], place: usize) -> Option<Lack> {
    let values = || blocks.iter().filter_map(|block| block.values[place]);
    if values().count() * 2 <= blocks.len() {
        return Some(Lack::Missing);
    }
    let first = values().next()?;
    values().all(|value| value == first).then_some(Lack::Stuck)
}

/// A device under watch.
struct Watcher<'p> {
    plan: &'p Plan<'p>,
    channels: Vec<Channel>,
    /// Places of the channels in a block.
    places: Vec<usize>,
    /// Units as the headings give them.
    units: Vec<&'p str>,
    unit: Unit,
    is_open: bool,
    scores: Vec<Option<f64>>,
    /// Channels that moved most where the score was highest.
    highest_top: Vec<usize>,
    watched_ms: i64,
    watched_at: Option<i64>,
}

impl<'p> Watcher<'p> {
    fn new(plan: &'p Plan<'p>, columns: &[(usize, usize)]) -> Self {
        let channels: Vec<Channel> = columns.iter().map(|(_, column)| plan.channel(*column)).collect();
        let unit = |(_, column): &(usize, usize)| plan.fleet.columns[*column].heading.unit.as_str();
        Self {
            plan,
            unit: Unit::new(&channels, &plan.settings),
            channels,
            places: columns.iter().map(|(place, _)| *place).collect(),
            units: columns.iter().map(unit).collect(),
            is_open: false,
            scores: Vec::new(),
            highest_top: Vec::new(),
            watched_ms: 0,
            watched_at: None,
        }
    }

    fn watch(mut self, blocks: &[Block], services: &[i64], report: &mut DeviceReport) {
        let mut services = services.iter().peekable();
        report.watch = Watch::TooFewSteps {
            have: 0,
            need: self.plan.settings.calibration,
        };
        for (n, block) in blocks.iter().enumerate() {
            // A part may be another one after a service: what is normal is learned again, and what was open is closed.
            while services.next_if(|at| **at <= block.at).is_some() {
                self.unit = Unit::new(&self.channels, &self.plan.settings);
                self.is_open = false;
            }
            self.step(&blocks[..=n], report);
        }
        report.watched_days = days(self.watched_ms);
        let moved = match report.openings.first() {
            Some(opening) => opening.moved.iter().map(|moved| moved.channel.clone()).collect(),
            None => self.names(&self.highest_top),
        };
        if report.watch == Watch::Watched {
            let place = |channel: &String| self.channels.iter().position(|known| known.name == *channel);
            let places = moved.iter().filter_map(place).map(|i| (i, self.places[i]));
            report.plot = Some(plot::plot(
                blocks,
                &self.scores,
                places,
                &report.baselines,
                &self.channels,
            ));
        }
    }

    fn names(&self, channels: &[usize]) -> Vec<String> {
        channels.iter().map(|i| self.channels[*i].name.clone()).collect()
    }

    /// The newest of these blocks.
    fn step(&mut self, blocks: &[Block], report: &mut DeviceReport) {
        let Some(block) = blocks.last() else { return };
        let values: Vec<Option<f64>> = self.places.iter().map(|place| block.values[*place]).collect();
        let step = self.unit.step(
            &self.channels,
            &self.plan.settings,
            &values,
            block.after_gap,
            self.is_open,
        );
        let is_first = report.watch != Watch::Watched;
        match step {
            Step::Calibrating {
                have,
                need,
                restarted_by,
            } => {
                self.scores.push(None);
                self.watched_at = None;
                if is_first {
                    report.watch = match restarted_by {
                        Some(channel) => self.several_states(channel),
                        None => Watch::TooFewSteps { have, need },
                    };
                }
            }
            Step::CannotCalibrate { channel } => {
                self.scores.push(None);
                self.watched_at = None;
                if is_first {
                    report.watch = self.several_states(channel);
                }
            }
            Step::Watching {
                score,
                top,
                slow_score,
                alarm,
                slow,
                ..
            } => {
                if is_first {
                    self.begin(block, report);
                }
                let since = self.watched_at.map_or(0, |before| block.at - before);
                self.watched_ms += since.min(SILENCE_MS.max(GAP_STEPS * self.plan.period_ms));
                self.watched_at = Some(block.at);
                let shown = if slow { slow_score } else { score };
                self.scores.push(Some(rounded(shown)));
                self.note_highest(shown, &top, block, report);
                if alarm && !self.is_open {
                    report.openings.push(Opening {
                        at: time_of(block.at),
                        score: rounded(shown),
                        slow,
                        moved: self.moved(blocks, &top, slow),
                        outcome: None,
                    });
                }
                self.is_open = alarm;
            }
        }
    }

    fn several_states(&self, channel: usize) -> Watch {
        let channel = self.channels.get(channel).map(|channel| channel.name.clone());
        Watch::SeveralStates {
            channel: channel.unwrap_or_default(),
        }
    }

    /// The first step that is compared.
    fn begin(&self, block: &Block, report: &mut DeviceReport) {
        report.watch = Watch::Watched;
        report.watched_from = Some(time_of(block.at));
        let baseline = |normal: &ChannelBaseline| Baseline {
            channel: self.channels[normal.channel].name.clone(),
            unit: self.units[normal.channel].to_owned(),
            centre: rounded(normal.first_centre),
            floor: rounded(normal.floor),
            noise: rounded(normal.noise),
        };
        report.baselines = self.normals().iter().map(baseline).collect();
    }

    fn normals(&self) -> Vec<ChannelBaseline> {
        self.unit.baseline(&self.channels, &self.plan.settings)
    }

    fn note_highest(&mut self, score: f64, top: &[(usize, f64)], block: &Block, report: &mut DeviceReport) {
        if report.highest.as_ref().is_none_or(|highest| score > highest.score) {
            self.highest_top = top.iter().take(TOP).map(|(channel, _)| *channel).collect();
            report.highest = Some(Highest {
                score: rounded(score),
                at: time_of(block.at),
            });
        }
    }

    /// The channels that moved most, with what they were over the steps that count.
    fn moved(&self, blocks: &[Block], top: &[(usize, f64)], slow: bool) -> Vec<Moved> {
        let normals = self.normals();
        let hold = self.plan.settings.hold.max(1) as usize;
        let counted = &blocks[blocks.len().saturating_sub(hold)..];
        let moved = top.iter().take(TOP).filter_map(|(channel, floors)| {
            let normal = normals.iter().find(|normal| normal.channel == *channel)?;
            let values = || counted.iter().filter_map(|block| block.values[self.places[*channel]]);
            let count = values().count();
            let now = (count > 0).then(|| rounded(values().sum::<f64>() / count as f64));
            Some(Moved {
                channel: self.channels[*channel].name.clone(),
                unit: self.units[*channel].to_owned(),
                normal: rounded(if slow { normal.first_centre } else { normal.centre }),
                now,
                floors: rounded(*floors),
            })
        });
        moved.collect()
    }
}
