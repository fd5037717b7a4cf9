//! One appliance, and what it shows of each fault.

use serde::{Deserialize, Serialize};

use super::super::alarm::Alarm;
use super::super::channel::Channel;
use super::super::condition::freed;
use super::super::settings::Settings;
use super::metric::Metric;
use super::signature::{Likeness, NamedFaults, Signature, Speed};
use super::track::{CALIBRATION, Track};

/// Steps for which a score has to stand, for a ticket and for a call: a wrong call costs more than a late one.
const HOLD: usize = 2;
const CALL_HOLD: usize = 3;
/// Share of a ticket's level below which an appliance is quiet enough for its normal to follow it.
const QUIET: f64 = 0.5;

/// What the hub was told of an appliance before a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Firmware or household is another: levels may be others, and a fault that was there is still there.
    Changed,
    /// A part was changed: what was there before says nothing more.
    Repaired,
}

/// State of one appliance: less than 1 kB of 16 channels while it is watched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signs {
    tracks: Vec<Track>,
    /// Of each signature, the newest scores for tickets and for calls.
    newest: Vec<[[f32; 2]; CALL_HOLD]>,
    alarm: Alarm,
}

/// What a step says.
#[derive(Debug, Clone, PartialEq)]
pub struct Sign {
    /// Held score of each signature, in usual deviations.
    pub scores: Vec<f64>,
    /// The same of those that may be named; 0 of the others.
    pub named: Vec<f64>,
    /// Signature with the highest score in its own level, if any has one; that one names the ticket.
    pub strongest: Option<usize>,
    /// That score in its level for tickets, or the unnamed one, whichever is higher.
    pub score: f64,
    /// Highest score of those that may be named, in its level for calls.
    pub call: f64,
    /// Signature of that.
    pub called: Option<usize>,
    /// An alarm stands.
    pub alarm: bool,
    /// It rose on this step.
    pub rose: bool,
}

impl Signs {
    /// An appliance of which nothing is known.
    pub fn new(channels: usize) -> Self {
        Self {
            tracks: (0..channels).map(|_| Track::new()).collect(),
            newest: Vec::new(),
            alarm: Alarm::default(),
        }
    }

    /// Takes a step, a programme run or a day, with a value for each channel. `unnamed` is the score of a detector that names nothing, in the level from
    /// which it opens a ticket by itself, or 0; `finding_open`, that a ticket of this appliance is open. Nothing is said while more than half
    /// of the channels that have come are still being learned.
    pub fn step(
        &mut self,
        channels: &[Channel],
        faults: &NamedFaults,
        values: &[Option<f64>],
        unnamed: f64,
        finding_open: bool,
    ) -> Option<Sign> {
        let values = freed(channels, &faults.conditions, values);
        for (track, value) in self.tracks.iter_mut().zip(&values) {
            track.take(*value);
        }
        if self.calibration().is_some() {
            return None;
        }
        let measured = [Speed::Newest, Speed::Quick, Speed::Slow].map(|speed| {
            (
                speed,
                faults
                    .metrics
                    .of(speed)
                    .measured(&self.weighed(speed, faults.metrics.of(speed))),
            )
        });
        let likeness = |signature: &Signature| {
            let of = measured.iter().find(|(speed, _)| *speed == signature.speed);
            of.map_or_else(Likeness::default, |(_, measured)| Likeness::of(measured, signature))
        };
        let likenesses: Vec<Likeness> = faults.signatures.iter().map(likeness).collect();
        let stood = self.alarm.standing();
        let now = faults.signatures.iter().zip(&likenesses);
        let loudest = now.map(|(signature, one)| one.score / signature.ticket_level);
        let is_quiet = loudest.fold(unnamed, f64::max) < QUIET * faults.threshold;
        let sign = self.held(faults, &likenesses, unnamed);
        let settings = Settings {
            threshold: faults.threshold,
            hold: 1,
            ..Settings::of_runs()
        };
        self.alarm.next(sign.score, true, &settings);
        let alarm = self.alarm.standing();
        if is_quiet && !alarm && !finding_open {
            let came = self.tracks.iter_mut().zip(&values).filter(|(_, value)| value.is_some());
            came.for_each(|(track, _)| track.follow());
        }
        Some(Sign {
            alarm,
            rose: alarm && !stood,
            ..sign
        })
    }

    /// Takes the scores of a step, and tells those that stood for the hold time.
    fn held(&mut self, faults: &NamedFaults, likenesses: &[Likeness], unnamed: f64) -> Sign {
        if self.newest.len() != likenesses.len() {
            self.newest = vec![[[0.0; 2]; CALL_HOLD]; likenesses.len()];
        }
        let (mut scores, mut named) = (Vec::new(), Vec::new());
        for (newest, one) in self.newest.iter_mut().zip(likenesses) {
            newest.rotate_left(1);
            let may_call = if one.is_named() { one.score } else { 0.0 };
            if let Some(last) = newest.last_mut() {
                *last = [one.score as f32, may_call as f32];
            }
            let lowest = |of: usize, steps: usize| {
                let held = newest.iter().rev().take(steps);
                held.map(|pair| f64::from(pair[of])).fold(f64::MAX, f64::min)
            };
            scores.push(lowest(0, HOLD));
            named.push(lowest(1, CALL_HOLD));
        }
        let levels = faults.signatures.iter();
        let of_ticket = strongest(
            scores
                .iter()
                .zip(levels.clone())
                .map(|(score, of)| score / of.ticket_level),
        );
        let of_call = strongest(named.iter().zip(levels).map(|(score, of)| score / of.call_level));
        Sign {
            strongest: of_ticket.map(|(i, _)| i),
            score: of_ticket.map_or(unnamed, |(_, score)| score.max(unnamed)),
            call: of_call.map_or(0.0, |(_, score)| score),
            called: of_call.map(|(i, _)| i),
            scores,
            named,
            alarm: false,
            rose: false,
        }
    }

    /// Takes what the hub was told.
    pub fn told(&mut self, told: Told) {
        match told {
            Told::Changed => self.tracks.iter_mut().for_each(Track::changed),
            Told::Repaired => *self = Self::new(self.tracks.len()),
        }
    }

    /// Runs in hand for the normals of most channels that have come, and runs that are needed; none once faults are looked for.
    pub fn calibration(&self) -> Option<(u32, u32)> {
        let begun = || self.tracks.iter().filter(|track| track.has_begun());
        let count = begun().count();
        let learning = begun().filter(|track| track.is_learning()).count();
        if count > 0 && 2 * learning < count {
            return None;
        }
        let mut learned: Vec<usize> = begun().map(Track::learned).collect();
        learned.sort_unstable_by(|a, b| b.cmp(a));
        // Of the channel with which most of them are.
        let have = learned.get(count / 2).copied().unwrap_or(0);
        let number = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
        Some((number(have), number(CALIBRATION)))
    }

    /// What is normal for a channel, on the scale of its values; none while that is learned.
    pub fn normal(&self, channel: usize) -> Option<f64> {
        self.tracks.get(channel)?.centre()
    }

    /// Whether it may be that of so many channels and faults.
    pub(crate) fn fits(&self, channels: usize, faults: usize) -> bool {
        self.tracks.len() == channels && (self.newest.is_empty() || self.newest.len() == faults)
    }

    /// How far each channel is from normal, as it counts: where it scatters by itself more than is usual, so much less. What a [`Metric`] is
    /// learned from, with the one before it.
    pub fn weighed(&self, speed: Speed, metric: &Metric) -> Vec<Option<f64>> {
        let weighed = |(channel, track): (usize, &Track)| {
            let counted = metric.usual(channel) / self.usual(channel, speed, metric);
            Some(track.apart(speed)? * counted)
        };
        self.tracks.iter().enumerate().map(weighed).collect()
    }

    /// A usual deviation of a channel of this appliance: the fleet's, or what it makes by itself where that is more.
    pub(super) fn usual(&self, channel: usize, speed: Speed, metric: &Metric) -> f64 {
        let own = self.tracks.get(channel).map_or(0.0, |track| track.own_deviation(speed));
        metric.usual(channel).max(own)
    }

    /// How far each channel is from normal, as it is.
    pub fn deviations(&self, speed: Speed) -> Vec<Option<f64>> {
        self.tracks.iter().map(|track| track.apart(speed)).collect()
    }
}

/// The highest above 0, with its place.
fn strongest(scores: impl Iterator<Item = f64>) -> Option<(usize, f64)> {
    let above = scores.enumerate().filter(|(_, score)| *score > 0.0);
    above.max_by(|a, b| a.1.total_cmp(&b.1))
}

#[cfg(test)]
mod tests;
