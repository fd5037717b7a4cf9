//! Changes of access reach the front door whatever becomes of an answer.

use crate::support::{appliance, morning, played, tenant};
use hub_store::access::AccessChange;
use hub_store::conformance::door::{changes, device};
use hub_store::credential::DeviceCredentials;
use sqlx::Executor;

#[tokio::test]
async fn a_change_that_does_not_read_hides_no_other() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    let broken = "insert into access_change (kind, tenant) values ('nonsense', 'acme'), ('device', 'Not a tenant'), \
         ('integrator', 'acme')";
    base.sql().await.execute(broken).await.unwrap();
    store
        .revoke_device(&tenant("acme"), &device("wm-1"), true, morning())
        .await
        .unwrap();
    assert_eq!(changes(&store).await, [AccessChange::Device(id)]);
    assert_eq!(changes(&store).await, []);
    assert_eq!(
        base.number("select count(*) from access_change").await,
        0,
        "nor for ever"
    );
}
