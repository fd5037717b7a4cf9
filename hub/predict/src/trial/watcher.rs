//! Steps of a device to the detector, and what it says of them to what would have been opened.

use super::judge::{Block, Plan};
use super::plot;
use super::report::{Baseline, DeviceReport, Highest, Moved, Opening, Stretch, Watch, days, rounded, time_of};
use super::services::Visit;
use crate::generic::{Channel, ChannelBaseline, Step, Unit};

/// Days after an opening has ended in which the next of the device goes on the same ticket: the hub's cool-down.
pub const COOL_DOWN_DAYS: i64 = 30;
const COOL_DOWN_MS: i64 = COOL_DOWN_DAYS * 24 * 3_600_000;
/// The channels that moved most.
const TOP: usize = 3;

/// A device under watch.
pub(crate) struct Watcher<'p> {
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
    pub(crate) fn new(plan: &'p Plan<'p>, columns: &[(usize, usize)]) -> Self {
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

    pub(crate) fn watch(mut self, blocks: &[Block], services: &[Visit], report: &mut DeviceReport) {
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
