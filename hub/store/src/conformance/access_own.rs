//! Secrets that devices make themselves: asked for with a claim credential, exchanged while they are in, and asked for once
//! more where the answer was lost.

use super::Harness;
use super::door::{asks_for, certificate, changes, claimant, derived, device, is_refused, made, secret, who};
use super::scene::{appliance, devices, morning, played, tenant};
use crate::access::{AccessChange, Credential, Provisioned};
use crate::credential::DeviceAccess;
use crate::{Store, StoreError};
use hub_core::actor::Actor;
use hub_core::id::ApplianceId;

async fn uses_left(store: &dyn Store, name: &str) -> i64 {
    let listed = store.claim_credentials(&Actor::hub("test")).await.unwrap();
    listed.iter().find(|claim| claim.name == name).unwrap().uses_left
}

async fn access(store: &dyn Store, name: &str) -> DeviceAccess {
    let all = store
        .device_access(&Actor::hub("test").within(Some(tenant("acme"))), None, 100)
        .await;
    let found = all.unwrap().items.into_iter().find(|view| view.device == device(name));
    found.unwrap()
}

pub(super) async fn an_answer_that_was_lost_is_given_again_and_costs_nothing(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let line = claimant(&*store, "line", 3, false).await;
    let (mine, another) = (made(1), made(2));
    for round in 0..3 {
        let told = store.provision(&line, &asks_for("wm-9", &mine), morning()).await;
        assert_eq!(told.unwrap(), Provisioned::Own, "round {round}");
        assert_eq!(uses_left(&*store, "line").await, 2, "round {round}");
    }
    let ways = [secret("acme", "wm-9", &mine), Credential::Token(mine.clone())];
    assert_eq!(who(&*store, &ways).await, ["acme/wm-9"; 2]);
    assert_eq!(changes(&*store).await, [], "nothing ended");
    // Who holds the same claim credential and not that secret gets nothing of this device, nor of one that has another.
    for (name, wished) in [("wm-9", &another), ("wm-1", &another), ("wm-1", &mine)] {
        let told = store.provision(&line, &asks_for(name, wished), morning()).await;
        is_refused(told, "has a credential already");
    }
    // Repeats make no use of the last one, and none after it.
    let last = claimant(&*store, "last", 1, false).await;
    store
        .provision(&last, &asks_for("wm-10", &another), morning())
        .await
        .unwrap();
    let told = store.provision(&last, &asks_for("wm-10", &another), morning()).await;
    is_refused(told, "used up");
    let own = [secret("acme", "wm-10", &another)];
    assert_eq!(
        who(&*store, &own).await,
        ["acme/wm-10"],
        "it comes in without asking again"
    );
    // One that may replace does so once for each secret.
    let repair = claimant(&*store, "repair", 5, true).await;
    for _ in 0..2 {
        let told = store.provision(&repair, &asks_for("wm-9", &made(3)), morning()).await;
        assert_eq!(told.unwrap(), Provisioned::Own);
    }
    assert_eq!(uses_left(&*store, "repair").await, 4);
    let id = appliance(&*store, "acme", "wm-9").await;
    assert_eq!(changes(&*store).await, [AccessChange::Device(id)]);
    let ways = [secret("acme", "wm-9", &mine), secret("acme", "wm-9", &made(3))];
    assert_eq!(who(&*store, &ways).await, ["", "acme/wm-9"]);
    // A revoked device is not told that its secret was good.
    let acme = tenant("acme");
    store
        .revoke_device(&acme, &device("wm-9"), true, morning())
        .await
        .unwrap();
    let told = store.provision(&repair, &asks_for("wm-9", &made(3)), morning()).await;
    is_refused(told, "is revoked");
}

pub(super) async fn a_secret_that_a_device_makes_has_to_look_random(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let line = claimant(&*store, "line", 3, false).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let cases = [
        (String::new(), "32 random bytes"),
        (made(1).to_uppercase(), "32 random bytes"),
        (made(1)[2..].to_owned(), "32 random bytes"),
        ("0".repeat(64), "does not look random"),
    ];
    for (wrong, why) in cases {
        is_refused(store.provision(&line, &asks_for("wm-9", &wrong), morning()).await, why);
        is_refused(store.propose_secret(id, &wrong).await, why);
        is_refused(store.end_old_secret(id, &wrong).await, why);
    }
    assert_eq!(uses_left(&*store, "line").await, 3);
    assert!(!devices(&*store, "acme").await.contains(&"wm-9".to_owned()));
    assert_eq!(
        who(&*store, &[secret("acme", "wm-1", "secret-wm-1")]).await,
        ["acme/wm-1"]
    );
}

pub(super) async fn a_device_exchanges_its_secret_and_ends_the_old_one(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let (first, second, third) = (made(1), made(2), made(3));
    let ways = |text: &str| [secret("acme", "wm-1", text)];
    // Before it is proposed there is nothing to end.
    is_refused(store.end_old_secret(id, &first).await, "has another secret by now");
    for _ in 0..2 {
        store.propose_secret(id, &first).await.unwrap();
        assert_eq!(
            who(&*store, &ways("secret-wm-1")).await,
            ["acme/wm-1"],
            "until the new one was accepted"
        );
        assert_eq!(who(&*store, &ways(&first)).await, ["acme/wm-1"]);
    }
    assert_eq!(changes(&*store).await, [], "nobody has to come again for this");
    for round in 0..2 {
        store.end_old_secret(id, &first).await.unwrap();
        let told = changes(&*store).await;
        let wanted = if round == 0 {
            vec![AccessChange::Device(id)]
        } else {
            Vec::new()
        };
        assert_eq!(told, wanted, "round {round}");
        assert_eq!(who(&*store, &ways("secret-wm-1")).await, [""]);
        assert_eq!(who(&*store, &ways(&first)).await, ["acme/wm-1"]);
    }
    // The one in the second place makes room for the one after the next.
    store.propose_secret(id, &second).await.unwrap();
    is_refused(store.propose_secret(id, &first).await, "before the present one");
    store.propose_secret(id, &third).await.unwrap();
    assert_eq!(changes(&*store).await, [AccessChange::Device(id)]);
    assert_eq!(who(&*store, &ways(&first)).await, [""]);
    assert_eq!(who(&*store, &ways(&second)).await, ["acme/wm-1"]);
    is_refused(store.end_old_secret(id, &second).await, "has another secret by now");
    assert_eq!(who(&*store, &ways(&second)).await, ["acme/wm-1"]);
    assert_eq!(who(&*store, &[secret("beta", "wm-1", &third)]).await, [""]);
}

pub(super) async fn a_secret_of_its_own_takes_a_device_out_of_its_group(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let acme = tenant("acme");
    let group = store.add_group(&acme, "line", &[1; 32], "washing-machine", true, morning());
    group.await.unwrap();
    let (by_group, own) = (derived(&[1; 32], "wm-9"), made(1));
    let ways = [secret("acme", "wm-9", &by_group), secret("acme", "wm-9", &own)];
    assert_eq!(who(&*store, &ways).await, ["acme/wm-9", ""]);
    let id = appliance(&*store, "acme", "wm-9").await;
    store.propose_secret(id, &own).await.unwrap();
    assert_eq!(who(&*store, &ways).await, ["acme/wm-9", "acme/wm-9"]);
    assert_eq!(changes(&*store).await, []);
    store.end_old_secret(id, &own).await.unwrap();
    assert_eq!(changes(&*store).await, [AccessChange::Device(id)]);
    assert_eq!(
        who(&*store, &ways).await,
        ["", "acme/wm-9"],
        "the group's key alone is not enough any more"
    );
    let view = access(&*store, "wm-9").await;
    assert_eq!((view.secret, view.old_secret, view.group), (true, false, None));
    store.end_old_secret(id, &own).await.unwrap();
    assert_eq!(changes(&*store).await, [], "there was nothing to end");
}

pub(super) async fn a_device_that_may_not_exchange_its_secret_is_refused(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let (acme, wm1) = (tenant("acme"), device("wm-1"));
    let id = appliance(&*store, "acme", "wm-1").await;
    store.propose_secret(id, &made(1)).await.unwrap();
    store.revoke_device(&acme, &wm1, true, morning()).await.unwrap();
    is_refused(store.propose_secret(id, &made(2)).await, "is revoked");
    store.revoke_device(&acme, &wm1, false, morning()).await.unwrap();
    assert_eq!(who(&*store, &[secret("acme", "wm-1", &made(1))]).await, ["acme/wm-1"]);
    // What has a key that never leaves it gets no secret beside that.
    let declared = hub_core::site::Device {
        id: device("wm-9"),
        profile: "washing-machine".to_owned(),
        model: None,
        owner: None,
        service_point: None,
        secret_sha256: None,
    };
    let certified = store.declare_device(&acme, &declared, morning()).await.unwrap();
    assert_eq!(who(&*store, &[certificate("acme", "wm-9")]).await, ["acme/wm-9"]);
    is_refused(store.propose_secret(certified, &made(2)).await, "by a certificate");
    let nobody = ApplianceId(i64::MAX);
    for told in [
        store.propose_secret(nobody, &made(2)).await,
        store.end_old_secret(nobody, &made(2)).await,
    ] {
        assert!(matches!(told, Err(StoreError::NotFound { .. })), "{told:?}");
    }
}
