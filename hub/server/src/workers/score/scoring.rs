//! Rows into detectors, and what of their verdicts is worth telling. Pure: no store, no clock.

use super::suspect::{RowRef, Suspect};
use super::watching::{Unit, Units};
use hub_core::id::{ApplianceId, TraceId};
use hub_core::profile::ApplianceProfile;
use hub_core::situation::Observation;
use hub_core::telemetry::Lane;
use hub_predict::{Detector, Model, Pending, Reconstruction, Row, ScoreError, Verdict};
use hub_store::telemetry::StoredRow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Windows given to the network together; larger batches are slower for each window.
pub(super) const WINDOWS_MAX: usize = 16;

/// One appliance being watched.
pub(super) struct Watched {
    model: Arc<Model>,
    detector: Detector,
    /// What was told last: an alarm, or the end of one.
    alarming: bool,
    told: Option<(String, f32)>,
}

/// A window that waits for its reconstruction, with the row that has completed it.
pub(super) type Waiting = (RowRef, Pending);

/// The two steps that compute with what a row holds. A row may end the thread in either, and tests hand in steps that do.
pub(super) trait Steps: Send + Sync {
    /// A detector takes one row; what then waits for the network, oldest first.
    fn prepare(&self, watched: &mut Watched, row: &StoredRow) -> Vec<Pending>;

    /// The network runs over the windows among these, all of one model: one reconstruction for each window.
    fn reconstruct(&self, model: &Model, batch: &[Waiting]) -> Result<Vec<Reconstruction>, ScoreError>;
}

/// The steps of a hub.
pub(super) struct RealSteps;

impl Steps for RealSteps {
    fn prepare(&self, watched: &mut Watched, row: &StoredRow) -> Vec<Pending> {
        let row_of_model = dequantise(row, watched.model.profile());
        watched.detector.prepare(&watched.model, &row_of_model)
    }

    fn reconstruct(&self, model: &Model, batch: &[Waiting]) -> Result<Vec<Reconstruction>, ScoreError> {
        let windows: Vec<_> = batch.iter().filter_map(|(_, pending)| pending.window()).collect();
        model.reconstruct(&windows)
    }
}

/// How rows are given.
pub(super) struct Manner<'a> {
    /// Nothing is told of them: it was, or it is when the next new row says it too.
    pub(super) again: bool,
    /// Windows given to the network together, at most.
    pub(super) windows: usize,
    /// Is told which row is worked on.
    pub(super) suspect: &'a Suspect,
    /// Compute with what the rows hold.
    pub(super) steps: &'a dyn Steps,
}

impl Watched {
    /// Goes on from a detector. What it had told when it was saved follows from its state, since it is saved whenever it
    /// tells something.
    pub(super) fn new(model: Arc<Model>, detector: Detector) -> Self {
        let told = detector.standing(&model);
        let told = told.map(|(class, probability)| (class.to_owned(), probability));
        Self {
            alarming: detector.alarming(),
            told,
            detector,
            model,
        }
    }

    /// Model and version.
    pub(super) fn model(&self) -> &str {
        self.model.version()
    }

    /// Its detector as bytes.
    pub(super) fn state(&self) -> Vec<u8> {
        self.detector.checkpoint()
    }

    /// What of a verdict is worth telling: an alarm that begins, grows or is named, and the end of one.
    fn observe(&mut self, appliance: ApplianceId, trace: TraceId, verdict: Verdict) -> Option<Observation> {
        let ended = self.alarming && !verdict.alarm && !verdict.calibrating;
        self.alarming = verdict.alarm;
        if ended {
            self.told = None;
            return Some(Observation::Clear { appliance });
        }
        let prediction = verdict.prediction?;
        let news = match &self.told {
            None => true,
            Some((class, probability)) => *class != prediction.fault_class || prediction.probability > *probability,
        };
        if !news {
            return None;
        }
        self.told = Some((prediction.fault_class.clone(), prediction.probability));
        let evidence = self.detector.evidence(&self.model, &prediction);
        Some(Observation::Alarm {
            appliance,
            prediction,
            evidence,
            trace,
        })
    }
}

/// A fault event, or a row without a single value, says nothing to a detector.
pub(super) fn is_reading(row: &StoredRow) -> bool {
    row.lane == Lane::Telemetry && row.values.iter().any(Option::is_some)
}

/// Gives rows to their detectors, each appliance's in order; windows of different appliances share the network's batches.
pub(super) fn give(units: &mut Units, rows: Vec<StoredRow>, manner: &Manner<'_>) -> Vec<Observation> {
    let mut observations = Vec::new();
    let mut queues: BTreeMap<ApplianceId, VecDeque<StoredRow>> = BTreeMap::new();
    for row in rows {
        queues.entry(row.appliance).or_default().push_back(row);
    }
    while !queues.is_empty() {
        let mut round: BTreeMap<String, Vec<Waiting>> = BTreeMap::new();
        for (appliance, queue) in &mut queues {
            let (Some(row), Some(watched)) = (queue.pop_front(), watched(units, *appliance)) else {
                continue;
            };
            let which = RowRef::of(&row);
            manner.suspect.begin(which);
            let pending = manner.steps.prepare(watched, &row);
            if !pending.is_empty() {
                let waiting = pending.into_iter().map(|pending| (which, pending));
                round.entry(watched.model().to_owned()).or_default().extend(waiting);
            }
        }
        queues.retain(|_, queue| !queue.is_empty());
        for waiting in round.into_values() {
            let mut waiting = waiting.into_iter().peekable();
            while waiting.peek().is_some() {
                let batch = waiting.by_ref().take(manner.windows).collect();
                conclude(units, batch, manner, &mut observations);
            }
        }
    }
    manner.suspect.take();
    observations
}

fn watched(units: &mut Units, appliance: ApplianceId) -> Option<&mut Watched> {
    let unit: &mut Unit = units.get_mut(&appliance)?;
    unit.watched.as_mut()
}

/// Runs the network over windows of one model and lets each detector judge, in order.
fn conclude(units: &mut Units, batch: Vec<Waiting>, manner: &Manner<'_>, observations: &mut Vec<Observation>) {
    let rows: Vec<RowRef> = batch.iter().map(|(row, _)| *row).collect();
    let Some(first) = rows.first() else {
        return;
    };
    let Some(model) = watched(units, first.appliance).map(|watched| watched.model.clone()) else {
        return;
    };
    manner.suspect.begin_all(&rows);
    let mut reconstructions = match manner.steps.reconstruct(&model, &batch) {
        Ok(all) => all.into_iter(),
        Err(error) => {
            tracing::error!(
                model = model.version(),
                error = &error as &dyn std::error::Error,
                "the network failed: these windows go unscored"
            );
            Vec::new().into_iter()
        }
    };
    for (row, pending) in batch {
        manner.suspect.begin(row);
        let reconstruction = if pending.window().is_some() {
            reconstructions.next()
        } else {
            None
        };
        if let Some(watched) = watched(units, row.appliance) {
            let verdict = watched.detector.conclude(&model, pending, reconstruction);
            if !manner.again {
                observations.extend(watched.observe(row.appliance, row.trace, verdict));
            }
        }
    }
}

/// In the order of the channels of the model's profile, each by what the profile said when the row was written.
fn dequantise(row: &StoredRow, profile: &ApplianceProfile) -> Row {
    let value = |channel: &hub_core::profile::Channel| row.profile.value(&row.values, &channel.name);
    Row {
        at: row.at,
        values: profile.channels.iter().map(value).collect(),
    }
}
