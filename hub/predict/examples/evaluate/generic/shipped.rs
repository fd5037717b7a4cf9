//! The folder of the pump rig as it is shipped, on the streams: its alarms, and what its second opinion said of them.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use hub_core::prediction::SecondOpinion;
use hub_predict::{Model, score_rows};

use super::Outcome;
use crate::recut::Stream;

/// What the folder made of each stream.
pub struct Shipped {
    streams: Vec<Lived>,
}

struct Lived {
    alarms: Vec<bool>,
    /// With the first alarm.
    opinion: Option<SecondOpinion>,
    /// Streams of its run, this one among them.
    alike: f64,
}

/// Streams with an alarm, of which the cuts of one run count as one: right alarms and false ones, with those that the network agreed to,
/// and those of which it had no opinion.
#[derive(Default)]
pub struct Opinions {
    right: [f64; 3],
    wrong: [f64; 3],
}

impl Shipped {
    pub fn of(streams: &[Stream], folder: &Path) -> anyhow::Result<Self> {
        let model = Arc::new(Model::load(folder)?);
        let calibration = model.manifest().baseline.calibration;
        let live = |stream: &Stream| -> anyhow::Result<Lived> {
            let mut lived = Lived {
                alarms: Vec::with_capacity(stream.rows.len()),
                opinion: None,
                alike: streams.iter().filter(|other| other.run == stream.run).count() as f64,
            };
            let (mut stands, mut has_alarmed) = (false, false);
            for steps in score_rows(&model, calibration, &stream.rows) {
                for verdict in steps?.into_iter().map(|step| step.verdict) {
                    stands = verdict.alarm;
                    if let (Some(prediction), false) = (&verdict.prediction, has_alarmed) {
                        (lived.opinion, has_alarmed) = (prediction.second_opinion, true);
                    }
                }
                lived.alarms.push(stands);
            }
            Ok(lived)
        };
        Ok(Self {
            streams: streams.iter().map(live).collect::<anyhow::Result<_>>()?,
        })
    }

    /// Whether an alarm stands after each row of a stream.
    pub fn alarms(&self, stream: usize) -> &[bool] {
        &self.streams[stream].alarms
    }

    pub fn opinions(&self, outcomes: &[Outcome]) -> Opinions {
        let mut opinions = Opinions::default();
        let alarmed = self.streams.iter().zip(outcomes);
        for (lived, outcome) in alarmed.filter(|(lived, _)| lived.alarms.contains(&true)) {
            let place = match lived.opinion {
                Some(SecondOpinion::Agrees) => 0,
                Some(SecondOpinion::Disagrees) => 1,
                None => 2,
            };
            let counts = match outcome.delay_s {
                Some(_) => &mut opinions.right,
                None => &mut opinions.wrong,
            };
            counts[place] += 1.0 / lived.alike;
        }
        opinions
    }
}

impl fmt::Display for Opinions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [agreed, disagreed, silent] = self.right;
        let [wrongly, rightly, of_none] = self.wrong;
        write!(
            f,
            "pump-rig/2: of right first alarms it agreed to {agreed:.2} and did not to {disagreed:.2}, without one were {silent:.2}; of the \
             others it agreed to {wrongly:.2} and did not to {rightly:.2}, without one were {of_none:.2}. Its network was trained on sound \
             rows of the same recordings"
        )
    }
}
