//! telemetry → prediction: scores stored rows in commit order and saves offsets, checkpoints and findings together. The shell
//! of it: what is read when, and what follows from a failure.
//!
//! A round takes what waits, at most [`ROWS_MAX`] rows. What tells something is saved with the checkpoint of its detector;
//! other checkpoints are saved now and then ([`ledger`]). After a restart detectors are first given again what is in none.

mod ledger;
mod scoring;
mod watching;

#[cfg(test)]
mod fake;

use super::{BACKOFF, Figures, PATIENCE, in_time};
use crate::config::Scoring;
use hub_core::clock::CivilClock;
use hub_predict::Registry;
use hub_store::prediction::{FindingChange, ScoredUpTo, ScoringCommit};
use hub_store::telemetry::StoredRow;
use hub_store::{Store, StoreError};
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use watching::{DETECTORS_MAX, Watching};

/// Rows scored in one go: bounds the memory and the time to the next commit.
const ROWS_MAX: usize = 4_000;

/// The state of the worker; all of it can be rebuilt from the store.
pub struct ScoreWorker {
    store: Arc<dyn Store>,
    registry: Arc<Registry>,
    /// Names of the families that a model watches: readings of others are passed over by the store.
    families: Vec<String>,
    clock: Arc<dyn CivilClock>,
    pace: Scoring,
    /// None until the store has told how far scoring has come.
    watching: Option<Watching>,
    /// What was scored and has to be saved before anything else: `watching` is ahead of the store by this.
    unsaved: Option<ScoringCommit>,
    /// When the new readings in it were received.
    received: Vec<Timestamp>,
    /// Rows to take next: [`ROWS_MAX`], or fewer while a row is searched that cannot be scored.
    rows: usize,
    /// Detectors are being given rows again.
    is_repeating: bool,
    /// Rows are read again after a restart, unless that has just failed.
    reads_again: bool,
    figures: Arc<Figures>,
}

/// What a round did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    /// Nothing was there to do.
    Idle,
    /// New rows were scored, so many.
    Scored(usize),
    /// Rows were given to detectors again.
    Repeated,
}

/// Why a batch was not scored.
#[derive(Debug, thiserror::Error)]
enum ScoringError {
    #[error("the store failed")]
    Store(#[from] StoreError),
    #[error("the scoring thread ended")]
    Thread(#[from] tokio::task::JoinError),
}

impl ScoringError {
    /// The store is away, and nothing of what it was asked depends on what it did: the same is asked again.
    fn is_passing(&self) -> bool {
        matches!(self, Self::Store(StoreError::Unavailable(_)))
    }

    /// It is not for what was scored.
    fn is_of_the_store(&self) -> bool {
        matches!(
            self,
            Self::Store(StoreError::Unavailable(_) | StoreError::Conflict(_) | StoreError::Deposed)
        )
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
            store,
            registry,
            families,
            clock,
            pace,
            watching: None,
            unsaved: None,
            received: Vec::new(),
            rows: ROWS_MAX,
            is_repeating: false,
            reads_again: true,
            figures,
        }
    }

    /// Works until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut backoff = BACKOFF;
        // Whether more waits than one look takes: then a steady load on ingest must not hold up scoring for ever. So it is at
        // the start, as long as rows are read again.
        let mut behind = true;
        while !stop.is_cancelled() {
            if !behind {
                // Devices that wait for an acknowledgement go first, and a flood is taken in large rounds.
                stop.run_until_cancelled(self.store.ingest_calm(self.pace.lag())).await;
            }
            let rest = match self.round().await {
                Ok(Round::Idle) => {
                    behind = false;
                    backoff.reset();
                    self.figures.scoring_idle.fetch_add(1, Ordering::Relaxed);
                    let since = Instant::now();
                    stop.run_until_cancelled(self.store.telemetry_arrived(PATIENCE)).await;
                    self.pace.pause().saturating_sub(since.elapsed())
                }
                Ok(Round::Scored(rows)) => {
                    backoff.reset();
                    // Each partition gives the same share, rounded down, so a round that is cut off is not always full.
                    behind = rows * 2 >= self.rows;
                    self.rows = (self.rows * 2).min(ROWS_MAX);
                    self.reads_again = true;
                    if behind { Duration::ZERO } else { self.pace.pause() }
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
        // What is in memory may be another than what was saved: begin again from the checkpoints.
        (self.watching, self.unsaved) = (None, None);
        if error.is_of_the_store() {
            return;
        }
        if self.is_repeating {
            // A row that cannot be given again must not stop the new ones.
            self.reads_again = false;
        } else {
            self.narrow().await;
        }
    }

    /// After a failure that is not the store's being away: takes fewer rows, down to the one that cannot be scored, and
    /// passes over that one, so that a single row never stops the others.
    async fn narrow(&mut self) {
        if self.rows > 1 {
            self.rows /= 2;
            return;
        }
        let Ok(rows) = in_time(self.store.unscored(1, Some(&self.families))).await else {
            return;
        };
        let mut offsets = ScoredUpTo::reach(&rows);
        // Rows before it are in no checkpoint, perhaps.
        offsets.iter_mut().for_each(|offset| offset.kept_no = 0);
        let commit = ScoringCommit {
            offsets,
            ..ScoringCommit::default()
        };
        if let (Some(row), Ok(_)) = (
            rows.first(),
            in_time(self.store.commit_scoring(&commit, self.clock.now())).await,
        ) {
            tracing::error!(appliance = %row.appliance, trace = %row.trace, "a row cannot be scored and was passed over");
        }
    }

    /// Scores what has come, or gives detectors again what was scored before a restart.
    async fn round(&mut self) -> Result<Round, ScoringError> {
        self.save().await?;
        self.drop_restarted().await?;
        if self.watching.is_none() {
            self.watching = Some(self.begin().await?);
        }
        let Some(watching) = &mut self.watching else {
            return Ok(Round::Idle);
        };
        let stretches = watching.again(ROWS_MAX);
        self.is_repeating = !stretches.is_empty();
        let rows = if stretches.is_empty() {
            in_time(self.store.unscored(self.rows, Some(&self.families))).await?
        } else {
            in_time(self.store.scored_rows(&stretches, Some(&self.families))).await?
        };
        if stretches.is_empty() {
            self.figures.scoring_lag(oldest(&rows), self.clock.now());
            if rows.is_empty() {
                return Ok(Round::Idle);
            }
        }
        let missing = watching.missing(&rows);
        if !missing.is_empty() {
            for subject in in_time(self.store.scoring_subjects(&missing)).await? {
                watching.admit(&subject);
            }
        }
        let round = match stretches.is_empty() {
            true => Round::Scored(rows.len()),
            false => Round::Repeated,
        };
        let Some(mut watching) = self.watching.take() else {
            return Ok(Round::Idle);
        };
        self.received = match round {
            Round::Scored(_) => rows.iter().map(|row| row.received_at).collect(),
            Round::Idle | Round::Repeated => Vec::new(),
        };
        let now = Instant::now();
        let scored = tokio::task::spawn_blocking(move || {
            let commit = match stretches.is_empty() {
                true => watching.score(rows, now),
                false => watching.repeat(rows, &stretches, now),
            };
            (watching, commit)
        });
        let (watching, commit) = scored.await?;
        self.watching = Some(watching);
        self.unsaved = Some(commit);
        self.save().await?;
        Ok(round)
    }

    /// What the store has, and from where rows are read again.
    async fn begin(&self) -> Result<Watching, ScoringError> {
        let offsets = in_time(self.store.scored_up_to()).await?;
        let mut watching = Watching::new(self.registry.clone(), &offsets, DETECTORS_MAX);
        let rows: i64 = offsets
            .iter()
            .map(|offset| (offset.ingest_no - offset.kept_no).max(0))
            .sum();
        if !self.reads_again {
            watching.skip();
            tracing::error!(
                rows,
                "rows that were scored cannot be read again: detectors go on from their checkpoints"
            );
        } else if rows > 0 {
            tracing::info!(rows, "rows that are in no checkpoint are read again");
        }
        Ok(watching)
    }

    /// Detectors of appliances whose baseline was restarted go, before anything else is read.
    async fn drop_restarted(&mut self) -> Result<(), ScoringError> {
        // Not the error of a store that is away: it may have told them.
        let late = |_| StoreError::Conflict("restarted baselines were perhaps told".to_owned());
        let told = tokio::time::timeout(super::STORE_LIMIT, self.store.baselines_restarted()).await;
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
        let Some(commit) = &self.unsaved else {
            return Ok(());
        };
        if !(commit.offsets.is_empty() && commit.checkpoints.is_empty()) {
            for change in in_time(self.store.commit_scoring(commit, self.clock.now())).await? {
                log_change(&change);
            }
            self.figures.checkpoints_saved(commit.checkpoints.len());
        }
        self.unsaved = None;
        let received = std::mem::take(&mut self.received);
        self.figures.scores_saved(&received, self.clock.now());
        Ok(())
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
