//! telemetry → prediction: scores stored rows in commit order and saves offsets, checkpoints and findings together. The shell
//! of it: what is asked of the store, and what follows from a failure. How rows are scored, and what is to be saved of it,
//! [`hub_predict::Watch`] knows.
//!
//! A round takes what waits, at most [`ROWS_MAX`] rows. What tells something is saved with the checkpoint of its detector;
//! other checkpoints are saved now and then. After a restart detectors are first given again what is in none.
//!
//! Where firmware has changed, a baseline starts over with the first reading behind the change ([`firmware`]).
//!
//! A row that ends the scoring thread is left out from then on ([`suspect`]): detectors begin again from their checkpoints,
//! and all other rows are given to them; with the third such row of an appliance, nothing more of it is scored. What the store
//! refuses is saved one by one, but for what it refuses. All that is passed over is counted.

mod failure;
mod firmware;
mod floors;
mod saving;
mod suspect;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod noting;
#[cfg(test)]
mod tests;

use super::{BACKOFF, Figures, PATIENCE, in_time};
use crate::config::Scoring;
use failure::ScoringError;
use firmware::Waiting;
use floors::InForce;
use hub_core::clock::CivilClock;
use hub_core::partition::PARTITIONS;
use hub_predict::{Failed, Progress, ROWS_MAX, Registry, Scored, Watch};
use hub_store::prediction::{PredictionStore, Stretch};
use hub_store::telemetry::{StoredRow, TelemetryStore};
use hub_store::{Store, StoreError};
use jiff::Timestamp;
use saving::Unsaved;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use suspect::{LeftOut, Suspect};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The state of the worker; all of it can be rebuilt from the store.
pub struct ScoreWorker {
    telemetry: Arc<dyn TelemetryStore>,
    predictions: Arc<dyn PredictionStore>,
    /// The models that are served now.
    registry: watch::Receiver<Arc<Registry>>,
    /// Floors of fleets that detectors judge by.
    floors: InForce,
    clock: Arc<dyn CivilClock>,
    pace: Scoring,
    /// None until the store has told how far scoring has come.
    watch: Option<Watch>,
    /// What was scored and has to be saved before anything else: `watch` is ahead of the store by this.
    unsaved: Option<Unsaved>,
    /// New rows to take next: [`ROWS_MAX`], or fewer after a failure of which no row is known. Until it is that many again,
    /// windows are scored one by one, and one partition after the other is read again.
    rows: usize,
    /// What detectors are being given again; nothing while new rows are scored.
    repeating: Vec<Stretch>,
    suspect: Arc<Suspect>,
    /// What is told to `suspect`.
    progress: Arc<dyn Progress>,
    left_out: LeftOut,
    /// Firmware that changed, and what waits for something.
    waiting: Waiting,
    figures: Arc<Figures>,
}

/// Rows for a round.
struct Found {
    rows: Vec<StoredRow>,
    round: Round,
    /// How far behind new rows the scorer is.
    behind: Duration,
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

impl ScoreWorker {
    /// A worker with no detector in memory yet. Where other models are sent to it, the next round begins with them: detectors
    /// go on from the checkpoints of theirs, and a model that has none learns the baseline first.
    pub fn new(
        store: Arc<dyn Store>,
        registry: watch::Receiver<Arc<Registry>>,
        clock: Arc<dyn CivilClock>,
        pace: Scoring,
        figures: Arc<Figures>,
    ) -> Self {
        let suspect = Arc::<Suspect>::default();
        Self {
            telemetry: store.clone(),
            predictions: store.clone(),
            floors: InForce::new(store),
            registry,
            clock,
            pace,
            watch: None,
            unsaved: None,
            rows: ROWS_MAX,
            repeating: Vec::new(),
            progress: suspect.clone(),
            suspect,
            left_out: LeftOut::default(),
            waiting: Waiting::default(),
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

    /// Scores what has come, or gives detectors again what was scored before a restart.
    async fn round(&mut self) -> Result<Round, ScoringError> {
        self.save().await?;
        self.suspect.take();
        self.repeating.clear();
        self.drop_restarted().await?;
        self.begin().await?;
        let Some(mut found) = self.look().await? else {
            return Ok(Round::Idle);
        };
        if self.repeating.is_empty() {
            self.follow_firmware(&mut found, Instant::now()).await?;
        }
        let left_out = self.left_out.blank(&mut found.rows);
        self.admit(&found.rows).await?;
        let scored = self.give(found.rows).await?;
        self.unsaved = Some(Unsaved {
            commit: scored.commit,
            received: scored.received,
            // What is read again was counted when it was new.
            passed_over: if self.repeating.is_empty() { left_out } else { 0 },
        });
        self.save().await?;
        if self.repeating.is_empty() {
            // Not before that is saved: ingest must not wait for a scorer that fails.
            self.telemetry.scoring_is_behind(found.behind);
            self.rows = (self.rows * 2).min(ROWS_MAX);
        }
        Ok(found.round)
    }

    /// Begins with what the store has, unless that was done; once more when other models are served, or other floors are in force.
    async fn begin(&mut self) -> Result<(), ScoringError> {
        let is_same = !self.registry.has_changed().unwrap_or(false);
        let are_others = self.floors.are_others(Instant::now()).await?;
        if is_same && !are_others && self.watch.is_some() {
            return Ok(());
        }
        if !is_same {
            // What ended the thread may have been the model that went.
            self.left_out = LeftOut::default();
        }
        self.watch = None;
        let offsets = in_time(self.predictions.scored_up_to()).await?;
        let registry = self.registry.borrow_and_update().clone();
        let watch = Watch::new(registry, &offsets, self.progress.clone());
        self.watch = Some(watch.with_floors(self.floors.known()));
        let rows: i64 = offsets
            .iter()
            .map(|offset| (offset.ingest_no - offset.kept_no).max(0))
            .sum();
        if rows > 0 {
            tracing::info!(rows, "rows after the last checkpoint are read again");
        }
        Ok(())
    }

    /// Rows to give next, if there are any: those that detectors have lost go before new ones.
    async fn look(&mut self) -> Result<Option<Found>, ScoringError> {
        let is_careful = self.is_careful();
        let Some(watch) = &mut self.watch else {
            return Ok(None);
        };
        watch.be_careful(is_careful);
        self.repeating = watch.again(ROWS_MAX, if is_careful { 1 } else { PARTITIONS });
        let families = Some(watch.families());
        if !self.repeating.is_empty() {
            return Ok(Some(Found {
                rows: in_time(self.predictions.scored_rows(&self.repeating, families)).await?,
                round: Round::Repeated,
                behind: Duration::ZERO,
            }));
        }
        let found = in_time(self.telemetry.unscored(self.rows, families)).await?;
        let (oldest, now) = (oldest(&found.rows), self.clock.now());
        self.figures.scoring_looked(oldest, now);
        if found.rows.is_empty() {
            self.telemetry.scoring_is_behind(Duration::ZERO);
            return Ok(None);
        }
        let behind = oldest.filter(|_| found.more).map(|oldest| now.duration_since(oldest));
        Ok(Some(Found {
            rows: found.rows,
            round: Round::Scored { more: found.more },
            behind: behind.and_then(|behind| behind.try_into().ok()).unwrap_or_default(),
        }))
    }

    /// Takes into memory whose rows are to be given.
    async fn admit(&mut self, rows: &[StoredRow]) -> Result<(), ScoringError> {
        let Some(watch) = &mut self.watch else {
            return Ok(());
        };
        let missing = watch.missing(rows);
        if !missing.is_empty() {
            for subject in in_time(self.predictions.scoring_subjects(&missing)).await? {
                watch.admit(&subject);
            }
        }
        Ok(())
    }

    /// Gives rows to detectors, on a thread that may take its time. If the thread ends, so have they.
    async fn give(&mut self, rows: Vec<StoredRow>) -> Result<Scored, ScoringError> {
        let Some(mut watch) = self.watch.take() else {
            return Ok(Scored::default());
        };
        let (stretches, now) = (self.repeating.clone(), Instant::now());
        let scoring = tokio::task::spawn_blocking(move || {
            let scored = match stretches.is_empty() {
                true => watch.score(rows, now),
                false => watch.repeat(rows, &stretches, now),
            };
            (watch, scored)
        });
        let (watch, scored) = scoring.await?;
        self.figures.judged(watch.states(), &scored.unjudged);
        self.watch = Some(watch);
        for Failed { model, error } in &scored.failed {
            tracing::error!(
                model,
                error = error as &dyn std::error::Error,
                "model failed: windows not scored"
            );
        }
        Ok(scored)
    }

    /// Detectors of appliances whose baseline was restarted go, before anything else is read.
    async fn drop_restarted(&mut self) -> Result<(), ScoringError> {
        // Not the error of a store that is away: it may have told them.
        let late = |_| StoreError::Conflict("restarted baselines were perhaps told".to_owned());
        let told = tokio::time::timeout(super::STORE_LIMIT, self.predictions.baselines_restarted()).await;
        for appliance in told.map_err(late)?? {
            if let Some(watch) = &mut self.watch {
                watch.forget(appliance);
            }
        }
        Ok(())
    }
}

/// When the oldest of these rows was received.
fn oldest(rows: &[StoredRow]) -> Option<Timestamp> {
    rows.iter().map(|row| row.received_at).min()
}
