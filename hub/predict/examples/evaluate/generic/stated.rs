//! Probability that the trained family states with its alarms, beside the share of them that is right.

use std::fmt;
use std::sync::Arc;

use hub_predict::{Model, score_rows};

use super::Outcome;
use crate::bar::Bar;
use crate::recut::Stream;

/// Deviations of a 95 % interval.
const DEVIATIONS: f64 = 1.96;

/// What the trained family made of a stream.
pub struct Trained {
    pub alarms: Vec<bool>,
    /// Probability with its first alarm.
    stated: Option<f64>,
}

/// A stream by the model that never saw its fault group.
pub fn live(stream: &Stream, calibration_rows: u32) -> anyhow::Result<Trained> {
    let model = Arc::new(Model::load(&stream.model)?);
    let mut trained = Trained {
        alarms: Vec::with_capacity(stream.rows.len()),
        stated: None,
    };
    let mut stands = false;
    for steps in score_rows(&model, calibration_rows, &stream.rows) {
        if let Some(step) = steps?.last() {
            stands = step.verdict.alarm;
            let prediction = step.verdict.prediction.as_ref().filter(|_| stands);
            trained.stated = trained.stated.or(prediction.map(|one| f64::from(one.probability)));
        }
        trained.alarms.push(stands);
    }
    Ok(trained)
}

/// First alarms of all streams, of which the cuts of one run count as one.
pub struct Stated {
    alarms: f64,
    right: f64,
    mean: f64,
}

impl Stated {
    pub fn of(streams: &[Stream], trained: &[Trained], outcomes: &[Outcome]) -> Self {
        let mut stated = Self {
            alarms: 0.0,
            right: 0.0,
            mean: 0.0,
        };
        for ((stream, trained), outcome) in streams.iter().zip(trained).zip(outcomes) {
            let alike = streams.iter().filter(|other| other.run == stream.run).count() as f64;
            if let Some(probability) = trained.stated {
                stated.alarms += 1.0 / alike;
                stated.right += f64::from(u8::from(outcome.delay_s.is_some())) / alike;
                stated.mean += probability / alike;
            }
        }
        stated.mean /= stated.alarms.max(f64::MIN_POSITIVE);
        stated
    }

    /// Wilson's interval of the share that is right (Journal of the American Statistical Association 22, 1927).
    fn interval(&self) -> (f64, f64) {
        let (n, z) = (self.alarms.max(f64::MIN_POSITIVE), DEVIATIONS);
        let share = self.right / n;
        let middle = (share + z * z / (2.0 * n)) / (1.0 + z * z / n);
        let half = z / (1.0 + z * z / n) * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
        ((middle - half).max(0.0), (middle + half).min(1.0))
    }

    /// It lies within the interval.
    pub fn bars(&self) -> [Bar; 2] {
        let (low, high) = self.interval();
        [
            Bar::at_least("skab-probability-above-lower-bound", self.mean - low, 0.0),
            Bar::at_most("skab-probability-over-upper-bound", self.mean - high, 0.0),
        ]
    }
}

impl fmt::Display for Stated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = self.interval();
        write!(
            f,
            "pump-rig/1 with its first alarms, in the mean {:.3}; right {:.2} of {:.2} ({:.0} %, 95 % {:.0} to {:.0} %)",
            self.mean,
            self.right,
            self.alarms,
            100.0 * self.right / self.alarms.max(f64::MIN_POSITIVE),
            100.0 * low,
            100.0 * high
        )
    }
}
