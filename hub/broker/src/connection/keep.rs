//! What the store keeps of a device's session: changes in order, behind what is on its way through ingest.

use super::device_side::nowhere;
use crate::ingest::{Item, Parcel};
use crate::mailbox::{Mailbox, Waiter};
use crate::work::Shared;
use hub_core::id::ApplianceId;
use hub_store::session::{KeptSession, SessionChange};
use hub_store::telemetry::Ingest;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use tokio::time::{Instant, timeout};

/// The next change of a device's session, out of what is to be kept (`Some`) or forgotten, in order; and how many of these
/// it is. One that begins forgets what was and is kept, in one.
pub(super) fn next_change(keeping: &mut VecDeque<Option<KeptSession>>) -> Option<(SessionChange, u8)> {
    let Some(session) = keeping.pop_front()? else {
        return Some(match keeping.pop_front_if(|next| next.is_some()).flatten() {
            Some(session) => (SessionChange::Begin(session), 2),
            None => (SessionChange::Forget, 1),
        });
    };
    Some((SessionChange::Keep(session), 1))
}

/// Keeps a session, or forgets it; whether the store did so.
pub(super) async fn keep(shared: &Shared, appliance: ApplianceId, change: SessionChange) -> bool {
    let asked = async {
        // Behind everything of an earlier connection that would put packet identifiers back that are to be forgotten.
        if change.forgets() && shared.underway.may_come(appliance) {
            pass_ingest(shared, appliance).await;
        }
        shared.sessions.ask(appliance, change).await
    };
    timeout(shared.config.store_patience, asked).await.unwrap_or_else(|_| {
        tracing::warn!(%appliance, "session not kept in time");
        false
    })
}

/// Returns once everything that was handed to ingest before is settled, or this could not be found out. What failed by
/// then and belongs to a connection that is over is not tried again, so none of it comes later.
pub(super) async fn pass_ingest(shared: &Shared, appliance: ApplianceId) {
    let mailbox = Arc::new(Mailbox::default());
    let item = Item {
        ingest: Ingest::Dropped { appliance, count: 0 },
        origin: nowhere(appliance, shared.clock.now()),
        number: Some(0),
        deadline: Instant::now() + shared.config.store_patience,
        mark: None,
    };
    let parcel = Parcel {
        waiter: Some(Waiter::new(&mailbox)),
        items: vec![item],
        can_wait: false,
    };
    if shared.ingest.send(parcel).await.is_ok() {
        poll_fn(|cx| mailbox.poll(cx).map(drop)).await;
    }
}
