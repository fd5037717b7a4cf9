//! The newest steps of a detector without a network, as a ticket draws them: in bytes, so that thousands of appliances fit into memory.

use std::collections::VecDeque;

use hub_core::prediction::{Contribution, Evidence, EvidencePoint, FaultPrediction};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Steps that are kept, at most.
pub(crate) const POINTS_MAX: usize = 16;
/// Parts of a floor in which deviations are kept.
const PARTS: f64 = 12.0;
/// Parts of a threshold in which scores are kept.
const SCORE_PARTS: f32 = 20.0;
/// In the place of a value that is not there.
const MISSING: i8 = i8::MIN;

/// Times, scores in twentieths of the threshold up to twelve of it, and how far each feature was from what was normal at first: in
/// twelfths of a floor, up to ten floors.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Course {
    times: VecDeque<i64>,
    scores: VecDeque<u8>,
    /// Step by step, one of each feature.
    deviations: VecDeque<i8>,
}

/// A step, to be drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Drawn {
    at: Timestamp,
    score: f32,
    /// Its place among those that are kept.
    place: usize,
}

impl Course {
    /// Adds a step, with the deviation of each feature in floors.
    pub(crate) fn push(&mut self, at: Timestamp, score: f32, deviations: &[Option<f64>], most: usize) {
        let part = |floors: &Option<f64>| match floors {
            Some(floors) => (floors * PARTS).round().clamp(-127.0, 127.0) as i8,
            None => MISSING,
        };
        self.times.push_back(at.as_millisecond());
        self.scores
            .push_back((score * SCORE_PARTS).round().clamp(0.0, 255.0) as u8);
        self.deviations.extend(deviations.iter().map(part));
        while self.times.len() > most.min(POINTS_MAX) {
            self.times.pop_front();
            self.scores.pop_front();
            self.deviations.drain(..deviations.len().min(self.deviations.len()));
        }
    }

    /// Whether it may be that of a model with so many features.
    pub(crate) fn fits(&self, features: usize) -> bool {
        let steps = self.times.len();
        steps <= POINTS_MAX && self.scores.len() == steps && self.deviations.len() == steps * features
    }

    /// What a ticket freezes of a prediction: its causes among these columns, in their order, step by step. `value_at` tells the value of a
    /// column that is so many floors from normal; one that is not there is drawn as the one before.
    pub(crate) fn evidence(
        &self,
        prediction: &FaultPrediction,
        columns: &[&str],
        value_at: impl Fn(usize, f64) -> Option<f64>,
    ) -> Evidence {
        let place = |name: &str| columns.iter().position(|column| *column == name);
        let causes = prediction.top.iter();
        let shown: Vec<(usize, &Contribution)> = causes
            .filter_map(|cause| Some((place(&cause.channel)?, cause)))
            .collect();
        let mut newest: Vec<f64> = shown.iter().map(|(_, cause)| cause.baseline_mean).collect();
        let points = self.drawn().map(|step| {
            for (value, (column, _)) in newest.iter_mut().zip(&shown) {
                let floors = self.deviation(step, *column, columns.len());
                *value = floors.and_then(|floors| value_at(*column, floors)).unwrap_or(*value);
            }
            EvidencePoint {
                at: step.at,
                score: step.score,
                values: newest.clone(),
            }
        });
        Evidence {
            points: points.collect(),
            channels: shown.iter().map(|(_, cause)| (*cause).clone()).collect(),
            anomalous_since: prediction.since,
        }
    }

    /// The steps, oldest first.
    fn drawn(&self) -> impl Iterator<Item = Drawn> {
        let steps = self.times.iter().zip(&self.scores).enumerate();
        steps.filter_map(|(place, (time, score))| {
            Some(Drawn {
                at: Timestamp::from_millisecond(*time).ok()?,
                score: f32::from(*score) / SCORE_PARTS,
                place,
            })
        })
    }

    /// How far a feature was in a step, in floors, of so many features; none where it was not there.
    fn deviation(&self, step: Drawn, feature: usize, features: usize) -> Option<f64> {
        let part = self.deviations.get(step.place * features + feature).copied()?;
        (part != MISSING).then(|| f64::from(part) / PARTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_steps_are_kept_to_a_twelfth_of_a_floor() {
        let mut course = Course::default();
        for second in 0..40_i32 {
            let floors = f64::from(second) / 30.0;
            let at = Timestamp::from_second(second.into()).unwrap();
            course.push(at, second as f32 / 4.0, &[Some(floors), None, Some(-99.0)], POINTS_MAX);
            assert!(course.fits(3) && !course.fits(2));
        }
        let drawn: Vec<Drawn> = course.drawn().collect();
        assert_eq!((drawn.len(), drawn[0].at.as_second(), drawn[0].score), (16, 24, 6.0));
        let last = drawn[15];
        assert!((course.deviation(last, 0, 3).unwrap() - 1.3).abs() <= 0.5 / PARTS);
        assert_eq!(course.deviation(last, 1, 3), None);
        assert_eq!(course.deviation(last, 2, 3), Some(-127.0 / PARTS));
    }
}
