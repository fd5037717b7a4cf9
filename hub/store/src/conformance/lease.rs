//! One hub writes. Another stands by, and takes over when the first has gone.

use super::Harness;
use super::scene::{alarm, appliance, has_a_quiet_past, morning, played, seen, stored, take_lease, telemetry};
use crate::session::{KeptSession, SessionChange};
use crate::{Store, StoreError};
use hub_core::phone_number::PhoneNumber;
use std::time::Duration;

fn is_deposed<T: std::fmt::Debug>(told: Result<T, StoreError>) {
    assert!(matches!(told, Err(StoreError::Deposed)), "{told:?}");
}

pub(super) async fn a_second_hub_stands_by_until_the_first_has_gone(h: &dyn Harness) {
    let (place, first) = played(h).await;
    let id = appliance(&*first, "acme", "wm-1").await;
    let opened = first
        .commit_scoring(&seen(vec![alarm(id, "x", 0.95)]), morning())
        .await
        .unwrap();
    let ticket = opened[0].opened.unwrap();
    assert_eq!(first.ingest(&[telemetry(id, 1, 0, 2)]).await.unwrap(), [stored(2)]);
    let held = first.lease_state().await.unwrap();
    assert!(first.has_lease() && held.held && held.holder.is_some());
    let again = first.take_lease(morning()).await.unwrap().unwrap();
    assert_eq!(again.token, held.token, "who has it keeps it");
    let second = place.beside().await;
    assert_eq!(second.take_lease(morning()).await.unwrap(), None);
    refuses(&*second, id, ticket).await;
    // A call that is up: the hub that stands by does not end it.
    has_a_quiet_past(&*first).await;
    first.begin_attempt(ticket, morning(), [1; 20]).await.unwrap();
    is_deposed(second.recover_attempts(morning()).await);
    // What needs no lease goes on beside the hub.
    assert_eq!(second.samples_stored().await.unwrap(), 2);
    assert!(!first.lease_lost(Duration::from_millis(10)).await);
    drop(first);
    take_lease(&*second).await;
    let now = second.lease_state().await.unwrap();
    assert!(now.held && now.token > held.token && now.holder != held.holder);
    assert_eq!(second.ingest(&[telemetry(id, 1, 1, 2)]).await.unwrap()[0].stored, 1);
    assert_eq!(second.recover_attempts(morning()).await.unwrap().len(), 1);
}

/// Everything that counts on what the hub remembers.
async fn refuses(second: &dyn Store, id: hub_core::id::ApplianceId, ticket: hub_core::id::TicketId) {
    assert!(!second.has_lease());
    is_deposed(second.ingest(&[telemetry(id, 1, 2, 2)]).await);
    is_deposed(
        second
            .commit_scoring(&seen(vec![alarm(id, "y", 0.95)]), morning())
            .await,
    );
    for change in [SessionChange::Begin(KeptSession::default()), SessionChange::Forget] {
        is_deposed(second.change_sessions(&[(id, change)], morning()).await);
    }
    is_deposed(second.begin_attempt(ticket, morning(), [1; 20]).await);
    let caller = PhoneNumber::new(super::scene::PHONES[0]).unwrap();
    let acme = super::scene::tenant("acme");
    is_deposed(second.begin_inbound(&acme, &caller, morning(), [1; 20]).await);
}
