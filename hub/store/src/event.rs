//! What changed, in an order that a reader can follow without missing anything.

use crate::error::Result;
use async_trait::async_trait;
use hub_core::actor::Actor;
use hub_core::id::{ApplianceId, TenantId, TicketId};
use jiff::Timestamp;
use serde::Serialize;
use std::time::Duration;

/// A position behind which nothing can appear any more (serial ids alone become visible out of order).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct EventCursor {
    /// Which life of the database: a dump that is restored begins a new one, in which transactions count from the start again.
    pub epoch: i64,
    /// Transaction of the event.
    pub transaction: i64,
    /// Its number.
    pub number: i64,
}

impl std::fmt::Display for EventCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}-{}", self.epoch, self.transaction, self.number)
    }
}

impl std::str::FromStr for EventCursor {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        // Those given out before there were epochs have two parts.
        let (front, number) = text.rsplit_once('-').unwrap_or((text, "0"));
        let (epoch, transaction) = front.split_once('-').unwrap_or(("0", front));
        Ok(Self {
            epoch: epoch.parse()?,
            transaction: transaction.parse()?,
            number: number.parse()?,
        })
    }
}

/// Something changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// Where it stands.
    pub cursor: EventCursor,
    /// Tenant that owns the thing that changed.
    pub tenant: TenantId,
    /// When (civil time).
    pub at: Timestamp,
    /// `finding.opened`, `finding.cleared`, `ticket.<event>`, `contact.<event>` …
    pub kind: String,
    /// The ticket.
    pub ticket: Option<TicketId>,
    /// The appliance.
    pub appliance: Option<ApplianceId>,
}

/// Events.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// The newest position now.
    async fn event_head(&self) -> Result<EventCursor>;

    /// What came after `cursor`, in order; at most `limit`.
    async fn events_after(&self, actor: &Actor, cursor: EventCursor, limit: usize) -> Result<Vec<Event>>;

    /// Waits until something may have come, or `patience` has passed.
    async fn event_arrived(&self, patience: Duration);

    /// Whether the database answers.
    async fn healthy(&self) -> Result<()>;
}
