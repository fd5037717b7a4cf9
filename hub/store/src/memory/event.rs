//! Events, numbered in the order in which they happen.

use super::MemoryStore;
use super::state::State;
use crate::error::{Result, StoreError};
use crate::event::{Event, EventCursor, EventStore};
use crate::page::PAGE_MAX;
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::id::{ApplianceId, TenantId, TicketId};
use jiff::Timestamp;
use std::sync::atomic::Ordering;
use std::time::Duration;

impl State {
    pub(super) fn tell(
        &mut self,
        tenant: &TenantId,
        kind: &str,
        ticket: Option<TicketId>,
        appliance: Option<ApplianceId>,
        now: Timestamp,
    ) {
        let number = self.number();
        self.events.push(Event {
            cursor: EventCursor {
                epoch: 0,
                transaction: number,
                number,
            },
            tenant: tenant.clone(),
            at: now,
            kind: kind.to_owned(),
            ticket,
            appliance,
        });
    }
}

#[async_trait]
impl EventStore for MemoryStore {
    async fn event_head(&self) -> Result<EventCursor> {
        let last = self.state().events.last().map(|event| event.cursor.transaction);
        Ok(EventCursor {
            epoch: 0,
            transaction: last.unwrap_or(0),
            number: i64::MAX,
        })
    }

    async fn events_after(&self, actor: &Actor, cursor: EventCursor, limit: usize) -> Result<Vec<Event>> {
        actor.may(Act::ReadEvents)?;
        let state = self.state();
        let from = state.events.partition_point(|event| event.cursor <= cursor);
        let seen = state.events[from..].iter().filter(|event| match event.appliance {
            Some(appliance) => state.reaches(actor, appliance),
            None => actor.reaches(&event.tenant, None),
        });
        Ok(seen.take(limit.clamp(1, PAGE_MAX)).cloned().collect())
    }

    async fn event_arrived(&self, patience: Duration) {
        self.signals().wait_event(patience).await;
    }

    async fn healthy(&self) -> Result<()> {
        if self.shared.is_away.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable("the store was told to be away".into()));
        }
        Ok(())
    }
}
