//! telemetry → prediction: scores stored rows in commit order and saves offsets, checkpoints and findings together.

use super::{BACKOFF, Figures, PATIENCE, in_time};
use hub_core::clock::CivilClock;
use hub_core::id::{ApplianceId, TraceId};
use hub_core::profile::ApplianceProfile;
use hub_core::telemetry::Lane;
use hub_predict::{Detector, Model, Pending, Registry, Row, Verdict};
use hub_store::prediction::{Checkpoint, FindingChange, Observation, ScoredUpTo, ScoringCommit, ScoringSubject};
use hub_store::telemetry::StoredRow;
use hub_store::{Store, StoreError};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Rows scored in one go: bounds the memory and the time to the next commit.
const ROWS_MAX: usize = 4_000;
/// From a reading to the look at what has come, unless a whole batch waits: a look costs some statements and a commit, however
/// few readings it finds, and takes them from the devices that wait for an acknowledgement.
const LINGER: Duration = Duration::from_millis(100);
/// How long a batch waits at most while ingest is pressed: devices that wait for an acknowledgement go first.
const CALM_PATIENCE: Duration = Duration::from_secs(1);
/// Windows given to the network together; larger batches are slower for each window.
const WINDOWS_MAX: usize = 16;
/// Detectors kept in memory; beyond it they are read back from their checkpoints.
const DETECTORS_MAX: usize = 50_000;

/// One appliance being watched.
struct Watched {
    model: Arc<Model>,
    detector: Detector,
    alarming: bool,
    told: Option<(String, f32)>,
}

/// The state of the worker; all of it can be rebuilt from the store.
pub struct ScoreWorker {
    store: Arc<dyn Store>,
    registry: Arc<Registry>,
    /// Names of the families that a model watches: readings of others are passed over by the store.
    families: Vec<String>,
    clock: Arc<dyn CivilClock>,
    watched: HashMap<ApplianceId, Option<Watched>>,
    /// Rows to take next: [`ROWS_MAX`], or fewer while a row is searched that cannot be scored.
    rows: usize,
    figures: Arc<Figures>,
}

/// Why a batch was not scored.
#[derive(Debug, thiserror::Error)]
enum ScoringError {
    #[error("the store failed")]
    Store(#[from] StoreError),
    #[error("the scoring thread ended")]
    Thread(#[from] tokio::task::JoinError),
}

impl ScoreWorker {
    /// A worker with no detector in memory yet.
    pub fn new(
        store: Arc<dyn Store>,
        registry: Arc<Registry>,
        clock: Arc<dyn CivilClock>,
        figures: Arc<Figures>,
    ) -> Self {
        let families = registry.families().map(|(family, _)| family.to_owned()).collect();
        Self {
            store,
            registry,
            families,
            clock,
            watched: HashMap::new(),
            rows: ROWS_MAX,
            figures,
        }
    }

    /// Works until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut backoff = BACKOFF;
        // Whether more waits than one look takes: then a steady load on ingest must not hold up scoring for ever.
        let mut behind = false;
        while !stop.is_cancelled() {
            if !behind {
                stop.run_until_cancelled(self.store.ingest_calm(CALM_PATIENCE)).await;
            }
            let rest = match self.step().await {
                Ok(0) => {
                    behind = false;
                    backoff.reset();
                    self.figures.scoring_idle.fetch_add(1, Ordering::Relaxed);
                    stop.run_until_cancelled(self.store.telemetry_arrived(PATIENCE)).await;
                    LINGER
                }
                Ok(scored) => {
                    backoff.reset();
                    behind = scored >= self.rows;
                    self.rows = (self.rows * 2).min(ROWS_MAX);
                    if behind { Duration::ZERO } else { LINGER }
                }
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "scoring is held up, trying again"
                    );
                    // What is in memory may be ahead of what was saved: start again from the checkpoints.
                    self.watched.clear();
                    self.narrow(&error).await;
                    backoff.pause()
                }
            };
            stop.run_until_cancelled(tokio::time::sleep(rest)).await;
        }
    }

    /// After a failure that is not the store's being away: takes fewer rows, down to the one that cannot be scored, and
    /// passes over that one, so that a single row never stops the others.
    async fn narrow(&mut self, error: &ScoringError) {
        if matches!(
            error,
            ScoringError::Store(StoreError::Unavailable(_) | StoreError::Conflict(_) | StoreError::Deposed)
        ) {
            return;
        }
        if self.rows > 1 {
            self.rows /= 2;
            return;
        }
        let Ok(rows) = in_time(self.store.unscored(1, Some(&self.families))).await else {
            return;
        };
        let commit = ScoringCommit {
            offsets: ScoredUpTo::reach(&rows),
            ..ScoringCommit::default()
        };
        if let (Some(row), Ok(_)) = (
            rows.first(),
            in_time(self.store.commit_scoring(&commit, self.clock.now())).await,
        ) {
            tracing::error!(appliance = %row.appliance, trace = %row.trace, "a row cannot be scored and was passed over");
        }
    }

    /// Scores what has come; how many rows that was.
    async fn step(&mut self) -> Result<usize, ScoringError> {
        for appliance in in_time(self.store.baselines_restarted()).await? {
            self.watched.remove(&appliance);
        }
        let rows = in_time(self.store.unscored(self.rows, Some(&self.families))).await?;
        if rows.is_empty() {
            return Ok(0);
        }
        self.watch(&rows).await?;
        let count = rows.len();
        let watched = std::mem::take(&mut self.watched);
        let (watched, commit) = tokio::task::spawn_blocking(move || score(watched, rows)).await?;
        for change in in_time(self.store.commit_scoring(&commit, self.clock.now())).await? {
            log_change(&change);
        }
        self.watched = watched;
        Ok(count)
    }

    /// Has a detector in memory for each appliance of `rows`.
    async fn watch(&mut self, rows: &[StoredRow]) -> Result<(), ScoringError> {
        if self.watched.len() > DETECTORS_MAX {
            self.watched.clear();
        }
        let mut missing: Vec<ApplianceId> = rows
            .iter()
            .map(|r| r.appliance)
            .filter(|a| !self.watched.contains_key(a))
            .collect();
        missing.sort_unstable();
        missing.dedup();
        if missing.is_empty() {
            return Ok(());
        }
        for subject in in_time(self.store.scoring_subjects(&missing)).await? {
            let watched = watch_one(&self.registry, &subject);
            self.watched.insert(subject.appliance, watched);
        }
        Ok(())
    }
}

fn watch_one(registry: &Registry, subject: &ScoringSubject) -> Option<Watched> {
    let name = subject.model.as_deref().unwrap_or(&subject.profile);
    let Some(model) = registry.get(name).cloned() else {
        tracing::info!(appliance = %subject.appliance, model = name, "no model watches this appliance: its readings are stored only");
        return None;
    };
    let restored = subject
        .checkpoint
        .as_ref()
        .filter(|c| c.model == model.version())
        .map(|c| Detector::restore(&model, &c.state));
    let detector = match restored {
        Some(Ok(detector)) => detector,
        Some(Err(error)) => {
            tracing::warn!(appliance = %subject.appliance, error = &error as &dyn std::error::Error, "checkpoint cannot be read: the baseline starts anew");
            Detector::new(&model)
        }
        None => Detector::new(&model),
    };
    let alarming = detector.alarming();
    Some(Watched {
        model,
        detector,
        alarming,
        told: None,
    })
}

type WatchedAppliances = HashMap<ApplianceId, Option<Watched>>;

/// Scores rows, each appliance's in order. Windows of different appliances share the network's batches.
fn score(mut watched: WatchedAppliances, rows: Vec<StoredRow>) -> (WatchedAppliances, ScoringCommit) {
    let mut commit = ScoringCommit {
        offsets: ScoredUpTo::reach(&rows),
        ..ScoringCommit::default()
    };
    let mut queues: BTreeMap<ApplianceId, VecDeque<StoredRow>> = BTreeMap::new();
    for row in rows.into_iter().filter(is_reading) {
        queues.entry(row.appliance).or_default().push_back(row);
    }
    let touched: Vec<ApplianceId> = queues.keys().copied().collect();
    queues.retain(|appliance, _| matches!(watched.get(appliance), Some(Some(_))));
    while !queues.is_empty() {
        let mut round = Vec::new();
        for (appliance, queue) in &mut queues {
            if let (Some(row), Some(Some(unit))) = (queue.pop_front(), watched.get_mut(appliance)) {
                let pending = unit
                    .detector
                    .prepare(&unit.model, &dequantise(&row, unit.model.profile()));
                round.extend(pending.into_iter().map(|p| (*appliance, row.trace, p)));
            }
        }
        queues.retain(|_, queue| !queue.is_empty());
        conclude(&mut watched, round, &mut commit.observations);
    }
    commit.checkpoints = touched.into_iter().filter_map(|a| checkpoint(&watched, a)).collect();
    (watched, commit)
}

/// A fault event, or a row without a single value, says nothing to a detector.
fn is_reading(row: &StoredRow) -> bool {
    row.lane == Lane::Telemetry && row.values.iter().any(Option::is_some)
}

/// Runs the network over a round's windows and lets each detector judge, in order.
fn conclude(
    watched: &mut WatchedAppliances,
    round: Vec<(ApplianceId, TraceId, Pending)>,
    observations: &mut Vec<Observation>,
) {
    let mut by_model: BTreeMap<String, Vec<(ApplianceId, TraceId, Pending)>> = BTreeMap::new();
    for item in round {
        if let Some(Some(unit)) = watched.get(&item.0) {
            by_model.entry(unit.model.version().to_owned()).or_default().push(item);
        }
    }
    for items in by_model.into_values() {
        let mut items = items.into_iter().peekable();
        while items.peek().is_some() {
            conclude_batch(watched, items.by_ref().take(WINDOWS_MAX).collect(), observations);
        }
    }
}

fn conclude_batch(
    watched: &mut WatchedAppliances,
    batch: Vec<(ApplianceId, TraceId, Pending)>,
    observations: &mut Vec<Observation>,
) {
    let Some(Some(first)) = batch.first().and_then(|(a, _, _)| watched.get(a)) else {
        return;
    };
    let model = first.model.clone();
    let windows: Vec<_> = batch.iter().filter_map(|(_, _, p)| p.window()).collect();
    let mut reconstructions = match model.reconstruct(&windows) {
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
    for (appliance, trace, pending) in batch {
        let reconstruction = if pending.window().is_some() {
            reconstructions.next()
        } else {
            None
        };
        if let Some(Some(unit)) = watched.get_mut(&appliance) {
            let verdict = unit.detector.conclude(&model, pending, reconstruction);
            observations.extend(observe(appliance, unit, trace, verdict));
        }
    }
}

/// What of a verdict is worth telling: an alarm that begins, grows or is named, and the end of one.
fn observe(appliance: ApplianceId, unit: &mut Watched, trace: TraceId, verdict: Verdict) -> Option<Observation> {
    let ended = unit.alarming && !verdict.alarm && !verdict.calibrating;
    unit.alarming = verdict.alarm;
    if ended {
        unit.told = None;
        return Some(Observation::Clear { appliance });
    }
    let prediction = verdict.prediction?;
    let news = match &unit.told {
        None => true,
        Some((class, probability)) => *class != prediction.fault_class || prediction.probability > *probability,
    };
    if !news {
        return None;
    }
    unit.told = Some((prediction.fault_class.clone(), prediction.probability));
    let evidence = unit.detector.evidence(&unit.model, &prediction);
    Some(Observation::Alarm {
        appliance,
        prediction,
        evidence,
        trace,
    })
}

fn checkpoint(watched: &WatchedAppliances, appliance: ApplianceId) -> Option<Checkpoint> {
    let unit = watched.get(&appliance)?.as_ref()?;
    Some(Checkpoint {
        appliance,
        model: unit.model.version().to_owned(),
        state: unit.detector.checkpoint(),
    })
}

/// In the order of the channels of the model's profile, each by what the profile said when the row was written.
fn dequantise(row: &StoredRow, profile: &ApplianceProfile) -> Row {
    let value = |channel: &hub_core::profile::Channel| row.profile.value(&row.values, &channel.name);
    Row {
        at: row.at,
        values: profile.channels.iter().map(value).collect(),
    }
}

fn log_change(change: &FindingChange) {
    let finding = &change.finding;
    tracing::info!(
        trace = %finding.trace, appliance = %finding.appliance, finding = %finding.id, fault_class = finding.fault_class,
        probability = f64::from(finding.prediction.probability), state = ?finding.state,
        ticket_opened = change.opened.is_some(), "finding changed"
    );
}
