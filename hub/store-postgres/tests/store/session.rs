//! A session that does not read.

use crate::support::{appliance, morning, played};
use hub_store::conformance::door::{secret, who};
use hub_store::session::{KeptSession, SessionChange, SessionStore};
use sqlx::Executor;

/// It keeps nobody else out.
#[tokio::test]
async fn a_session_that_does_not_read_keeps_its_own_device_out() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    let session = KeptSession {
        expiry_s: 600,
        subscriptions: vec![("d/wm-1/c/+".into(), 1)],
        unreleased: vec![],
    };
    let session = [(id, SessionChange::Keep(session))];
    store.change_sessions(&session, morning()).await.unwrap();
    let broken = "update mqtt_session set subscriptions = '{\"d/wm-1/c/+\": 1}'";
    base.sql().await.execute(broken).await.unwrap();
    let shown = [
        secret("acme", "wm-1", "secret-wm-1"),
        secret("acme", "wm-2", "secret-wm-2"),
    ];
    assert_eq!(who(&store, &shown).await, ["", "acme/wm-2"]);
}
