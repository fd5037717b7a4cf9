//! Devices whose secrets derive from the key of a group.

use super::Harness;
use super::door::{changes, derived, device, secret, who};
use super::scene::{appliance, devices, morning, played, site_without_secrets, tenant};
use crate::StoreError;
use crate::access::AccessChange;
use crate::credential::GROUPS_MAX;
use hub_core::actor::Actor;
use std::sync::Arc;

const PROFILE: &str = "washing-machine";

pub(super) async fn a_group_secret_lets_in_across_a_rotation_and_not_after_it(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let acme = tenant("acme");
    store
        .add_group(&acme, "line", &[1; 32], PROFILE, true, morning())
        .await
        .unwrap();
    let (old, new) = (derived(&[1; 32], "wm-9"), derived(&[2; 32], "wm-9"));
    assert_eq!(store.group_secret(&acme, "line", &device("wm-9")).await.unwrap(), old);
    let ways = [secret("acme", "wm-9", &old), secret("acme", "wm-9", &new)];
    assert_eq!(who(&*store, &ways).await, ["acme/wm-9", ""]);
    store.rotate_group(&acme, "line", &[2; 32]).await.unwrap();
    assert_eq!(who(&*store, &ways).await, ["acme/wm-9", "acme/wm-9"]);
    let again = store.rotate_group(&acme, "line", &[3; 32]).await;
    assert!(
        matches!(again, Err(StoreError::Refused(_))),
        "devices with the older key would be locked out"
    );
    assert_eq!(changes(&*store).await, []);
    store.retire_group(&acme, "line").await.unwrap();
    let id = appliance(&*store, "acme", "wm-9").await;
    assert_eq!(changes(&*store).await, [AccessChange::Device(id)]);
    assert_eq!(who(&*store, &ways).await, ["", "acme/wm-9"]);
    assert!(matches!(
        store.retire_group(&acme, "line").await,
        Err(StoreError::Refused(_))
    ));
    // Upper case is another secret, as the contract says lower.
    assert_eq!(who(&*store, &[secret("acme", "wm-9", &new.to_uppercase())]).await, [""]);
}

pub(super) async fn groups_of_one_name_and_devices_of_one_name_belong_to_their_tenants(h: &dyn Harness) {
    let (_place, store) = played(h).await;
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
    assert_eq!(who(&*store, &shown).await, ["", "", "", "acme/wm-9", "beta/wm-9"]);
    assert_ne!(
        appliance(&*store, "acme", "wm-9").await,
        appliance(&*store, "beta", "wm-9").await
    );
    let groups = store.groups(&Actor::hub("test")).await.unwrap();
    let told: Vec<_> = groups.iter().map(|g| (g.tenant.as_str(), g.devices)).collect();
    assert_eq!(told, [("acme", 1), ("beta", 1)]);
}

pub(super) async fn who_has_a_secret_of_its_own_is_not_taken_over_by_a_group(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let acme = tenant("acme");
    store
        .add_group(&acme, "line", &[1; 32], PROFILE, true, morning())
        .await
        .unwrap();
    let by_group = secret("acme", "wm-1", &derived(&[1; 32], "wm-1"));
    assert_eq!(who(&*store, std::slice::from_ref(&by_group)).await, [""]);
    store
        .join_group(&acme, &device("wm-1"), "line", morning())
        .await
        .unwrap();
    let both = [by_group, secret("acme", "wm-1", "secret-wm-1")];
    assert_eq!(who(&*store, &both).await, ["acme/wm-1", "acme/wm-1"]);
    // Another group of the same tenant does not let it in.
    store
        .add_group(&acme, "other", &[9; 32], PROFILE, true, morning())
        .await
        .unwrap();
    assert_eq!(
        who(&*store, &[secret("acme", "wm-1", &derived(&[9; 32], "wm-1"))]).await,
        [""]
    );
}

pub(super) async fn a_group_that_does_not_enrol_lets_in_only_who_was_put_into_it(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let acme = tenant("acme");
    store
        .add_group(&acme, "line", &[1; 32], PROFILE, false, morning())
        .await
        .unwrap();
    let shown = [secret("acme", "wm-9", &derived(&[1; 32], "wm-9"))];
    assert_eq!(who(&*store, &shown).await, [""]);
    assert!(!devices(&*store, "acme").await.contains(&"wm-9".to_owned()));
    store
        .join_group(&acme, &device("wm-9"), "line", morning())
        .await
        .unwrap();
    assert_eq!(who(&*store, &shown).await, ["acme/wm-9"]);
}

/// Two hubs, many connections, one unknown device each time: it is made once and everybody gets in.
pub(super) async fn an_unknown_device_is_made_once_however_many_ask(h: &dyn Harness) {
    let (place, store) = played(h).await;
    store
        .add_group(&tenant("acme"), "line", &[1; 32], PROFILE, true, morning())
        .await
        .unwrap();
    let hubs = [Arc::clone(&store), place.beside().await];
    for round in 0..5 {
        let name = format!("new-{round}");
        let shown = secret("acme", &name, &derived(&[1; 32], &name));
        let logins: Vec<_> = (0..8)
            .map(|n| {
                let (hub, shown) = (hubs[n % 2].clone(), [shown.clone(), shown.clone()]);
                tokio::spawn(async move { who(&*hub, &shown).await })
            })
            .collect();
        for login in logins {
            assert_eq!(login.await.unwrap(), [format!("acme/{name}"), format!("acme/{name}")]);
        }
    }
    assert_eq!(devices(&*store, "acme").await.len(), 4 + 5);
}

/// The site file names owner and device; the key comes from the factory. The first login puts them together.
pub(super) async fn a_device_that_was_only_declared_joins_the_group_at_its_first_login(h: &dyn Harness) {
    let place = h.empty().await;
    let store = place.hub().await;
    let declared = site_without_secrets(&["wm-1", "wm-2"]);
    store.apply_site(&declared, morning(), false).await.unwrap();
    let acme = tenant("acme");
    store
        .add_group(&acme, "line", &[1; 32], PROFILE, true, morning())
        .await
        .unwrap();
    assert_eq!(
        who(&*store, &[secret("acme", "wm-1", &derived(&[1; 32], "wm-1"))]).await,
        ["acme/wm-1"]
    );
    store
        .revoke_device(&acme, &device("wm-2"), true, morning())
        .await
        .unwrap();
    assert_eq!(
        who(&*store, &[secret("acme", "wm-2", &derived(&[1; 32], "wm-2"))]).await,
        [""]
    );
}

pub(super) async fn keys_are_bounded(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let acme = tenant("acme");
    for (name, key) in [("short", vec![1; 15]), ("long", vec![1; 65]), ("na/me", vec![1; 32])] {
        let told = store.add_group(&acme, name, &key, PROFILE, true, morning()).await;
        assert!(matches!(told, Err(StoreError::Refused(_))), "{name}");
    }
    for n in 0..GROUPS_MAX {
        let told = store
            .add_group(&acme, &format!("g{n}"), &[7; 32], PROFILE, true, morning())
            .await;
        told.unwrap();
    }
    let told = store
        .add_group(&acme, "one-more", &[7; 32], PROFILE, true, morning())
        .await;
    assert!(matches!(told, Err(StoreError::Refused(_))), "{told:?}");
    let told = store.add_group(&acme, "g0", &[8; 32], PROFILE, true, morning()).await;
    assert!(matches!(told, Err(StoreError::Refused(_))), "a name is taken: {told:?}");
    let told = store.group_secret(&acme, "nowhere", &device("x")).await;
    assert!(matches!(told, Err(StoreError::NotFound { .. })), "{told:?}");
}
