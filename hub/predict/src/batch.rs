//! The one road for a score: rows go to their detectors, windows of many rows share the network, verdicts come out.
//! The hub's scorer ([`crate::Watch`]), `forecall score` and the evaluation ([`crate::score_rows`]) take it. How rows are cut
//! into batches changes no verdict.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use hub_core::id::{ApplianceId, TraceId};
use hub_core::prediction::FaultPrediction;
use hub_core::profile::ApplianceProfile;
use hub_core::situation::Observation;
use hub_core::telemetry::Lane;
use hub_core::watching::Unjudged;
use hub_store::telemetry::StoredRow;

use crate::detector::{Detector, Pending, Standing};
use crate::model::Model;
use crate::network::{Reconstruction, ScoreError};
use crate::table::Row;
use crate::verdict::Verdict;

/// Rows to score in one go, at most: bounds the memory, and the time to the next commit.
pub const ROWS_MAX: usize = 4_000;
/// An alarm is told again where its score has grown by so much, though the model is no surer: a fleet may have a level above.
pub(crate) const GROWN: f32 = 1.05;
/// Windows given to the network together; larger batches are slower for each window.
pub const WINDOWS_MAX: usize = 16;

/// Which stored row it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowRef {
    /// Its partition, and its number there.
    pub place: (u8, i64),
    /// Its appliance.
    pub appliance: ApplianceId,
    /// Its trace.
    pub trace: TraceId,
}

/// Is told which rows are worked on, before anything computes with what they hold. So the caller who gives rows to a thread knows
/// where it was when it ended.
pub trait Progress: Send + Sync {
    /// A detector begins with this row.
    fn begin(&self, row: RowRef);

    /// The network begins with windows of these rows.
    fn begin_all(&self, rows: &[RowRef]);

    /// No row is worked on any more.
    fn end(&self);
}

/// For callers that need not know.
impl Progress for () {
    fn begin(&self, _: RowRef) {}

    fn begin_all(&self, _: &[RowRef]) {}

    fn end(&self) {}
}

/// How rows are given.
pub struct Manner<'a> {
    /// Detectors are given again what they had before a restart. Nothing of it is news: it was told, or it is when the next
    /// new row says it too.
    pub again: bool,
    /// Windows given to the network together, at most [`WINDOWS_MAX`] of them; 1 tells which row a window is of.
    pub windows: usize,
    /// Is told which row is worked on.
    pub progress: &'a dyn Progress,
}

/// One model step, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The row that completed the step.
    pub row: RowRef,
    /// The verdict.
    pub verdict: Verdict,
    /// What of it is worth telling: an alarm that begins, grows or is named, and the end of one; and each other fault that is seen apart
    /// from the one that the alarm stands for.
    pub news: Vec<Observation>,
}

/// The network failed, so that no alarm can rise from the windows it was given.
#[derive(Debug)]
pub struct Failed {
    /// Model and version.
    pub model: String,
    /// Cause.
    pub error: ScoreError,
}

/// What comes of a batch of rows.
#[derive(Debug, Default)]
pub struct Batch {
    /// Of each appliance in the order of its steps.
    pub judged: Vec<Judged>,
    /// New rows that completed none of the model's rows, and why; in the order of each appliance's rows.
    pub unjudged: Vec<(RowRef, Unjudged)>,
    /// Appliances of which something else is to be told than before: whether they are watched, how far they are calibrated.
    pub changed: BTreeSet<ApplianceId>,
    /// Failures of the network.
    pub failed: Vec<Failed>,
}

/// Detectors of many appliances, each under its model. Two models of the same family and version must be one, but for floors of fleets.
#[derive(Default)]
pub struct Detectors {
    watched: HashMap<ApplianceId, Watched>,
}

/// One appliance being watched.
struct Watched {
    model: Arc<Model>,
    detector: Detector,
    /// What was told last: an alarm, or the end of one.
    alarming: bool,
    told: Option<Told>,
    /// What was told last of whether it is watched.
    standing: Option<Standing>,
}

/// What was told of an alarm.
struct Told {
    class: String,
    probability: f32,
    score: f32,
}

/// A model step that waits for the network, with the row that has completed it.
type Waiting = (RowRef, Pending);

impl RowRef {
    /// Of this row.
    pub fn of(row: &StoredRow) -> Self {
        Self {
            place: (row.partition, row.ingest_no),
            appliance: row.appliance,
            trace: row.trace,
        }
    }
}

impl Detectors {
    /// Watches an appliance from now on. What the detector had told when it was saved follows from its state, since it is
    /// saved whenever it tells something.
    pub fn insert(&mut self, appliance: ApplianceId, model: Arc<Model>, detector: Detector) {
        let told = detector.standing(&model);
        let told = told.map(|(class, probability)| Told {
            class: class.to_owned(),
            probability,
            score: detector.told_score(),
        });
        let watched = Watched {
            alarming: detector.alarming(),
            told,
            standing: detector.watch_state(),
            detector,
            model,
        };
        self.watched.insert(appliance, watched);
    }

    /// Watches it no more.
    pub fn remove(&mut self, appliance: ApplianceId) {
        self.watched.remove(&appliance);
    }

    /// The model and the detector of an appliance that is watched.
    pub fn get(&self, appliance: ApplianceId) -> Option<(&Model, &Detector)> {
        let watched = self.watched.get(&appliance)?;
        Some((watched.model.as_ref(), &watched.detector))
    }

    /// Gives rows to their detectors, each appliance's in order; windows of several rows, of one appliance or of many, share the
    /// network's batches. A row that is no reading, or whose appliance is not watched, is passed over.
    pub fn score(&mut self, rows: Vec<StoredRow>, manner: &Manner<'_>) -> Batch {
        let mut batch = Batch::default();
        let most = manner.windows.clamp(1, WINDOWS_MAX);
        // By model and version.
        let mut waiting: BTreeMap<String, (Arc<Model>, Vec<Waiting>)> = BTreeMap::new();
        for row in rows.iter().filter(|row| is_reading(row)) {
            let Some((model, steps)) = self.prepare(row, manner, &mut batch) else {
                continue;
            };
            let (_, of_model) = match waiting.get_mut(model.version()) {
                Some(of_model) => of_model,
                None => waiting
                    .entry(model.version().to_owned())
                    .or_insert((model.clone(), Vec::new())),
            };
            of_model.extend(steps.into_iter().map(|pending| (RowRef::of(row), pending)));
            if of_model.len() >= most {
                let rest = of_model.split_off(of_model.len() - of_model.len() % most);
                let full = std::mem::replace(of_model, rest);
                self.conclude_all(&model, full, manner, &mut batch);
            }
        }
        for (model, steps) in waiting.into_values() {
            self.conclude_all(&model, steps, manner, &mut batch);
        }
        manner.progress.end();
        batch
    }

    /// Gives the detector of this row's appliance what it still gathers, since nothing comes behind this row: what is judged counts
    /// as completed by it. None if nothing was gathered.
    pub(crate) fn end(&mut self, row: RowRef, manner: &Manner<'_>) -> Option<Batch> {
        let watched = self.watched.get_mut(&row.appliance)?;
        let model = watched.model.clone();
        let steps = watched.detector.take_rest(&model)?;
        let waiting = steps.into_iter().map(|pending| (row, pending)).collect();
        let mut batch = Batch::default();
        self.conclude_all(&model, waiting, manner, &mut batch);
        manner.progress.end();
        Some(batch)
    }

    /// Runs the network over windows of one model, some at a time.
    fn conclude_all(&mut self, model: &Model, waiting: Vec<Waiting>, manner: &Manner<'_>, batch: &mut Batch) {
        let mut waiting = waiting.into_iter().peekable();
        while waiting.peek().is_some() {
            let windows = waiting.by_ref().take(manner.windows.clamp(1, WINDOWS_MAX)).collect();
            self.conclude(model, windows, manner, batch);
        }
    }

    /// Gives a row to its detector: its model, and the steps that then wait for the network; none if there are none.
    fn prepare(
        &mut self,
        row: &StoredRow,
        manner: &Manner<'_>,
        batch: &mut Batch,
    ) -> Option<(Arc<Model>, Vec<Pending>)> {
        let watched = self.watched.get_mut(&row.appliance)?;
        let which = RowRef::of(row);
        manner.progress.begin(which);
        let model = &watched.model;
        let taken = watched
            .detector
            .take(model, &dequantise(row, model.profile()), row.received_at);
        if !manner.again {
            batch.unjudged.extend(taken.unjudged.map(|why| (which, why)));
            let standing = watched.detector.watch_state();
            if standing != watched.standing {
                watched.standing = standing;
                batch.changed.insert(row.appliance);
            }
        }
        (!taken.steps.is_empty()).then(|| (model.clone(), taken.steps))
    }

    /// Runs the network over these windows of one model and lets each detector judge, in order.
    fn conclude(&mut self, model: &Model, waiting: Vec<Waiting>, manner: &Manner<'_>, batch: &mut Batch) {
        let rows: Vec<RowRef> = waiting.iter().map(|(row, _)| *row).collect();
        manner.progress.begin_all(&rows);
        let windows: Vec<_> = waiting.iter().filter_map(|(_, pending)| pending.window()).collect();
        let made = model.reconstruct(&windows).unwrap_or_else(|error| {
            let model = model.version().to_owned();
            batch.failed.push(Failed { model, error });
            Vec::new()
        });
        let mut made = made.into_iter();
        for (row, pending) in waiting {
            manner.progress.begin(row);
            let reconstruction = pending.window().and_then(|_| made.next());
            if let Some(watched) = self.watched.get_mut(&row.appliance) {
                batch
                    .judged
                    .push(watched.judge(row, pending, reconstruction, manner.again));
            }
        }
    }
}

impl Watched {
    fn judge(&mut self, row: RowRef, pending: Pending, made: Option<Reconstruction>, again: bool) -> Judged {
        let verdict = self.detector.conclude(&self.model, pending, made);
        let mut news = Vec::new();
        if !again {
            news.extend(self.news(&row, &verdict));
            news.extend(verdict.apart.iter().map(|prediction| self.told_of(&row, prediction)));
        }
        Judged { row, verdict, news }
    }

    fn told_of(&self, row: &RowRef, prediction: &FaultPrediction) -> Observation {
        Observation::Alarm {
            appliance: row.appliance,
            prediction: Box::new(prediction.clone()),
            evidence: self.detector.evidence(&self.model, prediction),
            trace: row.trace,
        }
    }

    fn news(&mut self, row: &RowRef, verdict: &Verdict) -> Option<Observation> {
        let appliance = row.appliance;
        let ended = self.alarming && !verdict.alarm;
        self.alarming = verdict.alarm;
        if ended {
            self.told = None;
            self.detector.note_told(None);
            return Some(Observation::Clear { appliance });
        }
        let prediction = verdict.prediction.as_ref()?;
        let is_news = match &self.told {
            None => true,
            Some(told) => {
                told.class != prediction.fault_class
                    || prediction.probability > told.probability
                    || prediction.score >= GROWN * told.score
            }
        };
        if !is_news {
            return None;
        }
        self.told = Some(Told {
            class: prediction.fault_class.clone(),
            probability: prediction.probability,
            score: prediction.score,
        });
        self.detector.note_told(Some(prediction.score));
        Some(self.told_of(row, prediction))
    }
}

/// A fault event, or a row without a single value, says nothing to a detector.
pub fn is_reading(row: &StoredRow) -> bool {
    row.lane == Lane::Telemetry && row.values.iter().any(Option::is_some)
}

/// In the order of the channels of the model's profile, each by what the profile said when the row was written.
fn dequantise(row: &StoredRow, profile: &ApplianceProfile) -> Row {
    let value = |channel: &hub_core::profile::Channel| row.profile.value(&row.values, &channel.name);
    Row {
        at: row.at,
        values: profile.channels.iter().map(value).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use std::path::Path;

    fn verdict(calibrating: bool) -> Verdict {
        Verdict {
            at: Timestamp::UNIX_EPOCH,
            calibrating,
            judged: !calibrating,
            score: 0.0,
            held: 0.0,
            baseline_score: 0.0,
            autoencoder_score: 0.0,
            alarm: false,
            prediction: None,
            apart: vec![],
            contributions: vec![],
            values: vec![],
            suspect: vec![],
        }
    }

    /// Figures that had never come begin to, and more of them are learned than compared: nobody would tell the end later.
    #[test]
    fn an_alarm_whose_detector_learns_again_ends() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/evaluation/pump-rig-1");
        let model = Arc::new(Model::load(&folder).unwrap());
        let row = RowRef {
            place: (0, 1),
            appliance: ApplianceId(1),
            trace: TraceId::new(Timestamp::UNIX_EPOCH, [0; 10]),
        };
        let appliance = row.appliance;
        for calibrating in [false, true] {
            let mut watched = Watched {
                detector: Detector::new(&model),
                model: model.clone(),
                alarming: true,
                told: Some(Told {
                    class: "flow_loss".to_owned(),
                    probability: 0.3,
                    score: 1.2,
                }),
                standing: None,
            };
            let told = watched.news(&row, &verdict(calibrating));
            assert_eq!(told, Some(Observation::Clear { appliance }));
            assert!(watched.told.is_none() && !watched.alarming);
            assert_eq!(watched.news(&row, &verdict(calibrating)), None, "once");
        }
    }
}
