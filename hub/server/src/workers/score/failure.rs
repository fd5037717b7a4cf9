//! Why a round comes to nothing, and what follows from it.

use super::ScoreWorker;
use crate::workers::in_time;
use crate::workers::passed_over::Passed;
use hub_predict::ROWS_MAX;
use hub_store::StoreError;
use hub_store::prediction::{ScoredUpTo, ScoringCommit};

/// Why a batch was not scored.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScoringError {
    #[error("the store failed")]
    Store(#[from] StoreError),
    #[error("the store refuses everything from the scorer")]
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
pub(super) fn is_refusal(error: &StoreError) -> bool {
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
    pub(super) async fn fail(&mut self, error: &ScoringError) {
        if error.is_passing() {
            return;
        }
        // What is in memory may be another than what was saved: begin again from the checkpoints. Not so where new rows could
        // not be read: nothing has been given to anybody.
        if error.is_of_the_store() || self.unsaved.is_some() || !self.repeating.is_empty() {
            (self.watch, self.unsaved) = (None, None);
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
    pub(super) fn is_careful(&self) -> bool {
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
}
