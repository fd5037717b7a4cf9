//! `golden.jsonl` of a model without a network: short lives of an appliance with the scores that the detector gives at their end. They
//! hold the order of the features, the floors and every other figure to what they were when the model was made.

use serde::{Deserialize, Serialize};

use super::{GoldenError, LINES_MIN, TOLERANCE};
use crate::generic::{Step, Unit};
use crate::manifest::Kit;

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GoldenSteps {
    /// What the life shows.
    name: String,
    /// Names of the features, in the order of the values.
    features: Vec<String>,
    /// Values of each step, the first that are learned from and those that are watched.
    steps: Vec<Vec<Option<f64>>>,
    /// Expected score after the last step: 1 is the threshold.
    score: f64,
    /// The same against what was normal at first.
    slow_score: f64,
    /// Whether an alarm stands then.
    alarm: bool,
}

/// What the detector says at the end of a life; none where it says nothing yet.
struct Said {
    score: f64,
    slow_score: f64,
    alarm: bool,
}

impl GoldenSteps {
    /// A life with what the detector says of it now; none where that is nothing.
    pub(crate) fn of(name: &str, steps: Vec<Vec<Option<f64>>>, kit: &Kit) -> Option<Self> {
        let said = live(&steps, kit)?;
        Some(Self {
            name: name.to_owned(),
            features: kit.channels.iter().map(|channel| channel.name.clone()).collect(),
            steps,
            score: said.score,
            slow_score: said.slow_score,
            alarm: said.alarm,
        })
    }

    fn check(&self, kit: &Kit) -> Result<(), GoldenError> {
        let features: Vec<&str> = kit.channels.iter().map(|channel| channel.name.as_str()).collect();
        if self.features != features {
            return Err(GoldenError::Features {
                name: self.name.clone(),
                expected: self.features.join(", "),
                got: features.join(", "),
            });
        }
        let said = live(&self.steps, kit).ok_or_else(|| GoldenError::Silent {
            name: self.name.clone(),
        })?;
        let pairs = [(self.score, said.score), (self.slow_score, said.slow_score)];
        for (expected, got) in pairs {
            // What the detector says is finite; an expectation that is not must differ.
            let off = (expected - got).abs();
            if off.is_nan() || off > f64::from(TOLERANCE) * expected.abs().max(1.0) {
                return Err(GoldenError::OtherScore {
                    name: self.name.clone(),
                    expected,
                    got,
                });
            }
        }
        match self.alarm == said.alarm {
            true => Ok(()),
            false => Err(GoldenError::Alarm {
                name: self.name.clone(),
                expected: self.alarm,
            }),
        }
    }
}

/// Lives every golden life.
pub(crate) fn check_steps(text: &str, kit: &Kit) -> Result<(), GoldenError> {
    let mut count = 0;
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let golden: GoldenSteps = serde_json::from_str(line).map_err(|source| GoldenError::Line {
            line: index + 1,
            source,
        })?;
        golden.check(kit)?;
        count += 1;
    }
    match count < LINES_MIN {
        true => Err(GoldenError::TooFew(count)),
        false => Ok(()),
    }
}

fn live(steps: &[Vec<Option<f64>>], kit: &Kit) -> Option<Said> {
    let mut unit = Unit::new(&kit.channels, &kit.settings);
    let mut said = None;
    for values in steps {
        let step = unit.step(&kit.channels, &kit.settings, values, false, false);
        if let Step::Watching {
            score,
            slow_score,
            alarm,
            ..
        } = step
        {
            said = Some(Said {
                score: score / kit.settings.threshold,
                slow_score: slow_score / kit.settings.threshold,
                alarm,
            });
        }
    }
    said
}
