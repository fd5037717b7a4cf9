//! `golden.jsonl`: synthetic windows with the errors the trained network gave for them; of the detector without a network, see `steps`. Where
//! a network gives a second opinion, the file has both.

mod runs;
mod steps;

pub(crate) use runs::check_runs;
pub use runs::golden_runs;
pub use steps::golden_life;
pub(crate) use steps::{GoldenSteps, check_steps};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::network::{Network, ScoreError, Window};

/// Largest accepted difference, relative to the error (and absolute below 1).
pub(crate) const TOLERANCE: f32 = 1e-4;

/// Lines of a file, at least.
const LINES_MIN: usize = 3;

/// One line of the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    /// What the window shows.
    name: String,
    /// Scaled deviations, one list a feature.
    window: Vec<Vec<f32>>,
    /// Expected mean square error of each feature.
    errors: Vec<f32>,
}

/// Why a network fails its golden windows.
#[derive(Debug, thiserror::Error)]
pub enum GoldenError {
    /// A line is not what it should be.
    #[error("line {line} is not a golden window, or life")]
    Line {
        /// Counted from 1.
        line: usize,
        /// Cause, as the library or the rule words it.
        source: serde_json::Error,
    },
    /// Too few lines to mean anything.
    #[error("has {0} windows or lives, needs at least 3")]
    TooFew(usize),
    /// The network cannot run a window.
    #[error("window {name} cannot be scored")]
    Score {
        /// The window.
        name: String,
        /// Cause, as the library or the rule words it.
        source: ScoreError,
    },
    /// The network gives other errors.
    #[error("window {name}, feature {feature}: expected {expected}, the network gives {got}")]
    Differs {
        /// The window.
        name: String,
        /// Position of the feature.
        feature: usize,
        /// What the file says.
        expected: f32,
        /// What the network says.
        got: f32,
    },
    /// The features of a model without a network are others, in another order, or read from other channels.
    #[error("life {name} is of the features {expected}, and the manifest has {got}")]
    Features {
        /// The life.
        name: String,
        /// Features that the file says.
        expected: String,
        /// Features of the manifest.
        got: String,
    },
    /// A figure of the manifest of a model without a network is another than when the model was made.
    #[error(
        "life {name} was made of other figures than the manifest has (periods, floors, conditions, thresholds): expected the sum {expected}, it is {got}"
    )]
    Figures {
        /// The life.
        name: String,
        /// What the file says.
        expected: String,
        /// SHA-256 over the figures of the manifest.
        got: String,
    },
    /// The detector without a network gives other scores.
    #[error("life {name}: expected a score of {expected}, the detector gives {got}")]
    OtherScore {
        /// The life.
        name: String,
        /// What the file says.
        expected: f64,
        /// What the detector says.
        got: f64,
    },
    /// The detector without a network does not come to watch.
    #[error("life {name}: the detector finds no normal in it")]
    Silent {
        /// The life.
        name: String,
    },
    /// A detector of named faults names another one.
    #[error("life {name}: expected {expected}, the detector names {got}")]
    OtherFault {
        /// The life.
        name: String,
        /// Class that the file says; `unknown_fault` of what has no name.
        expected: String,
        /// What the detector says.
        got: String,
    },
    /// It alarms where it should not, or the other way round.
    #[error("life {name}: an alarm is expected: {expected}, and the detector says otherwise")]
    Alarm {
        /// The life.
        name: String,
        /// What the file says.
        expected: bool,
    },
}

/// The lines that are no windows, and those that are: each on the line on which it was.
pub(crate) fn apart(text: &str) -> (String, String) {
    let (mut lives, mut windows) = (String::new(), String::new());
    for line in text.lines() {
        let is_window = serde_json::from_str::<Golden>(line).is_ok();
        let text = if is_window { &mut windows } else { &mut lives };
        text.push_str(line);
        lives.push('\n');
        windows.push('\n');
    }
    (lives, windows)
}

/// Runs every golden window.
pub(crate) fn check(text: &str, network: &Network) -> Result<(), GoldenError> {
    each_line(text, |golden: &Golden| check_one(golden, network))
}

/// Checks each line of a file, of which there have to be some.
fn each_line<T: DeserializeOwned>(
    text: &str,
    check: impl Fn(&T) -> Result<(), GoldenError>,
) -> Result<(), GoldenError> {
    let mut count = 0;
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let golden: T = serde_json::from_str(line).map_err(|source| GoldenError::Line {
            line: index + 1,
            source,
        })?;
        check(&golden)?;
        count += 1;
    }
    match count < LINES_MIN {
        true => Err(GoldenError::TooFew(count)),
        false => Ok(()),
    }
}

/// Whether two scores differ. What a detector says is finite; an expectation that is not must differ.
fn differs(expected: f64, got: f64) -> bool {
    let off = (expected - got).abs();
    off.is_nan() || off > f64::from(TOLERANCE) * expected.abs().max(1.0)
}

fn check_one(golden: &Golden, network: &Network) -> Result<(), GoldenError> {
    let window = Window {
        scaled: golden.window.concat(),
    };
    let name = || golden.name.clone();
    let score = |source| GoldenError::Score { name: name(), source };
    let got = network
        .run(&[&window])
        .map_err(score)?
        .pop()
        .ok_or_else(|| score(ScoreError::Output))?;
    if got.errors.len() != golden.errors.len() {
        return Err(score(ScoreError::Output));
    }
    for (feature, (&expected, &got)) in golden.errors.iter().zip(&got.errors).enumerate() {
        // The network's errors are finite; an expectation that is not must differ.
        let off = (expected - got).abs();
        if off.is_nan() || off > TOLERANCE * expected.abs().max(1.0) {
            return Err(GoldenError::Differs {
                name: name(),
                feature,
                expected,
                got,
            });
        }
    }
    Ok(())
}
