//! Devices that come in by a certificate of their maker's own authority: the hub gave them nothing, and nobody may be given
//! a credential in their name.

use crate::access_provision::request;
use crate::support::{Base, appliance, morning, played, tenant};
use hub_core::site::Device;
use hub_store::access::{AccessStore, Claimant, Provisioned};
use hub_store::conformance::door::{asks, certificate, claimant, derived, device, is_refused, secret, who};
use hub_store::credential::DeviceCredentials;
use hub_store::retention::UpkeepStore;
use hub_store_postgres::PostgresStore;
use jiff::{SignedDuration, Timestamp};
use sqlx::Executor;

const PROFILE: &str = "washing-machine";
const HAS_ONE: &str = "has a credential already";

/// As `forecall device add --without-secret` makes it.
async fn add_without_secret(store: &PostgresStore, name: &str) {
    let stated = Device {
        id: device(name),
        profile: PROFILE.into(),
        model: None,
        owner: None,
        service_point: None,
        secret_sha256: None,
    };
    let acme = tenant("acme");
    store.declare_device(&acme, &stated, morning()).await.unwrap();
}

/// Neither the key of a group that enrols nor a claim credential lets anybody in as this device.
async fn is_nobody_elses(store: &PostgresStore, line: &Claimant, name: &str) {
    is_refused(store.provision(line, &asks(name, None), morning()).await, HAS_ONE);
    is_refused(store.provision(line, &asks(name, request()), morning()).await, HAS_ONE);
    let by_group = secret("acme", name, &derived(&[1; 32], name));
    assert_eq!(who(store, &[by_group]).await, [""], "{name}");
}

/// With a group that enrols, and devices that the site file named without a secret.
async fn enrolling() -> (Base, PostgresStore) {
    let (base, store) = played().await;
    let strip = "update appliance set secret_sha256 = null where tenant = 'acme' and device <> 'wm-4'";
    base.sql().await.execute(strip).await.unwrap();
    store
        .add_group(&tenant("acme"), "line", &[1; 32], PROFILE, true, morning())
        .await
        .unwrap();
    (base, store)
}

#[tokio::test]
async fn who_was_added_without_a_secret_is_taken_over_by_nobody() {
    let (_base, store) = enrolling().await;
    let line = claimant(&store, "image", 9, false).await;
    add_without_secret(&store, "washer-3").await;
    is_nobody_elses(&store, &line, "washer-3").await;
    assert_eq!(who(&store, &[certificate("acme", "washer-3")]).await, ["acme/washer-3"]);
    is_nobody_elses(&store, &line, "washer-3").await;
    // It has one that may be replaced by a claim credential that allows it.
    let repair = claimant(&store, "repair", 9, true).await;
    let given = store.provision(&repair, &asks("washer-3", None), morning()).await;
    assert!(matches!(given, Ok(Provisioned::Secret(_))), "{given:?}");
}

#[tokio::test]
async fn who_came_in_by_a_certificate_once_is_taken_over_by_nobody() {
    let (_base, store) = enrolling().await;
    let line = claimant(&store, "image", 9, false).await;
    // In one batch, twice: the devices of the site file have nothing before.
    let shown = [certificate("acme", "wm-1"), certificate("acme", "wm-1")];
    assert_eq!(who(&store, &shown).await, ["acme/wm-1", "acme/wm-1"]);
    is_nobody_elses(&store, &line, "wm-1").await;
    // A certificate in another's name, or of a revoked device, lets nobody in and leaves no mark.
    assert_eq!(who(&store, &[certificate("beta", "wm-2")]).await, [""]);
    // What was declared only is given its first credential as ever.
    let first = secret("acme", "wm-2", &derived(&[1; 32], "wm-2"));
    assert_eq!(who(&store, &[first]).await, ["acme/wm-2"]);
    let given = store.provision(&line, &asks("wm-3", None), morning()).await;
    assert!(matches!(given, Ok(Provisioned::Secret(_))), "{given:?}");
}

#[tokio::test]
async fn who_is_let_in_again_after_a_revocation_still_has_its_credential() {
    let (_base, store) = enrolling().await;
    let (acme, line) = (tenant("acme"), claimant(&store, "image", 9, false).await);
    // One by its maker's certificate, one by the hub's that it never came in with.
    who(&store, &[certificate("acme", "wm-1")]).await;
    store
        .provision(&line, &asks("wm-9", request()), morning())
        .await
        .unwrap();
    for name in ["wm-1", "wm-9"] {
        for revoked in [true, false] {
            store
                .revoke_device(&acme, &device(name), revoked, morning())
                .await
                .unwrap();
        }
        is_nobody_elses(&store, &line, name).await;
    }
}

/// One that is over may be left out of the list of the revoked; but who says that it is over must be more than one clock.
#[tokio::test]
async fn a_revoked_certificate_stays_revoked_until_a_witness_says_that_it_is_over() {
    let (base, store) = enrolling().await;
    let (acme, line) = (tenant("acme"), claimant(&store, "image", 9, false).await);
    let later = morning() + SignedDuration::from_hours(24 * 10);
    let revoked_at = async |name: &str, now: Timestamp| {
        let given = store.provision(&line, &asks(name, request()), morning()).await;
        assert!(given.is_ok(), "{given:?}");
        store.revoke_device(&acme, &device(name), true, now).await.unwrap();
    };
    let over = "select count(*) from certificate where not_after = '2026-03-05Z'";
    revoked_at("wm-9", morning()).await;
    base.sql()
        .await
        .execute("update certificate set not_after = '2026-03-05Z'")
        .await
        .unwrap();
    revoked_at("wm-8", later).await;
    assert_eq!(base.number(over).await, 1, "nobody vouches for the clock");
    store.vouch(Some(later), None).await.unwrap();
    revoked_at("wm-7", later).await;
    assert_eq!(base.number(over).await, 0);
}

/// The group's key was shown before the certificate was: the second one stays out, also where both were looked up
/// at the same moment.
#[tokio::test]
async fn a_group_and_a_certificate_at_the_same_moment_give_one_of_them() {
    let (base, store) = enrolling().await;
    let by_group = secret("acme", "wm-1", &derived(&[1; 32], "wm-1"));
    let both = [certificate("acme", "wm-1"), by_group.clone()];
    assert_eq!(who(&store, &both).await, ["acme/wm-1", ""]);
    assert_eq!(who(&store, &[by_group]).await, [""]);
    let id = appliance(&store, "acme", "wm-1").await;
    let in_group = format!(
        "select count(*) from appliance where id = {} and key_group is not null",
        id.0
    );
    assert_eq!(base.number(&in_group).await, 0);
}
