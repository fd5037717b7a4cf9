//! How far one partition has been read.

use hub_store::prediction::{ScoredUpTo, Stretch};
use jiff::Timestamp;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Rows up to this one were scored.
    pub(super) scored: i64,
    scored_received_at: Timestamp,
    /// Rows up to this one were given to detectors: fewer than were scored, while rows are read again.
    pub(super) read: i64,
    /// Newest receipt known of these.
    pub(super) received_at: Timestamp,
    /// Rows up to this one are in checkpoints or need none, as was said last.
    kept: i64,
    kept_received_at: Timestamp,
}

impl Place {
    /// As the store has it: what is in no checkpoint has to be read again.
    pub(super) fn new(offset: &ScoredUpTo) -> Self {
        let is_whole = offset.kept_no >= offset.ingest_no;
        let (read, received_at) = match is_whole {
            true => (offset.ingest_no, offset.received_at),
            false => (offset.kept_no, offset.kept_received_at),
        };
        Self {
            scored: offset.ingest_no,
            scored_received_at: offset.received_at,
            read,
            received_at,
            kept: read,
            kept_received_at: received_at,
        }
    }

    /// New rows were scored.
    pub(super) fn score(&mut self, up_to: &ScoredUpTo) {
        self.scored = up_to.ingest_no.max(self.scored);
        self.read = self.scored;
        self.received_at = up_to.received_at.max(self.received_at);
        self.scored_received_at = self.received_at;
    }

    /// This stretch was read again.
    pub(super) fn repeat(&mut self, stretch: &Stretch) {
        self.read = stretch.up_to.max(self.read);
        if self.read >= self.scored {
            self.received_at = self.scored_received_at.max(self.received_at);
        }
    }

    /// Rows up to this one are in checkpoints, all that were read if it is none; whether those are more than before.
    pub(super) fn keep(&mut self, kept: Option<(i64, Timestamp)>) -> bool {
        let (kept, received_at) = kept.unwrap_or((self.read, self.received_at));
        let moves_on = kept > self.kept;
        if moves_on {
            (self.kept, self.kept_received_at) = (kept, received_at);
        }
        moves_on
    }

    /// As the store is to have it.
    pub(super) fn offset(&self, partition: u8) -> ScoredUpTo {
        ScoredUpTo {
            partition,
            ingest_no: self.scored,
            received_at: self.received_at,
            kept_no: self.kept,
            kept_received_at: self.kept_received_at,
        }
    }
}
