//! Devices that ask for their credential.

use super::Harness;
use super::door::{asks, changes, claimant, device, is_refused, secret, token, who};
use super::scene::{after, appliance, devices, morning, played, tenant};
use crate::access::{AccessChange, Credential, Provisioned};
use hub_core::actor::Actor;

pub(super) async fn a_device_gets_a_secret_once_unless_it_may_be_replaced(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let line = claimant(&*store, "line", 2, false).await;
    let Provisioned::Secret(first) = store.provision(&line, &asks("wm-9", None), morning()).await.unwrap() else {
        panic!("not a secret");
    };
    assert_eq!(who(&*store, &[secret("acme", "wm-9", &first)]).await, ["acme/wm-9"]);
    is_refused(
        store.provision(&line, &asks("wm-9", None), morning()).await,
        "has a credential already",
    );
    is_refused(
        store.provision(&line, &asks("wm-1", None), morning()).await,
        "has a credential already",
    );
    assert_eq!(
        store.claim_credentials(&Actor::hub("test")).await.unwrap()[0].uses_left,
        1
    );
    let repair = claimant(&*store, "repair", 5, true).await;
    let Provisioned::Secret(second) = store.provision(&repair, &asks("wm-9", None), morning()).await.unwrap() else {
        panic!("not a secret");
    };
    let id = appliance(&*store, "acme", "wm-9").await;
    assert_eq!(changes(&*store).await, [AccessChange::Device(id)]);
    let shown = [secret("acme", "wm-9", &first), secret("acme", "wm-9", &second)];
    assert_eq!(who(&*store, &shown).await, ["", "acme/wm-9"]);
    store
        .revoke_device(&tenant("acme"), &device("wm-9"), true, morning())
        .await
        .unwrap();
    is_refused(
        store.provision(&repair, &asks("wm-9", None), morning()).await,
        "is revoked",
    );
    // The other tenant's device of that name is another device.
    assert_eq!(devices(&*store, "beta").await, ["wm-1"]);
}

pub(super) async fn a_claim_credential_ends_by_use_by_time_and_by_revocation(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let line = claimant(&*store, "line", 1, false).await;
    store.provision(&line, &asks("a", None), morning()).await.unwrap();
    is_refused(store.provision(&line, &asks("b", None), morning()).await, "used up");
    assert!(!devices(&*store, "acme").await.contains(&"b".to_owned()));
    let shown = [Credential::Token(token("claim_line"))];
    assert_eq!(who(&*store, &shown).await, [""]);
    let timed = claimant(&*store, "timed", 9, false).await;
    is_refused(store.provision(&timed, &asks("b", None), after(60)).await, "over");
    let gone = claimant(&*store, "gone", 9, false).await;
    store.revoke_claim_credential(&tenant("acme"), "gone").await.unwrap();
    let (tenant, name) = (tenant("acme"), "gone".to_owned());
    assert_eq!(changes(&*store).await, [AccessChange::Claimant { tenant, name }]);
    is_refused(store.provision(&gone, &asks("b", None), morning()).await, "revoked");
    let listed = store.claim_credentials(&Actor::hub("test")).await.unwrap();
    let told: Vec<_> = listed
        .iter()
        .map(|c| (c.name.as_str(), c.uses_left, c.revoked))
        .collect();
    assert_eq!(told, [("gone", 9, true), ("line", 0, false), ("timed", 9, false)]);
}

/// One use left and many devices at the same moment: one is served, and no other is made.
pub(super) async fn the_last_use_serves_one_device(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let line = claimant(&*store, "line", 1, false).await;
    let asking: Vec<_> = (0..6)
        .map(|n| {
            let (store, line) = (store.clone(), line.clone());
            tokio::spawn(async move {
                store
                    .provision(&line, &asks(&format!("n{n}"), None), morning())
                    .await
                    .is_ok()
            })
        })
        .collect();
    let mut served = 0;
    for one in asking {
        served += u32::from(one.await.unwrap());
    }
    assert_eq!(served, 1);
    assert_eq!(devices(&*store, "acme").await.len(), 4 + 1);
    assert_eq!(
        store.claim_credentials(&Actor::hub("test")).await.unwrap()[0].uses_left,
        0
    );
}
