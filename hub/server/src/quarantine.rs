//! Quarantined payloads, read again by the front door's own code.

use crate::random;
use hub_api::{Redecode, Redecoded};
use hub_core::clock::CivilClock;
use hub_core::families::Families;
use hub_core::id::TraceId;
use hub_store::telemetry::TelemetryStore;
use hub_store_postgres::PostgresStore;
use std::sync::Arc;
use tokio::sync::watch;

/// How the API has one read again.
pub fn redecode(
    store: Arc<PostgresStore>,
    families: watch::Receiver<Arc<Families>>,
    clock: Arc<dyn CivilClock>,
) -> Redecode {
    Arc::new(move |held| {
        let (store, families, now) = (store.clone(), families.borrow().clone(), clock.now());
        Box::pin(async move {
            let Some(profile) = families.profile(&held.profile) else {
                let reason = format!("profile {} is not known to this hub", held.profile);
                return Ok(Redecoded::Refused(reason));
            };
            let trace = TraceId::new(held.kept.received_at, random::bytes());
            let read = match hub_broker::redecode(&held.kept, &held.device, profile, trace, now) {
                Ok(read) => read,
                Err(reason) => return Ok(Redecoded::Refused(reason)),
            };
            let offset_ms = match read.boot() {
                Some(boot) => {
                    let told = store.clock_offsets(&[(held.kept.appliance, boot)]).await?;
                    told.first().copied().flatten()
                }
                None => None,
            };
            Ok(match read.place(offset_ms) {
                Ok(content) => Redecoded::Content(content),
                Err(reason) => Redecoded::Refused(reason),
            })
        })
    })
}
