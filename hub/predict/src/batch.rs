//! The one road for a score: rows go to their detectors, windows of many rows share the network, verdicts come out.
//! The hub's scorer ([`crate::Watch`]), `forecall score` and the evaluation ([`crate::score_rows`]) take it. How rows are cut
//! into batches changes no verdict.

mod watched;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use hub_core::id::{ApplianceId, TraceId};
use hub_core::profile::ApplianceProfile;
use hub_core::situation::Observation;
use hub_core::telemetry::Lane;
use hub_core::watching::{Unjudged, WatchState, Watching};
use hub_store::telemetry::StoredRow;

use crate::detector::{Detector, Pending};
use crate::model::Model;
use crate::network::ScoreError;
use crate::table::Row;
use crate::verdict::Verdict;
use watched::{Kept, Watched};

/// Rows to score in one go, at most: bounds the memory, and the time to the next commit.
pub const ROWS_MAX: usize = 4_000;
pub(crate) use watched::GROWN;
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
    watched: HashMap<ApplianceId, Kept>,
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
    /// saved whenever it tells something. A detector of another model is kept as it is and never rests, since its state would not read back.
    pub fn insert(&mut self, appliance: ApplianceId, model: Arc<Model>, detector: Detector) {
        let mut kept = Kept::Awake(Box::new(Watched::new(model, detector)));
        kept.rest();
        self.watched.insert(appliance, kept);
    }

    /// Watches it no more.
    pub fn remove(&mut self, appliance: ApplianceId) {
        self.watched.remove(&appliance);
    }

    /// The model of an appliance that is watched.
    pub fn model(&self, appliance: ApplianceId) -> Option<&Model> {
        self.watched.get(&appliance).map(Kept::model)
    }

    /// Whether it is watched by now; none while nothing was told of it yet.
    pub fn watch_state(&self, appliance: ApplianceId) -> Option<WatchState> {
        self.watched.get(&appliance)?.watch_state()
    }

    /// Whether it is kept as small as its checkpoint until rows of it come; false if it is not watched.
    pub(crate) fn rests(&self, appliance: ApplianceId) -> bool {
        self.watched.get(&appliance).is_some_and(Kept::rests)
    }

    /// All that is told of whether it is watched.
    pub fn watching(&self, appliance: ApplianceId) -> Option<Watching> {
        self.watched.get(&appliance).map(Kept::watching)
    }

    /// What its detector holds, as [`Detector::checkpoint`] has it.
    pub fn checkpoint(&self, appliance: ApplianceId) -> Option<Vec<u8>> {
        self.watched.get(&appliance).map(Kept::checkpoint)
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
        for row in &rows {
            if let Some(kept) = self.watched.get_mut(&row.appliance) {
                kept.rest();
            }
        }
        manner.progress.end();
        batch
    }

    /// Gives the detector of this row's appliance what it still gathers, since nothing comes behind this row: what is judged counts
    /// as completed by it. None if nothing was gathered.
    pub(crate) fn end(&mut self, row: RowRef, manner: &Manner<'_>) -> Option<Batch> {
        let watched = self.watched.get_mut(&row.appliance)?.wake();
        let model = watched.model.clone();
        let steps = watched.detector.take_rest(&model)?;
        let waiting = steps.into_iter().map(|pending| (row, pending)).collect();
        let mut batch = Batch::default();
        self.conclude_all(&model, waiting, manner, &mut batch);
        if let Some(kept) = self.watched.get_mut(&row.appliance) {
            kept.rest();
        }
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
        let kept = self.watched.get_mut(&row.appliance)?;
        let which = RowRef::of(row);
        manner.progress.begin(which);
        let watched = kept.wake();
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
                    .push(watched.wake().judge(row, pending, reconstruction, manner.again));
            }
        }
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
