//! Who comes in: secrets with two places, tokens, certificates, and what ends them.

use super::Harness;
use super::door::{certificate, changes, device, secret, token, who, who_at};
use super::scene::{after, appliance, morning, played, site, tenant};
use crate::StoreError;
use crate::access::{AccessChange, Credential, Principal};
use hub_core::actor::Actor;
use std::time::Duration;

pub(super) async fn a_batch_of_credentials_is_answered_in_order_and_tenants_stay_apart(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let shown = [
        secret("acme", "wm-1", "secret-wm-1"),
        secret("acme", "wm-1", "secret-wm-2"),
        secret("beta", "wm-1", "secret-wm-1"),
        secret("beta", "wm-1", "secret-beta"),
        Credential::Token("secret-wm-3".into()),
        secret("nobody", "wm-1", "secret-wm-1"),
        certificate("acme", "wm-4"),
        certificate("beta", "wm-4"),
        Credential::Token("int_secret-wm-3".into()),
    ];
    let wanted = ["acme/wm-1", "", "", "beta/wm-1", "acme/wm-3", "", "acme/wm-4", "", ""];
    assert_eq!(who(&*store, &shown).await, wanted);
    assert!(store.identify(&[], morning()).await.unwrap().is_empty());
    let Some(Principal::Device(own, None)) = store.identify(&shown[..1], morning()).await.unwrap().remove(0) else {
        panic!("not the device without a session");
    };
    assert_eq!(own.profile, "washing-machine");
    assert_eq!(own.appliance, appliance(&*store, "acme", "wm-1").await);
}

pub(super) async fn a_secret_works_beside_its_successor_until_it_is_retired_or_over(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let (acme, wm1) = (tenant("acme"), device("wm-1"));
    let id = appliance(&*store, "acme", "wm-1").await;
    let ways = |text: &str| [secret("acme", "wm-1", text), Credential::Token(text.into())];
    let none = ["", ""];
    let both = ["acme/wm-1", "acme/wm-1"];
    store
        .rotate_secret(&acme, &wm1, "second", None, morning())
        .await
        .unwrap();
    assert_eq!(who(&*store, &ways("secret-wm-1")).await, both);
    assert_eq!(who(&*store, &ways("second")).await, both);
    assert_eq!(changes(&*store).await, [], "nobody has to come again for this");
    // The site file still names the first secret: that is no news while it works.
    assert_eq!(store.apply_site(&site(), morning(), false).await.unwrap(), []);
    store.retire_secret(&acme, &wm1).await.unwrap();
    assert_eq!(changes(&*store).await, [AccessChange::Device(id)]);
    assert_eq!(who(&*store, &ways("secret-wm-1")).await, none);
    assert_eq!(who(&*store, &ways("second")).await, both);
    assert!(matches!(
        store.retire_secret(&acme, &wm1).await,
        Err(StoreError::Refused(_))
    ));
    let until = Some(after(30));
    store
        .rotate_secret(&acme, &wm1, "third", until, morning())
        .await
        .unwrap();
    assert_eq!(who_at(&*store, &ways("second"), after(29)).await, both);
    assert_eq!(who_at(&*store, &ways("second"), after(30)).await, none);
    assert_eq!(who_at(&*store, &ways("third"), after(30)).await, both);
    for (refused, old_until) in [("third", None), ("fourth", Some(morning()))] {
        let told = store.rotate_secret(&acme, &wm1, refused, old_until, morning()).await;
        assert!(matches!(told, Err(StoreError::Refused(_))), "{refused}");
    }
    // The second one loses its place, and a client that came in with it has to come again.
    store
        .rotate_secret(&acme, &wm1, "fourth", None, morning())
        .await
        .unwrap();
    assert_eq!(changes(&*store).await, [AccessChange::Device(id)]);
    assert_eq!(who(&*store, &ways("second")).await, none);
    let view = &store
        .device_access(&Actor::hub("test").within(Some(acme)), None, 10)
        .await
        .unwrap()
        .items[0];
    assert_eq!(
        (view.secret, view.old_secret, view.old_secret_until),
        (true, true, None)
    );
}

pub(super) async fn a_token_that_two_devices_share_is_nobodys(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let shared = [Credential::Token("secret-wm-2".into())];
    assert_eq!(who(&*store, &shared).await, ["acme/wm-2"]);
    let (beta, wm1) = (tenant("beta"), device("wm-1"));
    store
        .rotate_secret(&beta, &wm1, "secret-wm-2", None, morning())
        .await
        .unwrap();
    assert_eq!(who(&*store, &shared).await, [""]);
    // Once more over: now beta's is the old one of the two, which is still no less its.
    store
        .rotate_secret(&beta, &wm1, "beta-3", None, morning())
        .await
        .unwrap();
    assert_eq!(who(&*store, &shared).await, [""]);
    store.retire_secret(&beta, &wm1).await.unwrap();
    assert_eq!(who(&*store, &shared).await, ["acme/wm-2"]);
}

pub(super) async fn a_revoked_device_comes_in_by_nothing_and_may_be_let_in_again(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let (acme, wm1) = (tenant("acme"), device("wm-1"));
    let id = appliance(&*store, "acme", "wm-1").await;
    store
        .rotate_secret(&acme, &wm1, "second", None, morning())
        .await
        .unwrap();
    store
        .add_group(&acme, "line", &[7; 32], "washing-machine", true, morning())
        .await
        .unwrap();
    store.join_group(&acme, &wm1, "line", morning()).await.unwrap();
    let by_group = store.group_secret(&acme, "line", &wm1).await.unwrap();
    let ways = [
        secret("acme", "wm-1", "second"),
        secret("acme", "wm-1", "secret-wm-1"),
        secret("acme", "wm-1", &by_group),
        Credential::Token("second".into()),
        Credential::Token("secret-wm-1".into()),
        certificate("acme", "wm-1"),
    ];
    assert_eq!(who(&*store, &ways).await, ["acme/wm-1"; 6]);
    changes(&*store).await;
    store.revoke_device(&acme, &wm1, true, morning()).await.unwrap();
    assert_eq!(changes(&*store).await, [AccessChange::Device(id)]);
    assert_eq!(who(&*store, &ways).await, [""; 6]);
    let mut declared = site().tenants[0].devices[0].clone();
    declared.owner = None;
    let told = store.add_device(&acme, &declared, "new", morning()).await;
    assert!(
        matches!(told, Err(StoreError::Refused(_))),
        "a new secret would not let it in: {told:?}"
    );
    store.revoke_device(&acme, &wm1, false, morning()).await.unwrap();
    assert_eq!(who(&*store, &ways).await, ["acme/wm-1"; 6]);
    let unknown = store
        .revoke_device(&tenant("beta"), &device("wm-4"), true, morning())
        .await;
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })));
}

pub(super) async fn an_integrator_reads_until_it_is_revoked(h: &dyn Harness) {
    let (place, store) = played(h).await;
    let (acme, int) = (tenant("acme"), token("int_"));
    let filters = ["d/+/t".to_owned(), "d/wm-1/#".to_owned()];
    store
        .add_integrator(&acme, "erp", &int, &filters, morning())
        .await
        .unwrap();
    let shown = [Credential::Token(int.clone())];
    let Some(Principal::Integrator(found)) = store.identify(&shown, morning()).await.unwrap().remove(0) else {
        panic!("not the integrator");
    };
    assert_eq!(
        (found.tenant.as_str(), found.name.as_str(), &found.filters[..]),
        ("acme", "erp", &filters[..])
    );
    let long = "x".repeat(65);
    for (name, token, filter) in [
        ("erp", token("int_2"), "d/#"),
        ("crm", token("claim_"), "d/#"),
        ("crm", "int_short".into(), "d/#"),
        ("crm", token("int_2"), "#"),
        (long.as_str(), token("int_2"), "d/#"),
    ] {
        let told = store
            .add_integrator(&acme, name, &token, &[filter.to_owned()], morning())
            .await;
        assert!(matches!(told, Err(StoreError::Refused(_))), "{name} {token} {filter}");
    }
    // Another process revokes it: this one hears of it by itself, long before it gives up waiting.
    let beside = place.beside().await;
    let waiting = async {
        let heard = tokio::time::timeout(HEARD_WITHIN, store.access_changed(HEARD_WITHIN * 100)).await;
        heard.expect("it waits on although there is a change").unwrap()
    };
    let revoking = async {
        // It waits already when the change comes.
        tokio::time::sleep(Duration::from_millis(100)).await;
        beside.revoke_integrator(&acme, "erp").await.unwrap();
    };
    let (told, ()) = tokio::join!(waiting, revoking);
    let (tenant, name) = (acme.clone(), "erp".to_owned());
    assert_eq!(told, [AccessChange::Integrator { tenant, name }]);
    assert_eq!(changes(&*store).await, [], "it is not told again");
    assert_eq!(changes(&*beside).await, [], "nor to anybody else from now on");
    assert_eq!(who(&*store, &shown).await, [""]);
    let listed = store.integrators(&Actor::hub("test")).await.unwrap();
    assert!(listed.len() == 1 && listed[0].revoked);
    assert_eq!(
        store
            .integrators(&Actor::hub("test").within(Some(self::tenant("beta"))))
            .await
            .unwrap(),
        []
    );
}

/// A store that works hears of a change in a fraction of this. That it looks soon enough for access to be cut within a
/// second is checked where the store says how often it looks.
const HEARD_WITHIN: Duration = Duration::from_secs(30);

/// A database in which nothing was ever applied.
pub(super) async fn an_unknown_tenant_is_refused_and_not_made(h: &dyn Harness) {
    let place = h.empty().await;
    let store = place.hub().await;
    let told = store
        .add_group(&tenant("acme"), "line", &[7; 32], "washing-machine", true, morning())
        .await;
    assert!(matches!(told, Err(StoreError::NotFound { .. })), "{told:?}");
    assert_eq!(
        who(&*store, &[secret("acme", "wm-1", "x"), certificate("acme", "wm-1")]).await,
        ["", ""]
    );
    assert!(
        store
            .appliances(&Actor::hub("test"), None, 10)
            .await
            .unwrap()
            .items
            .is_empty()
    );
}
