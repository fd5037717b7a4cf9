//! What a scorer is given back for the rows it gave.

use hub_core::watching::UnjudgedCounts;
use hub_store::prediction::ScoringCommit;
use jiff::Timestamp;

use crate::batch::Failed;

/// What comes of a round.
#[derive(Debug, Default)]
pub struct Scored {
    /// What is to be saved; nothing, perhaps.
    pub commit: ScoringCommit,
    /// When the new readings that detectors were given were received.
    pub received: Vec<Timestamp>,
    /// New readings that made no model step, by reason.
    pub unjudged: UnjudgedCounts,
    /// Failures of the network.
    pub failed: Vec<Failed>,
}
