//! Who writes: of all hubs on one database, one. The others stand by and take over when it is gone.
//!
//! That the holder lives and that nobody else writes are two things. A lock that falls with the holder's process or
//! machine tells the first; a number that counts up with each holder, and that every transaction which needs the lease
//! compares before it commits, makes sure of the second.

use crate::error::Result;
use async_trait::async_trait;
use jiff::Timestamp;
use std::time::Duration;
use uuid::Uuid;

/// The right to write, until another hub takes it over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Counts up with each holder; what a holder before wrote with a smaller one is refused.
    pub token: i64,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// The latest time that was vouched for before it was taken (see [`crate::retention::UpkeepStore::vouch`]). Where nobody
    /// ever did: when the newest reading was received, or else when the lease was taken the time before, as those have
    /// stamped it who held it then, unless that is still to come; of the newest reading it is the earlier of that and of the
    /// time that it states. `None` in a store that is new, and where these two are more than a day apart. It stays what it was
    /// while the lease is held.
    pub vouched_at: Option<Timestamp>,
}

/// What the database says of its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseState {
    /// Whether a hub holds it now.
    pub held: bool,
    /// Who took it last, if anybody ever did.
    pub holder: Option<Uuid>,
    /// The token that was given out last; 0 if none was.
    pub token: i64,
    /// Time at which it was taken.
    pub taken_at: Option<Timestamp>,
}

/// The lease on all partitions of a database.
#[async_trait]
pub trait LeaseStore: Send + Sync {
    /// Takes the lease if it is free; `None` if another hub has it. Who has it keeps it. What is under way of a holder
    /// before is waited for, so that nothing is written behind the back of the new one.
    async fn take_lease(&self, now: Timestamp) -> Result<Option<Lease>>;

    /// Looks after the lease for `patience`; whether it was lost for good, because another hub has taken it: then at
    /// once. A hub that lost it must end, since what it remembers is not true any more. While the database is away the
    /// lease is not lost: it is taken up again when the database is back.
    async fn lease_lost(&self, patience: Duration) -> bool;

    /// Who has it.
    async fn lease_state(&self) -> Result<LeaseState>;

    /// Whether this store has it, as far as is known here.
    fn has_lease(&self) -> bool;
}
