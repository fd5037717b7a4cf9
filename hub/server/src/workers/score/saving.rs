//! What was scored is saved: as a whole, or one by one where the store refuses that.

use super::ScoreWorker;
use super::failure::{ScoringError, is_refusal};
use crate::workers::in_time;
use crate::workers::passed_over::Passed;
use hub_core::id::ApplianceId;
use hub_core::situation::FindingChange;
use hub_store::StoreError;
use hub_store::budget::MonthScore;
use hub_store::prediction::ScoringCommit;
use jiff::Timestamp;

/// What was scored and is not saved yet.
#[derive(Debug, Default)]
pub(super) struct Unsaved {
    pub(super) commit: ScoringCommit,
    /// When the new readings that detectors were given for it were received.
    pub(super) received: Vec<Timestamp>,
    /// New readings in its reach that no detector was given, since their appliances are left out.
    pub(super) passed_over: usize,
}

impl ScoreWorker {
    /// Saves what was scored. Where the store is away, the same is tried again before anything else is done: if it was saved
    /// after all, the store says that somebody was faster.
    pub(super) async fn save(&mut self) -> Result<(), ScoringError> {
        let Some(Unsaved { commit, .. }) = &self.unsaved else {
            return Ok(());
        };
        if !(commit.offsets.is_empty() && commit.checkpoints.is_empty() && commit.shadow.is_empty()) {
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

    pub(super) async fn commit(&self, commit: &ScoringCommit) -> Result<(), StoreError> {
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
            scores: scores_of(commit, checkpoint.appliance),
            ..ScoringCommit::default()
        });
        let shadow = ScoringCommit {
            shadow: commit.shadow.clone(),
            ..ScoringCommit::default()
        };
        let offsets = ScoringCommit {
            offsets: commit.offsets.clone(),
            watching: commit.watching.clone(),
            ..ScoringCommit::default()
        };
        let parts: Vec<ScoringCommit> = told.chain(kept).chain([shadow, offsets]).collect();
        for part in &parts {
            match self.commit(part).await {
                Err(error) if is_refusal(&error) && part.offsets.is_empty() => self.pass_over(part, &error),
                saved => saved?,
            }
        }
        Ok(())
    }

    /// The store refuses this observation or checkpoint, or what challengers say.
    fn pass_over(&self, part: &ScoringCommit, error: &StoreError) {
        if !part.shadow.is_empty() {
            self.figures.passed_over(Passed::Observation, 1);
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "what challengers say cannot be saved, passed over"
            );
        }
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
            "result or state of a detector cannot be saved, passed over"
        );
    }
}

/// What goes with the checkpoint of an appliance.
fn scores_of(commit: &ScoringCommit, appliance: ApplianceId) -> Vec<MonthScore> {
    let own = commit.scores.iter().filter(|score| score.appliance == appliance);
    own.cloned().collect()
}

fn log_change(change: &FindingChange) {
    let finding = &change.finding;
    tracing::info!(
        trace = %finding.trace, appliance = %finding.appliance, finding = %finding.id, fault_class = finding.fault_class,
        probability = f64::from(finding.prediction.probability), state = ?finding.state,
        ticket_opened = change.opened.is_some(), "finding changed"
    );
}
