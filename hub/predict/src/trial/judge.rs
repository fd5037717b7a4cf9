//! Rows of a device to steps, steps to the detector, and what it says of them to what would have been opened.

use super::fleet::{Device, Fleet};
use super::median;
use super::plot;
use super::quality::LEAP_MS;
use super::report::{
    Baseline, DeviceQuality, DeviceReport, Highest, Lack, Lacking, Moved, Opening, Quality, Stretch, Watch, days,
    is_watched, rounded, time_of,
};
use super::running::Running;
use super::services::Visit;
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
/// Days after an opening has ended in which the next of the device goes on the same ticket: the hub's cool-down.
pub const COOL_DOWN_DAYS: i64 = 30;
const COOL_DOWN_MS: i64 = COOL_DOWN_DAYS * 24 * 3_600_000;
/// Widths of noise below which what is normal lies around zero.
const AROUND_ZERO: f64 = 3.0;
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
    /// Time of its first row.
    from: i64,
    /// Time of its last row.
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

    fn channel(&self, column: usize) -> Channel {
        let column = &self.fleet.columns[column];
        let unit = super::heading::senml(&column.heading).unwrap_or(&column.heading.unit);
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
    /// End of the opening before, on whose ticket the next one goes.
    ended_at: Option<i64>,
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
            ended_at: None,
        }
    }

    fn watch(mut self, blocks: &[Block], services: &[Visit], report: &mut DeviceReport) {
        let mut services = services.iter().peekable();
        report.watch = Watch::TooFewSteps {
            have: 0,
            need: self.plan.settings.calibration + 1,
        };
        for (n, block) in blocks.iter().enumerate() {
            // A part may be another one after a service: what is normal is learned again, and what was open is closed.
            while let Some(visit) = services.next_if(|visit| visit.at < block.from) {
                self.unit = Unit::new(&self.channels, &self.plan.settings);
                self.close(visit.at, report);
                (self.ended_at, self.watched_at) = (None, None);
            }
            // Half of such a step may be of the old part.
            if services.peek().is_some_and(|visit| visit.from <= block.at) {
                self.scores.push(None);
                continue;
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
                        None => Watch::TooFewSteps { have, need: need + 1 },
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
                self.watched_ms += since.min(self.plan.silence_ms());
                self.note_compared(block.at, report);
                let shown = if slow { slow_score } else { score };
                self.scores.push(Some(rounded(shown)));
                self.note_highest(shown, &top, block, report);
                if alarm && !self.is_open {
                    report.openings.push(Opening {
                        at: time_of(block.at),
                        until: None,
                        again: self.ended_at.is_some_and(|ended| block.at - ended <= COOL_DOWN_MS),
                        score: rounded(shown),
                        slow,
                        moved: self.moved(blocks, &top, slow),
                        outcome: None,
                    });
                }
                if alarm {
                    self.is_open = true;
                } else {
                    self.close(block.at, report);
                }
            }
        }
    }

    /// What is open ends.
    fn close(&mut self, at: i64, report: &mut DeviceReport) {
        if let Some(opening) = report.openings.last_mut().filter(|_| self.is_open) {
            opening.until = Some(time_of(at));
            self.ended_at = Some(at);
        }
        self.is_open = false;
    }

    /// A step was compared: its stretch goes on, unless something lies between.
    fn note_compared(&mut self, at: i64, report: &mut DeviceReport) {
        let goes_on = self
            .watched_at
            .is_some_and(|before| at - before <= self.plan.silence_ms());
        match report.compared.last_mut().filter(|_| goes_on) {
            Some(stretch) => stretch.to = time_of(at),
            None => report.compared.push(Stretch {
                from: time_of(at),
                to: time_of(at),
            }),
        }
        self.watched_at = Some(at);
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
