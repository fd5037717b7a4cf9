//! Devices whose secrets derive from the key of a group.

use crate::access::{changes, device, secret, who};
use crate::support::{appliance, morning, played, tenant};
use hmac::{Hmac, Mac};
use hub_store::access::AccessChange;
use hub_store::credential::DeviceCredentials;
use hub_store::{Scope, StoreError};
use sha2::Sha256;
use sqlx::Executor;
use std::sync::Arc;

const PROFILE: &str = "washing-machine";

/// As a factory computes it: `printf %s wm-9 | openssl dgst -sha256 -hmac "$key"`.
pub fn derived(key: &[u8], device: &str) -> String {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).unwrap();
    mac.update(device.as_bytes());
    mac.finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[tokio::test]
async fn a_group_secret_lets_in_across_a_rotation_and_not_after_it() {
    let (_base, store) = played().await;
    let acme = tenant("acme");
    store
        .add_group(&acme, "line", &[1; 32], PROFILE, true, morning())
        .await
        .unwrap();
    let (old, new) = (derived(&[1; 32], "wm-9"), derived(&[2; 32], "wm-9"));
    assert_eq!(store.group_secret(&acme, "line", &device("wm-9")).await.unwrap(), old);
    let ways = [secret("acme", "wm-9", &old), secret("acme", "wm-9", &new)];
    assert_eq!(who(&store, &ways).await, ["acme/wm-9", ""]);
    store.rotate_group(&acme, "line", &[2; 32]).await.unwrap();
    assert_eq!(who(&store, &ways).await, ["acme/wm-9", "acme/wm-9"]);
    let again = store.rotate_group(&acme, "line", &[3; 32]).await;
    assert!(
        matches!(again, Err(StoreError::Refused(_))),
        "devices with the older key would be locked out"
    );
    assert_eq!(changes(&store).await, []);
    store.retire_group(&acme, "line").await.unwrap();
    let id = appliance(&store, "acme", "wm-9").await;
    assert_eq!(changes(&store).await, [AccessChange::Device(id)]);
    assert_eq!(who(&store, &ways).await, ["", "acme/wm-9"]);
    assert!(matches!(
        store.retire_group(&acme, "line").await,
        Err(StoreError::Refused(_))
    ));
    // Upper case is another secret, as the contract says lower.
    assert_eq!(who(&store, &[secret("acme", "wm-9", &new.to_uppercase())]).await, [""]);
}

#[tokio::test]
async fn groups_of_one_name_and_devices_of_one_name_belong_to_their_tenants() {
    let (_base, store) = played().await;
    for (id, key) in [("acme", [1; 32]), ("beta", [2; 32])] {
        store
            .add_group(&tenant(id), "line", &key, PROFILE, true, morning())
            .await
            .unwrap();
    }
    let shown = [
        secret("acme", "wm-9", &derived(&[2; 32], "wm-9")),
        secret("beta", "wm-9", &derived(&[1; 32], "wm-9")),
        secret("acme", "wm-9", &derived(&[1; 32], "wm-8")),
        secret("acme", "wm-9", &derived(&[1; 32], "wm-9")),
        secret("beta", "wm-9", &derived(&[2; 32], "wm-9")),
    ];
    assert_eq!(who(&store, &shown).await, ["", "", "", "acme/wm-9", "beta/wm-9"]);
    assert_ne!(
        appliance(&store, "acme", "wm-9").await,
        appliance(&store, "beta", "wm-9").await
    );
    let groups = store.groups(&Scope::All).await.unwrap();
    let told: Vec<_> = groups.iter().map(|g| (g.tenant.as_str(), g.devices)).collect();
    assert_eq!(told, [("acme", 1), ("beta", 1)]);
}

#[tokio::test]
async fn who_has_a_secret_of_its_own_is_not_taken_over_by_a_group() {
    let (_base, store) = played().await;
    let acme = tenant("acme");
    store
        .add_group(&acme, "line", &[1; 32], PROFILE, true, morning())
        .await
        .unwrap();
    let by_group = secret("acme", "wm-1", &derived(&[1; 32], "wm-1"));
    assert_eq!(who(&store, std::slice::from_ref(&by_group)).await, [""]);
    store
        .join_group(&acme, &device("wm-1"), "line", morning())
        .await
        .unwrap();
    let both = [by_group, secret("acme", "wm-1", "secret-wm-1")];
    assert_eq!(who(&store, &both).await, ["acme/wm-1", "acme/wm-1"]);
    // Another group of the same tenant does not let it in.
    store
        .add_group(&acme, "other", &[9; 32], PROFILE, true, morning())
        .await
        .unwrap();
    assert_eq!(
        who(&store, &[secret("acme", "wm-1", &derived(&[9; 32], "wm-1"))]).await,
        [""]
    );
}

#[tokio::test]
async fn a_group_that_does_not_enrol_lets_in_only_who_was_put_into_it() {
    let (base, store) = played().await;
    let acme = tenant("acme");
    store
        .add_group(&acme, "line", &[1; 32], PROFILE, false, morning())
        .await
        .unwrap();
    let shown = [secret("acme", "wm-9", &derived(&[1; 32], "wm-9"))];
    assert_eq!(who(&store, &shown).await, [""]);
    assert_eq!(
        base.number("select count(*) from appliance where device = 'wm-9'")
            .await,
        0
    );
    store
        .join_group(&acme, &device("wm-9"), "line", morning())
        .await
        .unwrap();
    assert_eq!(who(&store, &shown).await, ["acme/wm-9"]);
}

/// Two hubs, many connections, one unknown device each time: it is made once and everybody gets in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_device_is_made_once_however_many_ask() {
    let (base, store) = played().await;
    store
        .add_group(&tenant("acme"), "line", &[1; 32], PROFILE, true, morning())
        .await
        .unwrap();
    let hubs = [Arc::new(store), Arc::new(base.beside().await)];
    for round in 0..5 {
        let name = format!("new-{round}");
        let shown = secret("acme", &name, &derived(&[1; 32], &name));
        let logins: Vec<_> = (0..8)
            .map(|n| {
                let (hub, shown) = (hubs[n % 2].clone(), [shown.clone(), shown.clone()]);
                tokio::spawn(async move { who(&hub, &shown).await })
            })
            .collect();
        for login in logins {
            assert_eq!(login.await.unwrap(), [format!("acme/{name}"), format!("acme/{name}")]);
        }
    }
    assert_eq!(
        base.number("select count(*) from appliance where device like 'new-%'")
            .await,
        5
    );
    let status =
        "select count(*) from appliance_status s join appliance a on a.id = s.appliance where device like 'new-%'";
    assert_eq!(base.number(status).await, 5);
    let tally = "select devices - (select count(*) from appliance where tenant = 'acme') from device_tally where tenant = 'acme'";
    assert_eq!(base.number(tally).await, 0, "the count is of what is there");
}

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

/// The site file names owner and device; the key comes from the factory. The first login puts them together.
#[tokio::test]
async fn a_device_that_was_only_declared_joins_the_group_at_its_first_login() {
    let (base, store) = played().await;
    let acme = tenant("acme");
    let strip = "update appliance set secret_sha256 = null where tenant = 'acme' and device in ('wm-1', 'wm-2')";
    base.sql().await.execute(strip).await.unwrap();
    store
        .add_group(&acme, "line", &[1; 32], PROFILE, true, morning())
        .await
        .unwrap();
    assert_eq!(
        who(&store, &[secret("acme", "wm-1", &derived(&[1; 32], "wm-1"))]).await,
        ["acme/wm-1"]
    );
    store
        .revoke_device(&acme, &device("wm-2"), true, morning())
        .await
        .unwrap();
    assert_eq!(
        who(&store, &[secret("acme", "wm-2", &derived(&[1; 32], "wm-2"))]).await,
        [""]
    );
}

#[tokio::test]
async fn keys_are_sealed_in_their_own_row_and_bounded() {
    let (base, store) = played().await;
    let acme = tenant("acme");
    for (name, key) in [("short", vec![1; 15]), ("long", vec![1; 65]), ("na/me", vec![1; 32])] {
        let told = store.add_group(&acme, name, &key, PROFILE, true, morning()).await;
        assert!(matches!(told, Err(StoreError::Refused(_))), "{name}");
    }
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
