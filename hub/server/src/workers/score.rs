//! telemetry → prediction: scores stored rows in commit order and saves offsets, checkpoints and findings together. The shell
//! of it: what is read when, and what follows from a failure.
//!
//! A round takes what waits, at most [`ROWS_MAX`] rows. What tells something is saved with the checkpoint of its detector;
//! other checkpoints are saved now and then ([`ledger`]). After a restart detectors are first given again what is in none.
//!
//! A row that ends the scoring thread is left out from then on ([`suspect`]): detectors begin again from their checkpoints,
//! and all other rows are given to them; with the third such row of an appliance, nothing more of it is scored. What the store
//! refuses is saved one by one, but for what it refuses. All that is passed over is counted.

mod ledger;
mod scoring;
mod suspect;
mod watching;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod noting;

use super::passed_over::Passed;
use super::{BACKOFF, Figures, PATIENCE, in_time};
use crate::config::Scoring;
use hub_core::clock::CivilClock;
use hub_core::partition::PARTITIONS;
use hub_core::situation::FindingChange;
use hub_predict::Registry;
use hub_store::prediction::{PredictionStore, ScoredUpTo, ScoringCommit, Stretch};
use hub_store::telemetry::{StoredRow, TelemetryStore};
use hub_store::{Store, StoreError};
use jiff::Timestamp;
use scoring::{RealSteps, Steps};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use suspect::{LeftOut, Suspect};
use tokio_util::sync::CancellationToken;
use watching::{DETECTORS_MAX, Watching};

/// Rows scored in one go: bounds the memory and the time to the next commit.
const ROWS_MAX: usize = 4_000;

/// The state of the worker; all of it can be rebuilt from the store.
pub struct ScoreWorker {
    telemetry: Arc<dyn TelemetryStore>,
    predictions: Arc<dyn PredictionStore>,
    registry: Arc<Registry>,
    /// Names of the families that a model watches: readings of others are passed over by the store.
    families: Vec<String>,
    clock: Arc<dyn CivilClock>,
    pace: Scoring,
    /// None until the store has told how far scoring has come.
    watching: Option<Watching>,
    /// What was scored and has to be saved before anything else: `watching` is ahead of the store by this.
    unsaved: Option<Unsaved>,
    /// New rows to take next: [`ROWS_MAX`], or fewer after a failure of which no row is known. Until it is that many again,
    /// windows are scored one by one, and one partition after the other is read again.
    rows: usize,
    /// What detectors are being given again; nothing while new rows are scored.
    repeating: Vec<Stretch>,
    suspect: Arc<Suspect>,
    steps: Arc<dyn Steps>,
    left_out: LeftOut,
    figures: Arc<Figures>,
}

/// What was scored and is not saved yet.
#[derive(Debug, Default)]
struct Unsaved {
    commit: ScoringCommit,
    /// When the new readings that detectors were given for it were received.
    received: Vec<Timestamp>,
    /// New readings in its reach that no detector was given, since their appliances are left out.
    passed_over: usize,
}

/// What a round did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    /// Nothing was there to do.
    Idle,
    /// New rows were scored; more may wait.
    Scored { more: bool },
    /// Rows were given to detectors again.
    Repeated,
}

/// Why a batch was not scored.
#[derive(Debug, thiserror::Error)]
enum ScoringError {
    #[error("the store failed")]
    Store(#[from] StoreError),
    #[error("the store takes nothing from the scorer, whatever it is")]
    Common(#[source] StoreError),
    #[error("the scoring thread ended")]
    Thread(#[from] tokio::task::JoinError),
}

impl ScoringError {
    /// The store is away, or takes nothing at all, and nothing of what it was asked depends on what it did: the same is asked
    /// again.
    fn is_passing(&self) -> bool {
        matches!(self, Self::Store(StoreError::Unavailable(_)) | Self::Common(_))
    }

    /// It is not for what was scored.
    fn is_of_the_store(&self) -> bool {
        matches!(self, Self::Store(error) if !is_refusal(error))
    }
}

/// It is for what the store was asked, and comes again however often that is asked.
fn is_refusal(error: &StoreError) -> bool {
    match error {
        StoreError::Unavailable(_) | StoreError::Conflict(_) | StoreError::Deposed => false,
        StoreError::NotFound { .. }
        | StoreError::NotAllowed(_)
        | StoreError::Account(_)
        | StoreError::Ticket(_)
        | StoreError::Attempt(_)
        | StoreError::Unreadable { .. }
        | StoreError::Refused(_) => true,
    }
}

impl ScoreWorker {
    /// A worker with no detector in memory yet.
    pub fn new(
        store: Arc<dyn Store>,
        registry: Arc<Registry>,
        clock: Arc<dyn CivilClock>,
        pace: Scoring,
        figures: Arc<Figures>,
    ) -> Self {
        let families = registry.families().map(|(family, _)| family.to_owned()).collect();
        Self {
            telemetry: store.clone(),
            predictions: store,
            registry,
            families,
            clock,
            pace,
            watching: None,
            unsaved: None,
            rows: ROWS_MAX,
            repeating: Vec::new(),
            suspect: Arc::default(),
            steps: Arc::new(RealSteps),
            left_out: LeftOut::default(),
            figures,
        }
    }

    /// Works until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut backoff = BACKOFF;
        // Whether more waits than one look takes: then a steady load on ingest must not hold up scoring without end. So it is at
        // the start, as long as rows are read again.
        let mut behind = true;
        while !stop.is_cancelled() {
            if !behind {
                // Devices that wait for an acknowledgement go first, and a flood is taken in large rounds.
                stop.run_until_cancelled(self.telemetry.ingest_calm(self.pace.lag()))
                    .await;
            }
            // The next round begins a pause after this, so that a reading does not wait for the round as well.
            let begun = Instant::now();
            let rest = match self.round().await {
                Ok(Round::Idle) => {
                    behind = false;
                    backoff.reset();
                    self.figures.scoring_idle.fetch_add(1, Ordering::Relaxed);
                    stop.run_until_cancelled(self.telemetry.telemetry_arrived(PATIENCE))
                        .await;
                    self.pace.pause().saturating_sub(begun.elapsed())
                }
                Ok(Round::Scored { more }) => {
                    backoff.reset();
                    behind = more;
                    if behind {
                        Duration::ZERO
                    } else {
                        self.pace.pause().saturating_sub(begun.elapsed())
                    }
                }
                Ok(Round::Repeated) => {
                    backoff.reset();
                    behind = true;
                    Duration::ZERO
                }
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "scoring is held up, trying again"
                    );
                    self.fail(&error).await;
                    backoff.pause()
                }
            };
            stop.run_until_cancelled(tokio::time::sleep(rest)).await;
        }
    }

    async fn fail(&mut self, error: &ScoringError) {
        if error.is_passing() {
            return;
        }
        // What is in memory may be another than what was saved: begin again from the checkpoints. Not so where new rows could
        // not be read: nothing has been given to anybody.
        if error.is_of_the_store() || self.unsaved.is_some() || !self.repeating.is_empty() {
            (self.watching, self.unsaved) = (None, None);
        }
        if error.is_of_the_store() {
            return;
        }
        match (self.suspect.take(), self.repeating.as_slice()) {
            (Some(row), _) => {
                let passed = self.left_out.add(&row);
                self.figures.passed_over(passed, 1);
            }
            (None, [stretch]) if self.is_careful() => self.skip(stretch.partition).await,
            (None, _) => self.rows = (self.rows / 2).max(1),
        }
    }

    /// Something has failed just now, and it is not known which row it was.
    fn is_careful(&self) -> bool {
        self.rows < ROWS_MAX
    }

    /// Nothing of this partition is read again: its detectors go on from their checkpoints, with a gap behind these. What
    /// cannot be read again must not stop new rows.
    async fn skip(&self, partition: u8) {
        let Ok(offsets) = in_time(self.predictions.scored_up_to()).await else {
            return;
        };
        let Some(offset) = offsets.into_iter().find(|offset| offset.partition == partition) else {
            return;
        };
        let rows = offset.ingest_no - offset.kept_no;
        let skipped = ScoredUpTo {
            kept_no: offset.ingest_no,
            kept_received_at: offset.received_at,
            ..offset
        };
        let commit = ScoringCommit {
            offsets: vec![skipped],
            ..ScoringCommit::default()
        };
        if self.commit(&commit).await.is_ok() {
            self.figures.passed_over(Passed::Stretch, 1);
            tracing::error!(
                partition,
                rows,
                "rows that were scored cannot be read again: detectors go on from their checkpoints"
            );
        }
    }

    /// Scores what has come, or gives detectors again what was scored before a restart.
    async fn round(&mut self) -> Result<Round, ScoringError> {
        self.save().await?;
        self.suspect.take();
        self.repeating.clear();
        self.drop_restarted().await?;
        if self.watching.is_none() {
            self.watching = Some(self.begin().await?);
        }
        let Some(watching) = &mut self.watching else {
            return Ok(Round::Idle);
        };
        watching.is_careful = self.rows < ROWS_MAX;
        let partitions = if watching.is_careful { 1 } else { PARTITIONS };
        self.repeating = watching.again(ROWS_MAX, partitions);
        let mut behind = Duration::ZERO;
        let (mut rows, round) = if self.repeating.is_empty() {
            let found = in_time(self.telemetry.unscored(self.rows, Some(&self.families))).await?;
            let (oldest, now) = (oldest(&found.rows), self.clock.now());
            self.figures.scoring_looked(oldest, now);
            if found.rows.is_empty() {
                self.telemetry.scoring_is_behind(Duration::ZERO);
                return Ok(Round::Idle);
            }
            if let Some(oldest) = oldest.filter(|_| found.more) {
                behind = Duration::try_from(now.duration_since(oldest)).unwrap_or_default();
            }
            (found.rows, Round::Scored { more: found.more })
        } else {
            let again = in_time(self.predictions.scored_rows(&self.repeating, Some(&self.families))).await?;
            (again, Round::Repeated)
        };
        let passed_over = self.left_out.blank(&mut rows);
        let missing = watching.missing(&rows);
        if !missing.is_empty() {
            for subject in in_time(self.predictions.scoring_subjects(&missing)).await? {
                watching.admit(&subject);
            }
        }
        let Some(mut watching) = self.watching.take() else {
            return Ok(Round::Idle);
        };
        let (received, passed_over) = match round {
            Round::Scored { .. } => {
                let scored = rows.iter().filter(|row| watching.is_wanted(row));
                (scored.map(|row| row.received_at).collect(), passed_over)
            }
            Round::Idle | Round::Repeated => (Vec::new(), 0),
        };
        let (stretches, now) = (self.repeating.clone(), Instant::now());
        let scored = tokio::task::spawn_blocking(move || {
            let commit = match stretches.is_empty() {
                true => watching.score(rows, now),
                false => watching.repeat(rows, &stretches, now),
            };
            (watching, commit)
        });
        let (watching, commit) = scored.await?;
        self.watching = Some(watching);
        self.unsaved = Some(Unsaved {
            commit,
            received,
            passed_over,
        });
        self.save().await?;
        if matches!(round, Round::Scored { .. }) {
            // Not before that is saved: ingest must not wait for a scorer that fails.
            self.telemetry.scoring_is_behind(behind);
            self.rows = (self.rows * 2).min(ROWS_MAX);
        }
        Ok(round)
    }

    /// What the store has, and from where rows are read again.
    async fn begin(&self) -> Result<Watching, ScoringError> {
        let offsets = in_time(self.predictions.scored_up_to()).await?;
        let (suspect, steps) = (self.suspect.clone(), self.steps.clone());
        let watching = Watching::new(self.registry.clone(), &offsets, DETECTORS_MAX, suspect, steps);
        let rows: i64 = offsets
            .iter()
            .map(|offset| (offset.ingest_no - offset.kept_no).max(0))
            .sum();
        if rows > 0 {
            tracing::info!(rows, "rows that are in no checkpoint are read again");
        }
        Ok(watching)
    }

    /// Detectors of appliances whose baseline was restarted go, before anything else is read.
    async fn drop_restarted(&mut self) -> Result<(), ScoringError> {
        // Not the error of a store that is away: it may have told them.
        let late = |_| StoreError::Conflict("restarted baselines were perhaps told".to_owned());
        let told = tokio::time::timeout(super::STORE_LIMIT, self.predictions.baselines_restarted()).await;
        for appliance in told.map_err(late)?? {
            if let Some(watching) = &mut self.watching {
                watching.forget(appliance);
            }
        }
        Ok(())
    }

    /// Saves what was scored. Where the store is away, the same is tried again before anything else is done: if it was saved
    /// after all, the store says that somebody was faster.
    async fn save(&mut self) -> Result<(), ScoringError> {
        let Some(Unsaved { commit, .. }) = &self.unsaved else {
            return Ok(());
        };
        if !(commit.offsets.is_empty() && commit.checkpoints.is_empty()) {
            match self.commit(commit).await {
                Err(error) if is_refusal(&error) => self.save_apart(commit).await?,
                saved => saved?,
            }
        }
        if let Some(saved) = self.unsaved.take() {
            self.figures.passed_over(Passed::Row, saved.passed_over);
            self.figures.scores_saved(&saved.received, self.clock.now());
        }
        Ok(())
    }

    async fn commit(&self, commit: &ScoringCommit) -> Result<(), StoreError> {
        let changes = in_time(self.predictions.commit_scoring(commit, self.clock.now())).await?;
        changes.iter().for_each(log_change);
        self.figures.checkpoints_saved(commit.checkpoints.len());
        Ok(())
    }

    /// Saves one by one what the store has refused as a whole, but for what it refuses alone: that must not stop the rest.
    /// Offsets come last, so that whatever is lost on the way is told once more. First of all nothing is saved: each commit
    /// also opens the tickets that are due, and where that is what the store refuses, nothing of these is at fault.
    async fn save_apart(&self, commit: &ScoringCommit) -> Result<(), ScoringError> {
        match self.commit(&ScoringCommit::default()).await {
            Err(error) if is_refusal(&error) => return Err(ScoringError::Common(error)),
            saved => saved?,
        }
        let told = commit.observations.iter().map(|observation| ScoringCommit {
            observations: vec![observation.clone()],
            ..ScoringCommit::default()
        });
        let kept = commit.checkpoints.iter().map(|checkpoint| ScoringCommit {
            checkpoints: vec![checkpoint.clone()],
            ..ScoringCommit::default()
        });
        let offsets = ScoringCommit {
            offsets: commit.offsets.clone(),
            ..ScoringCommit::default()
        };
        let parts: Vec<ScoringCommit> = told.chain(kept).chain([offsets]).collect();
        for part in &parts {
            match self.commit(part).await {
                Err(error) if is_refusal(&error) && part.offsets.is_empty() => self.pass_over(part, &error),
                saved => saved?,
            }
        }
        Ok(())
    }

    /// The store refuses this observation or checkpoint.
    fn pass_over(&self, part: &ScoringCommit, error: &StoreError) {
        let told = part.observations.first();
        let told = told.map(|observation| (Passed::Observation, observation.appliance()));
        let kept = part.checkpoints.first();
        let kept = kept.map(|checkpoint| (Passed::Checkpoint, checkpoint.appliance));
        let Some((what, appliance)) = told.or(kept) else {
            return;
        };
        self.figures.passed_over(what, 1);
        tracing::error!(
            %appliance,
            error = error as &dyn std::error::Error,
            "what a detector says or holds cannot be saved and was passed over"
        );
    }
}

/// When the oldest of these rows was received.
fn oldest(rows: &[StoredRow]) -> Option<Timestamp> {
    rows.iter().map(|row| row.received_at).min()
}

fn log_change(change: &FindingChange) {
    let finding = &change.finding;
    tracing::info!(
        trace = %finding.trace, appliance = %finding.appliance, finding = %finding.id, fault_class = finding.fault_class,
        probability = f64::from(finding.prediction.probability), state = ?finding.state,
        ticket_opened = change.opened.is_some(), "finding changed"
    );
}

#[cfg(test)]
mod tests;
