//! What the database refuses.

use crate::support::{appliance, played, stored, telemetry};
use hub_store::StoreError;
use hub_store::telemetry::TelemetryStore;

/// What the database will never take must not be tried again and again.
#[tokio::test]
async fn a_value_that_the_database_refuses_is_refused_for_good() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    sqlx::query("alter table telemetry add constraint never check (c1 <> 13)")
        .execute(&mut base.sql().await)
        .await
        .unwrap();
    let refused = store.ingest(&[telemetry(id, 1, 13, 1)]).await;
    assert!(
        matches!(&refused, Err(StoreError::Refused(why)) if why.contains("does not take a value")),
        "{refused:?}"
    );
    assert_eq!(store.ingest(&[telemetry(id, 1, 14, 1)]).await.unwrap(), [stored(1)]);
}
