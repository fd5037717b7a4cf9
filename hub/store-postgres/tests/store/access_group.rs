//! Devices whose secrets derive from the key of a group.

use crate::support::{morning, played, tenant};
use hub_store::StoreError;
use hub_store::conformance::door::{derived, device, secret, who};
use hub_store::credential::DeviceCredentials;
use sqlx::Executor;

const PROFILE: &str = "washing-machine";

#[tokio::test]
async fn a_tenant_has_no_more_devices_than_it_may() {
    let (base, store) = played().await;
    let acme = tenant("acme");
    store
        .add_group(&acme, "line", &[1; 32], PROFILE, true, morning())
        .await
        .unwrap();
    base.sql()
        .await
        .execute("update tenant set device_max = 6 where id = 'acme'")
        .await
        .unwrap();
    let shown: Vec<_> = (0..4)
        .map(|n| format!("new-{n}"))
        .map(|name| secret("acme", &name, &derived(&[1; 32], &name)))
        .collect();
    let in_now = who(&store, &shown).await;
    assert_eq!(in_now.iter().filter(|name| !name.is_empty()).count(), 2, "{in_now:?}");
    assert_eq!(who(&store, &shown).await, in_now);
    let told = store.join_group(&acme, &device("more"), "line", morning()).await;
    assert!(matches!(told, Err(StoreError::Refused(_))), "{told:?}");
}

#[tokio::test]
async fn keys_are_sealed_in_their_own_row() {
    let (base, store) = played().await;
    let acme = tenant("acme");
    store
        .add_group(&acme, "a", b"0123456789abcdef-a", PROFILE, true, morning())
        .await
        .unwrap();
    store
        .add_group(&acme, "b", b"0123456789abcdef-b", PROFILE, true, morning())
        .await
        .unwrap();
    let readable = "select count(*) from key_group where position('0123456789abcdef'::bytea in current) > 0";
    assert_eq!(base.number(readable).await, 0);
    // A sealed key that was moved to another group opens nothing.
    let mut conn = base.sql().await;
    conn.execute("update key_group set current = (select current from key_group where name = 'a') where name = 'b'")
        .await
        .unwrap();
    let told = store.group_secret(&acme, "b", &device("x")).await;
    assert!(matches!(told, Err(StoreError::Unreadable { .. })));
    // Who is in that group and has a secret of its own comes in by this, as does everybody else of the batch.
    conn.execute("update appliance set key_group = 'b' where tenant = 'acme' and device = 'wm-2'")
        .await
        .unwrap();
    let shown = [
        secret("acme", "wm-1", "secret-wm-1"),
        secret("acme", "wm-2", "secret-wm-2"),
        secret("acme", "wm-2", &derived(b"0123456789abcdef-b", "wm-2")),
        secret("acme", "new", &derived(b"0123456789abcdef-a", "new")),
    ];
    assert_eq!(who(&store, &shown).await, ["acme/wm-1", "acme/wm-2", "", "acme/new"]);
}
