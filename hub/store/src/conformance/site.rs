//! The site file, accounts and events.

use super::Harness;
use super::door::{device, secret, who};
use super::scene::{after, alarm, appliance, morning, played, seen, site, tenant};
use crate::StoreError;
use crate::account::{Account, Idempotency, SESSIONS_MAX};
use hub_core::actor::Actor;
use hub_core::consent::Consent;
use hub_core::id::AccountId;
use jiff::SignedDuration;
use std::sync::Arc;
use std::time::Duration;

pub(super) async fn applying_twice_changes_nothing_and_a_dry_run_keeps_nothing(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    assert_eq!(store.apply_site(&site(), after(1), false).await.unwrap(), []);
    let mut other = site();
    other.tenants[0].call_rules.probability_min = 0.8;
    other.tenants[0].owners[1].phone = None;
    other.tenants[0].owners[1].consent_to_calls = false;
    let trunk = other.tenants[0].trunk.as_mut().unwrap();
    trunk.password = Some("another".into());
    trunk.addresses.pop();
    (trunk.post_dial_limit_s, trunk.trying_limit_s) = (1, 120);
    trunk.inbound_channels = None;
    trunk.proxy = "sip.carrier.example:5070".parse().unwrap();
    let told = store.apply_site(&other, after(1), true).await.unwrap();
    let kinds: Vec<_> = told.iter().map(|change| (change.action, change.kind)).collect();
    let wanted = [
        ("change", "tenant"),
        ("change", "trunk"),
        ("change", "owner"),
        ("change", "consent"),
    ];
    assert_eq!(kinds, wanted);
    assert_eq!(
        store.trunks().await.unwrap()[0].1.password.as_deref(),
        Some("trunk-password-1")
    );
    assert_eq!(store.apply_site(&other, after(1), false).await.unwrap(), told);
    assert_eq!(
        store.trunks().await.unwrap()[0].1,
        other.tenants[0].trunk.clone().unwrap()
    );
    assert_eq!(store.apply_site(&other, after(2), false).await.unwrap(), []);
    other.tenants[0].devices[0].profile = "toaster".into();
    assert!(matches!(
        store.apply_site(&other, after(3), false).await,
        Err(StoreError::Refused(_))
    ));
}

/// Also of what is named by something that was not there either.
pub(super) async fn a_dry_run_of_the_first_site_tells_all_that_applying_it_adds(h: &dyn Harness) {
    let place = h.empty().await;
    let store = place.hub().await;
    let told = store.apply_site(&site(), morning(), true).await.unwrap();
    // Two tenants, a trunk, a service point, three owners of whom two agree, five devices.
    assert_eq!(told.len(), 2 + 1 + 1 + 3 + 2 + 5, "{told:?}");
    assert!(told.iter().all(|change| change.action == "add"), "{told:?}");
    assert_eq!(store.appliances(&Actor::hub("test"), None, 10).await.unwrap().items, []);
    assert_eq!(store.apply_site(&site(), morning(), false).await.unwrap(), told);
}

pub(super) async fn appliances_are_seen_by_their_own_tenant(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let beta = Actor::hub("test").within(Some(tenant("beta")));
    assert!(matches!(
        store.appliance(&beta, id).await,
        Err(StoreError::NotFound { .. })
    ));
    assert_eq!(store.appliances(&beta, None, 10).await.unwrap().items.len(), 1);
    let first = store.appliances(&Actor::hub("test"), None, 2).await.unwrap();
    let rest = store
        .appliances(&Actor::hub("test"), first.next.as_deref(), 10)
        .await
        .unwrap();
    assert_eq!((first.items.len(), rest.items.len(), rest.next), (2, 3, None));
}

pub(super) async fn accounts_sessions_and_repeated_requests(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let account = |n: u128, name: &str| Account {
        id: AccountId(uuid::Uuid::from_u128(n)),
        password_hash: "$argon2id$x".into(),
        actor: Actor::administrator(name),
    };
    assert!(
        store
            .create_first_account(&account(1, "admin"), morning())
            .await
            .unwrap()
    );
    assert!(
        !store
            .create_first_account(&account(2, "second"), morning())
            .await
            .unwrap()
    );
    assert_eq!(store.account("admin").await.unwrap(), Some(account(1, "admin")));
    assert_eq!(store.account("second").await.unwrap(), None);
    let id = account(1, "").id;
    let token = |n: u16| {
        let mut token = [0_u8; 32];
        token[..2].copy_from_slice(&n.to_be_bytes());
        token
    };
    // One a second, and one more than there may be.
    for n in 0..=SESSIONS_MAX {
        let opened_at = morning() + SignedDuration::from_secs(i64::from(n));
        store.open_session(token(n), id, after(60), opened_at).await.unwrap();
    }
    let open = async |n: u16, minutes| store.session(token(n), after(minutes)).await.unwrap().is_some();
    assert!(!open(0, 30).await, "the oldest gave way");
    assert!(open(1, 30).await, "and no other did");
    assert!(open(SESSIONS_MAX, 59).await && !open(SESSIONS_MAX, 60).await);
    store.close_session(token(SESSIONS_MAX - 1)).await.unwrap();
    assert!(!open(SESSIONS_MAX - 1, 30).await);
    let ask = |request: u8, minutes| store.idempotency(id, "k", [request; 32], after(minutes));
    assert_eq!(ask(1, 0).await.unwrap(), Idempotency::New);
    assert_eq!(ask(1, 1).await.unwrap(), Idempotency::UnderWay);
    store.remember(id, "k", 201, "{}").await.unwrap();
    assert_eq!(ask(1, 2).await.unwrap(), Idempotency::Done(201, "{}".into()));
    assert_eq!(ask(2, 3).await.unwrap(), Idempotency::OtherRequest);
    assert_eq!(ask(1, 24 * 60 + 1).await.unwrap(), Idempotency::New);
}

/// Writers commit while a reader follows: it misses none and sees none twice.
pub(super) async fn the_event_cursor_misses_nothing_under_concurrent_writers(h: &dyn Harness) {
    const ROUNDS: i64 = 30;
    let (_place, store) = played(h).await;
    let head = store.event_head().await.unwrap();
    assert_eq!(head, head.to_string().parse().unwrap());
    let mut writers = Vec::new();
    for (tenant_id, device) in [("acme", "wm-1"), ("acme", "wm-2"), ("acme", "wm-3"), ("beta", "wm-1")] {
        let id = appliance(&*store, tenant_id, device).await;
        let store = Arc::clone(&store);
        writers.push(tokio::spawn(async move {
            for round in 0..ROUNDS {
                let commit = seen(vec![alarm(id, &format!("fault_{round}"), 0.95)]);
                store.commit_scoring(&commit, after(round)).await.unwrap();
            }
        }));
    }
    // Each opens a finding and a ticket.
    let wanted = usize::try_from(4 * 2 * ROUNDS).unwrap();
    let (mut followed, mut cursor) = (Vec::new(), head);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while followed.len() < wanted && tokio::time::Instant::now() < deadline {
        for event in store.events_after(&Actor::hub("test"), cursor, 50).await.unwrap() {
            assert!(event.cursor > cursor);
            cursor = event.cursor;
            followed.push((event.tenant, event.kind));
        }
        store.event_arrived(Duration::from_millis(5)).await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let count = |tenant_id: &str, kind: &str| {
        let wanted = (tenant(tenant_id), kind.to_owned());
        followed.iter().filter(|event| **event == wanted).count() as i64
    };
    for kind in ["finding.opened", "ticket.opened"] {
        assert_eq!(
            (count("acme", kind), count("beta", kind)),
            (3 * ROUNDS, ROUNDS),
            "{kind}"
        );
    }
    let theirs = store
        .events_after(&Actor::hub("test").within(Some(tenant("beta"))), head, 200)
        .await
        .unwrap();
    assert_eq!(theirs.len() as i64, 2 * ROUNDS);
    assert!(theirs.iter().all(|event| event.tenant == tenant("beta")));
}

/// A new secret for a device in the field is not a new device: its owner, and what is known of it, stay.
pub(super) async fn a_new_secret_changes_nothing_else(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let before = store.appliance(&Actor::hub("test"), id).await.unwrap();
    let mut device = site().tenants[0].devices[0].clone();
    (device.owner, device.service_point, device.secret_sha256) = (None, None, None);
    let added = store.add_device(&tenant("acme"), &device, "another", after(1)).await;
    assert_eq!(added.unwrap(), id);
    assert_eq!(store.appliance(&Actor::hub("test"), id).await.unwrap(), before);
    assert_eq!(before.owner.as_deref(), Some("lin"));
    assert!(store.baselines_restarted().await.unwrap().is_empty());
    let shown = ["another", "secret-wm-1"].map(|text| secret("acme", "wm-1", text));
    assert_eq!(who(&*store, &shown).await, ["acme/wm-1", ""]);
    // What is stated does change.
    let mut moved = device.clone();
    moved.owner = Some("wang".into());
    store
        .add_device(&tenant("acme"), &moved, "third", after(2))
        .await
        .unwrap();
    let after_move = store.appliance(&Actor::hub("test"), id).await.unwrap();
    assert_eq!(after_move.owner.as_deref(), Some("wang"));
    assert_eq!(after_move.service_point, before.service_point);
    assert_eq!(store.baselines_restarted().await.unwrap(), [id]);
}

pub(super) async fn a_new_secret_never_changes_the_profile(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let mut device = site().tenants[0].devices[0].clone();
    device.profile = "dishwasher".into();
    let refused = store.add_device(&tenant("acme"), &device, "x", after(1)).await;
    assert!(
        matches!(&refused, Err(StoreError::Refused(why)) if why.contains("washing-machine")),
        "{refused:?}"
    );
    let shown = [secret("acme", "wm-1", "secret-wm-1")];
    assert_eq!(who(&*store, &shown).await, ["acme/wm-1"], "the old secret stands");
}

pub(super) async fn the_order_of_the_ledger_decides_not_the_clock(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let commit = seen(vec![alarm(id, "x", 0.95)]);
    let ticket = store.commit_scoring(&commit, morning()).await.unwrap()[0]
        .opened
        .unwrap();
    // The clock was set back between the two.
    for (given, minutes) in [(false, 10), (true, 5)] {
        store
            .set_consent(&tenant("acme"), "lin", given, "console", after(minutes))
            .await
            .unwrap();
        let owner = store
            .ticket(&Actor::hub("test"), ticket, morning())
            .await
            .unwrap()
            .owner
            .unwrap();
        assert_eq!(owner.consent == Consent::Given, given);
        assert_eq!(owner.consent_at, Some(after(minutes)));
    }
}

/// The file goes on naming the first secret for years; applying it must not bring that one back.
pub(super) async fn applying_the_file_again_does_not_undo_a_rotation(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let (acme, wm1) = (tenant("acme"), device("wm-1"));
    let ways = ["secret-wm-1", "second", "fourth"].map(|text| secret("acme", "wm-1", text));
    store
        .rotate_secret(&acme, &wm1, "second", None, morning())
        .await
        .unwrap();
    store.retire_secret(&acme, &wm1).await.unwrap();
    assert_eq!(store.apply_site(&site(), after(1), false).await.unwrap(), []);
    assert_eq!(who(&*store, &ways).await, ["", "acme/wm-1", ""]);
    // One that the file did not name before counts, once.
    let mut other = site();
    other.tenants[0].devices[0].secret_sha256 = Some("7c".repeat(32));
    let told = store.apply_site(&other, after(2), false).await.unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(who(&*store, &ways).await, ["", "", ""]);
    store
        .rotate_secret(&acme, &wm1, "fourth", None, morning())
        .await
        .unwrap();
    store.retire_secret(&acme, &wm1).await.unwrap();
    assert_eq!(store.apply_site(&other, after(3), false).await.unwrap(), []);
    assert_eq!(who(&*store, &ways).await, ["", "", "acme/wm-1"]);
}
