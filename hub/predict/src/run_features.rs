//! What the rows of one programme run, or of one period of the clock, say of single parts of an appliance: the way through a resonance,
//! the fastest rise while water is let in, how far a condenser is above its room while the compressor works. Taken row by row while it lasts;
//! no row is kept for it but the newest.

mod sums;

use hub_core::profile::ApplianceProfile;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::manifest::Per;
use crate::table::Row;
use sums::{Moment, Sums};

/// A figure of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunFeature {
    /// Its name.
    pub name: String,
    /// What it is taken from.
    pub source: Source,
    /// Whether the natural logarithm of it is told; then nothing is of a figure that is not above 0.
    pub logarithm: bool,
}

/// What a figure is taken from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Rows of the run.
    Rows(FromRows),
    /// Sum of figures before it in the list, each by its index and times a factor; of logarithms that is a product of powers. What two
    /// figures share (an uneven load, a sensor's gain) goes out by it.
    Sum(Vec<(usize, f64)>),
}

/// Rows that count, and what is taken of them.
#[derive(Debug, Clone, PartialEq)]
pub struct FromRows {
    /// Channel of the profile.
    pub channel: String,
    /// What is taken.
    pub take: Take,
    /// Phases of the programme; none where all rows count, as in a period of the clock.
    pub phases: Vec<i32>,
    /// Channels, each with the least and the largest value of it with which a row counts.
    pub within: Vec<(String, f64, f64)>,
    /// Division by another channel of the same row.
    pub per: Option<Per>,
}

/// What is taken of the rows that count.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Take {
    /// Mean.
    Mean,
    /// The highest.
    Highest,
    /// Standard deviation as a share of the mean, of 8 rows or more.
    Scatter,
    /// Rise per minute over the whole minutes of each stretch, from the row before it: a phase that ends when something is reached has a
    /// last minute that is cut short. The fastest rise where no stretch has another row.
    WholeRise,
    /// Largest fall per minute from row to row.
    FastestFall,
    /// Fall per minute, of 5 minutes or more.
    Loss {
        /// First rows of each stretch that are left out.
        settle_rows: u32,
        /// A change of more than this from row to row is a refill, or a sensor that scatters, and left out.
        refill: f64,
    },
}

/// Reads figures of runs of one profile.
#[derive(Debug, Clone, PartialEq)]
pub struct RunReader {
    features: Vec<RunFeature>,
    places: Vec<Option<Places>>,
    phase: Option<usize>,
}

/// Positions in the profile of what a figure reads.
#[derive(Debug, Clone, PartialEq)]
struct Places {
    channel: usize,
    within: Vec<usize>,
    per: Option<usize>,
    /// Values of the channel that may stand all through a period of the clock, its least and its largest: a door that nobody opens.
    ends: Option<(f64, f64)>,
}

/// Figures of a run as far as its rows have come. Some 20 bytes a figure between runs, and 50 while one lasts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFigures {
    /// Rows so far, the one before the run among them.
    rows: u32,
    /// Time of the newest, in microseconds since 1970.
    newest_us: i64,
    phase: Option<i32>,
    /// Rows of the same phase just before the newest.
    into_stretch: u32,
    /// One for each figure.
    figures: Vec<Figure>,
}

/// One figure so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Figure {
    /// Its channel in the newest row, as it was read.
    newest: Option<f64>,
    /// First value of its channel, and whether another one has come: a sensor that repeats one through all of a run is stuck.
    first: Option<f64>,
    has_moved: bool,
    /// None before a row counts.
    sums: Option<Sums>,
}

impl RunReader {
    /// A reader, with the channel that tells the phase of a programme; none where steps are periods of the clock. A figure of a channel that
    /// the profile lacks is always missing.
    pub fn new(features: &[RunFeature], profile: &ApplianceProfile, phase_channel: Option<&str>) -> Self {
        let places = |feature: &RunFeature| {
            let Source::Rows(rows) = &feature.source else {
                return None;
            };
            let within = rows.within.iter().map(|(name, ..)| profile.position(name));
            let per = rows.per.as_ref().map(|per| profile.position(&per.channel).ok_or(()));
            let channel = profile.position(&rows.channel)?;
            let of = &profile.channels[channel];
            Some(Places {
                channel,
                ends: phase_channel.is_none().then_some((of.min, of.max)),
                within: within.collect::<Option<_>>()?,
                per: per.transpose().ok()?,
            })
        };
        Self {
            features: features.to_vec(),
            places: features.iter().map(places).collect(),
            phase: phase_channel.and_then(|name| profile.position(name)),
        }
    }

    /// Positions in the profile of all channels that are read, but for the phase; some of them twice.
    pub(crate) fn channels(&self) -> impl Iterator<Item = usize> {
        let places = self.places.iter().flatten();
        places.flat_map(|of| [of.channel].into_iter().chain(of.within.iter().copied()).chain(of.per))
    }

    /// Whether figures so far may be of this reader.
    pub(crate) fn fits(&self, so_far: &RunFigures) -> bool {
        so_far.figures.len() == self.features.len()
    }

    /// Nothing of a run yet.
    pub fn begin(&self) -> RunFigures {
        RunFigures {
            rows: 0,
            newest_us: i64::MIN,
            phase: None,
            into_stretch: 0,
            figures: vec![Figure::default(); self.features.len()],
        }
    }

    /// Takes the next row of a run; the first may be the row before it. One that is not later than the newest says nothing.
    pub fn take(&self, so_far: &mut RunFigures, row: &Row) {
        let at_us = row.at.as_microsecond();
        if so_far.rows > 0 && at_us <= so_far.newest_us {
            return;
        }
        let phase = self.phase.and_then(|phase| at(row, phase)).map(|v| v.round() as i32);
        so_far.into_stretch = match phase == so_far.phase {
            true => so_far.into_stretch.saturating_add(1),
            false => 0,
        };
        so_far.phase = phase;
        let before_us = (so_far.rows > 0).then_some(so_far.newest_us);
        let figures = so_far.figures.iter_mut().zip(&self.places).zip(&self.features);
        for ((figure, places), feature) in figures {
            if let (Some(places), Source::Rows(from)) = (places, &feature.source) {
                let counted = counted(from, places, phase, row);
                let value = at(row, places.channel);
                let moment = Moment {
                    number: so_far.rows,
                    at_us,
                    before: before_us.map(|us| (us, figure.newest)),
                    into_stretch: so_far.into_stretch,
                };
                figure.see(value, counted, moment, from.take);
            }
        }
        so_far.rows = so_far.rows.saturating_add(1);
        so_far.newest_us = at_us;
    }

    /// Takes a row of an appliance that is watched, whose resampler says whether it has ended a run, and whether one is under way behind it.
    /// Gives the figures of the run that has ended. A period of the clock ends with the first row of the next one, which is none of its own.
    pub(crate) fn follow(
        &self,
        so_far: &mut RunFigures,
        row: &Row,
        ended: Option<Timestamp>,
        is_under_way: bool,
    ) -> Option<Vec<Option<f64>>> {
        if so_far.rows > 0 && row.at.as_microsecond() <= so_far.newest_us {
            return None;
        }
        let is_of_it = ended.is_some_and(|until| until >= row.at);
        if is_of_it {
            self.take(so_far, row);
        }
        let told = ended.map(|_| self.figures(so_far));
        // The row before a run belongs to it: what is let in from then on is its own.
        if ended.is_some() || !is_under_way {
            *so_far = self.begin();
        }
        self.take(so_far, row);
        told
    }

    /// The figures by all rows so far. `None` where the run has too few rows for one, and where a channel repeats one value through all of
    /// them: that is a sensor that is stuck. Through a period of the clock it may repeat the least or the largest value of its range.
    pub fn figures(&self, so_far: &RunFigures) -> Vec<Option<f64>> {
        let mut values: Vec<Option<f64>> = Vec::with_capacity(self.features.len());
        let figures = so_far.figures.iter().zip(&self.places);
        for (feature, (figure, places)) in self.features.iter().zip(figures) {
            let value = match &feature.source {
                Source::Rows(_) => figure.told(places.as_ref().and_then(|places| places.ends)),
                Source::Sum(of) => {
                    let part = |(i, factor): &(usize, f64)| Some(values.get(*i).copied().flatten()? * factor);
                    of.iter().map(part).sum()
                }
            };
            let value = match feature.logarithm {
                true => value.filter(|v| *v > 0.0).map(f64::ln),
                false => value,
            };
            values.push(value.filter(|v| v.is_finite()));
        }
        values
    }

    /// The figures of a run by its rows, oldest first; the row before the run may be the first of them.
    pub fn read(&self, rows: &[Row]) -> Vec<Option<f64>> {
        let mut so_far = self.begin();
        rows.iter().for_each(|row| self.take(&mut so_far, row));
        self.figures(&so_far)
    }
}

impl Figure {
    fn see(&mut self, value: Option<f64>, counted: Option<(f64, f64)>, moment: Moment, take: Take) {
        if let Some(value) = value {
            match self.first {
                None => self.first = Some(value),
                Some(first) => self.has_moved |= value != first,
            }
        }
        if let (Some(raw), Some((value, factor))) = (value, counted) {
            let sums = self.sums.get_or_insert_with(|| Sums::new(take));
            sums.add(raw, value, factor, moment);
        } else if let Some(sums) = &mut self.sums {
            sums.interrupt();
        }
        self.newest = value;
    }

    /// `ends` are values that a channel which does not move may have.
    fn told(&self, ends: Option<(f64, f64)>) -> Option<f64> {
        let rests = ends.is_some_and(|(least, most)| self.first.is_some_and(|one| one <= least || one >= most));
        self.sums.as_ref().filter(|_| self.has_moved || rests)?.told()
    }
}

/// Value of a row that counts, and what a change of the channel is multiplied with.
fn counted(from: &FromRows, places: &Places, phase: Option<i32>, row: &Row) -> Option<(f64, f64)> {
    let mut ranges = from.within.iter().zip(&places.within);
    let is_within =
        ranges.all(|((_, least, most), channel)| at(row, *channel).is_some_and(|v| (*least..=*most).contains(&v)));
    let factor = match (&from.per, places.per) {
        (Some(per), Some(channel)) => {
            let divisor = at(row, channel).filter(|d| *d > 0.0);
            divisor.map(|d| (per.reference / d).powi(per.power))
        }
        _ => Some(1.0),
    };
    let is_of_phase = from.phases.is_empty() || phase.is_some_and(|phase| from.phases.contains(&phase));
    let counts = is_within && is_of_phase;
    let (value, factor) = at(row, places.channel).zip(factor).filter(|_| counts)?;
    Some((value * factor, factor))
}

fn at(row: &Row, channel: usize) -> Option<f64> {
    row.values.get(channel).copied().flatten()
}

#[cfg(test)]
mod tests;
