//! Upkeep of what is stored: aggregates are filled, and what is kept long enough goes.

use crate::error::Result;
use async_trait::async_trait;
use hub_core::id::ApplianceId;
use jiff::Timestamp;

/// What one step of a sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Partitions or chunks that were dropped whole.
    pub dropped: Vec<String>,
    /// Rows that were deleted besides.
    pub rows: u64,
    /// The sweep goes on behind this appliance; `None` when it has been through.
    pub next: Option<ApplianceId>,
}

/// Steps of upkeep, each bounded, each to be repeated as often as one likes.
#[async_trait]
pub trait UpkeepStore: Send + Sync {
    /// Adds about `limit` rows that were rolled up to the aggregates, each once whatever happens. Answers with how many
    /// rows are behind it now; ask again until it is 0, which ends a round: what is rolled up while a round is under way
    /// waits for the next, so that rounds end under any load. Where the database fills its aggregates itself, all days that rows
    /// have changed behind its back are one step, which may take minutes a day.
    async fn aggregate(&self, limit: usize, now: Timestamp) -> Result<usize>;

    /// Takes out readings that are older than their tenants keep them: whole weeks that nobody keeps, then, behind the
    /// appliance `after`, about `limit` rows of appliances. Nothing goes before everything that is as old is rolled up,
    /// aggregated and scored, which is asked when a sweep begins, with no `after`. A reading that is as old and comes while
    /// the sweep is under way may go with the others, uncounted; its number is then noted nowhere, and the same message, sent
    /// again, is stored again.
    async fn sweep(&self, now: Timestamp, after: Option<ApplianceId>, limit: usize) -> Result<Swept>;
}
