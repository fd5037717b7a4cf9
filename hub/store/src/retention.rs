//! Upkeep of what is stored: aggregates are filled, and what is kept long enough goes.

use crate::error::Result;
use async_trait::async_trait;
use hub_core::id::ApplianceId;
use hub_core::witness::DatabaseClock;
use jiff::Timestamp;
use std::sync::{Mutex, PoisonError};

/// What one step of a sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Partitions or chunks that were dropped whole.
    pub dropped: Vec<String>,
    /// Other rows that were deleted.
    pub rows: u64,
    /// The sweep goes on behind this appliance; `None` when it has been through.
    pub next: Option<ApplianceId>,
}

/// Where a look at what is due goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueFrom {
    /// Behind this appliance …
    pub appliance: ApplianceId,
    /// … or, with a time, with this appliance's rows from then on.
    pub at: Option<Timestamp>,
}

/// What a sweep would take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Due {
    /// Rows, those of weeks that would be dropped whole among them.
    pub rows: u64,
    /// Event time of the oldest of them.
    pub oldest: Option<Timestamp>,
    /// Event time of the newest of them.
    pub newest: Option<Timestamp>,
    /// Where the look goes on; `None` when it has been through.
    pub next: Option<DueFrom>,
}

impl Due {
    /// Adds rows that lie between these times.
    pub fn add(&mut self, rows: u64, oldest: Option<Timestamp>, newest: Option<Timestamp>) {
        self.rows += rows;
        self.oldest = [self.oldest, oldest].into_iter().flatten().min();
        self.newest = self.newest.max(newest);
    }
}

/// A person's word that the machine's clock is right, and that what waits may be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// When it was given, by the machine's clock.
    pub at: Timestamp,
    /// It counts until then.
    pub expires_at: Timestamp,
    /// Who gave it.
    pub by: String,
}

/// How far deletion by age may go. Closed until somebody opens it.
#[derive(Debug, Default)]
pub struct Gate(Mutex<Option<Timestamp>>);

impl Gate {
    /// From now on, what is too old at this time may go; with `None`, nothing.
    pub fn set(&self, until: Option<Timestamp>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// The time by which is judged what is too old, where it is asked for at `now`; `None` if nothing may go.
    pub fn as_of(&self, now: Timestamp) -> Option<Timestamp> {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        until.map(|until| until.min(now))
    }
}

/// Rounds of the aggregates until each appliance has had its turn once. Each takes a tenth of the appliances, so that what
/// the aggregates cost is spread evenly, and an appliance's rows are still added many at once.
pub const TURNS: u16 = 10;

/// Steps of upkeep, each bounded, each to be repeated as often as one likes.
#[async_trait]
pub trait UpkeepStore: Send + Sync {
    /// Adds about `limit` rows that were rolled up to the aggregates, each once whatever happens: of all appliances, or of those
    /// whose turn it is, of [`TURNS`]. Answers with how many rows are behind it now; ask again until it is 0, which ends a
    /// round: what is rolled up while a round is under way waits for the next, so that rounds end under any load. Where the
    /// database fills its aggregates itself, all days that rows have changed behind its back are one step, which may take
    /// minutes a day.
    async fn aggregate(&self, turn: Option<u16>, limit: usize, now: Timestamp) -> Result<usize>;

    /// The clock of the database that the store is in, where it has one of its own.
    async fn database_clock(&self) -> Result<Option<DatabaseClock>> {
        Ok(None)
    }

    /// Says how far deletion by age may go from now on in this store: what is too old at `until`, by whatever clock it is
    /// asked for, and nothing with `None`, as before the first time. And, with `vouched`, that at least so late it is: what the
    /// next holder of the lease finds in [`crate::lease::Lease::vouched_at`]. Both are for [`hub_core::witness`] to judge.
    /// `Deposed` where another hub has taken the lease.
    async fn vouch(&self, vouched: Option<Timestamp>, until: Option<Timestamp>) -> Result<()>;

    /// Days of the shortest rule of any tenant; `None` if all is kept permanently.
    async fn shortest_rule(&self) -> Result<Option<u32>>;

    /// Rows that all sweeps of a day (UTC) took, of the last such days before that of `before`, the newest first; at most
    /// [`hub_core::retention::SWEEPS_KEPT`].
    async fn sweeps(&self, before: Timestamp) -> Result<Vec<u64>>;

    /// Notes that a sweep has ended which took so many rows, of what was too old at `until`. `Deposed` where another hub has
    /// taken the lease.
    async fn note_sweep(&self, rows: u64, until: Timestamp) -> Result<()>;

    /// Notes a person's word, which counts for [`hub_core::retention::CONFIRMED_FOR`]. It is kept also after that.
    async fn confirm_sweep(&self, by: &str, now: Timestamp) -> Result<Confirmation>;

    /// The last word of a person that counts at this time.
    async fn sweep_confirmed(&self, now: Timestamp) -> Result<Option<Confirmation>>;

    /// What [`UpkeepStore::sweep`] would take at this time, from `after` on: about `limit` rows are counted in one step, fewer
    /// where they lie far apart, and nothing is taken. Whether all of it is counted and scored, for which a sweep waits, is not asked.
    async fn due(&self, now: Timestamp, after: Option<DueFrom>, limit: usize) -> Result<Due>;

    /// Takes out readings that are older than their tenants keep them: whole weeks that nobody keeps, then, behind the
    /// appliance `after`, about `limit` rows of appliances. Nothing goes before everything that is as old is rolled up,
    /// aggregated and scored, which is asked when a sweep begins, with no `after`. A reading that is as old and comes while
    /// the sweep is under way may go with the others, uncounted; its number is then noted nowhere, and the same message, sent
    /// again, is stored again. Nothing goes that is not too old by what [`UpkeepStore::vouch`] has said last.
    async fn sweep(&self, now: Timestamp, after: Option<ApplianceId>, limit: usize) -> Result<Swept>;
}
