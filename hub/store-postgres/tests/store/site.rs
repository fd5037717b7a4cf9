//! The site file, accounts, events, and what may be read in the database.

use crate::access::{secret, who};
use crate::support::{PHONES, after, alarm, appliance, morning, played, seen, site, tenant};
use hub_core::consent::Consent;
use hub_core::id::AccountId;
use hub_store::account::{Account, AccountStore, Idempotency};
use hub_store::credential::DeviceCredentials;
use hub_store::event::{EventCursor, EventStore};
use hub_store::prediction::PredictionStore;
use hub_store::site::SiteStore;
use hub_store::ticket::TicketStore;
use hub_store::{Scope, StoreError};
use sqlx::{Connection, Row};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn applying_twice_changes_nothing_and_a_dry_run_keeps_nothing() {
    let (_base, store) = played().await;
    assert_eq!(store.apply_site(&site(), after(1), false).await.unwrap(), []);
    let mut other = site();
    other.tenants[0].contact_plan.probability_min = 0.8;
    other.tenants[0].owners[1].phone = None;
    other.tenants[0].owners[1].consent_to_calls = false;
    other.tenants[0].trunk.as_mut().unwrap().password = Some("another".into());
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

#[tokio::test]
async fn appliances_are_seen_by_their_own_tenant() {
    let (_base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    let beta = Scope::Tenant(tenant("beta"));
    assert!(matches!(
        store.appliance(&beta, id).await,
        Err(StoreError::NotFound { .. })
    ));
    assert_eq!(store.appliances(&beta, None, 10).await.unwrap().items.len(), 1);
    let first = store.appliances(&Scope::All, None, 2).await.unwrap();
    let rest = store.appliances(&Scope::All, first.next.as_deref(), 10).await.unwrap();
    assert_eq!((first.items.len(), rest.items.len(), rest.next), (2, 3, None));
}

/// Every table as text: no number, no secret, whatever was done with them.
#[tokio::test]
async fn no_number_and_no_secret_is_readable_in_the_database() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    store
        .commit_scoring(&seen(vec![alarm(id, "x", 0.95)]), morning())
        .await
        .unwrap();
    let mut conn = base.sql().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "select quote_ident(table_name) from information_schema.tables where table_schema = current_schema()",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    assert!(tables.len() > 20, "{tables:?}");
    let mut all = String::new();
    for table in tables {
        let rows = sqlx::query(&format!("select t::text as line from {table} t"))
            .fetch_all(&mut conn)
            .await
            .unwrap();
        rows.iter().for_each(|row| all.push_str(row.get("line")));
    }
    assert!(all.contains("Person lin"), "the dump is not one");
    // Bytes are printed in hexadecimal; a number stored as bytes would show so.
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    for secret in PHONES
        .iter()
        .map(|number| &number[3..])
        .chain(["trunk-password-1", "secret-wm-1"])
    {
        assert!(
            !all.contains(secret) && !all.contains(&hex(secret)),
            "{secret} is readable"
        );
    }
}

#[tokio::test]
async fn accounts_sessions_and_repeated_requests() {
    let (_base, store) = played().await;
    let account = |n: u128, name: &str| Account {
        id: AccountId(uuid::Uuid::from_u128(n)),
        name: name.into(),
        password_hash: "$argon2id$x".into(),
        scope: Scope::All,
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
    for n in 0..25_u8 {
        store
            .open_session([n; 32], id, after(60), after(i64::from(n)))
            .await
            .unwrap();
    }
    assert_eq!(
        store.session([0; 32], after(30)).await.unwrap(),
        None,
        "the oldest gave way"
    );
    assert!(store.session([24; 32], after(59)).await.unwrap().is_some());
    assert_eq!(store.session([24; 32], after(60)).await.unwrap(), None);
    store.close_session([23; 32]).await.unwrap();
    assert_eq!(store.session([23; 32], after(30)).await.unwrap(), None);
    let ask = |request: u8, minutes| store.idempotency(id, "k", [request; 32], after(minutes));
    assert_eq!(ask(1, 0).await.unwrap(), Idempotency::New);
    assert_eq!(ask(1, 1).await.unwrap(), Idempotency::UnderWay);
    store.remember(id, "k", 201, "{}").await.unwrap();
    assert_eq!(ask(1, 2).await.unwrap(), Idempotency::Done(201, "{}".into()));
    assert_eq!(ask(2, 3).await.unwrap(), Idempotency::OtherRequest);
    assert_eq!(ask(1, 24 * 60 + 1).await.unwrap(), Idempotency::New);
}

/// Writers commit in another order than they number their events; a reader that follows misses none and sees none twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_event_cursor_misses_nothing_under_concurrent_writers() {
    let (base, store) = played().await;
    let store = Arc::new(store);
    let head = store.event_head().await.unwrap();
    assert_eq!(head, head.to_string().parse().unwrap());
    let mut writers = Vec::new();
    for writer in 0..4_u64 {
        let options = base.options.clone();
        writers.push(tokio::spawn(async move {
            let mut conn = sqlx::PgConnection::connect_with(&options).await.unwrap();
            for n in 0..50_u64 {
                let mut tx = conn.begin().await.unwrap();
                sqlx::query(
                    "insert into event (transaction, tenant, at, kind) \
                     values (pg_current_xact_id()::text::bigint, 'acme', '2026-03-02T02:00:00Z', $1)",
                )
                .bind(format!("w{writer}.{n}"))
                .execute(&mut *tx)
                .await
                .unwrap();
                tokio::time::sleep(Duration::from_millis((writer * 7 + n * 3) % 11)).await;
                tx.commit().await.unwrap();
            }
        }));
    }
    let mut seen = Vec::new();
    let mut cursor = head;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while seen.len() < 200 && tokio::time::Instant::now() < deadline {
        for event in store.events_after(&Scope::All, cursor, 50).await.unwrap() {
            assert!(event.cursor > cursor);
            cursor = event.cursor;
            seen.push(event.kind);
        }
        store.event_arrived(Duration::from_millis(5)).await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(seen.len(), 200);
    let from_start = EventCursor {
        epoch: 0,
        transaction: 0,
        number: 0,
    };
    let all = store
        .events_after(&Scope::Tenant(tenant("beta")), from_start, 200)
        .await
        .unwrap();
    assert!(all.is_empty());
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 200, "an event was seen twice");
}

/// A new secret for a device in the field is not a new device: its owner, and what is known of it, stay.
#[tokio::test]
async fn a_new_secret_changes_nothing_else() {
    let (_base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    let before = store.appliance(&Scope::All, id).await.unwrap();
    let mut device = site().tenants[0].devices[0].clone();
    (device.owner, device.service_point, device.secret_sha256) = (None, None, None);
    let added = store.add_device(&tenant("acme"), &device, "another", after(1)).await;
    assert_eq!(added.unwrap(), id);
    assert_eq!(store.appliance(&Scope::All, id).await.unwrap(), before);
    assert_eq!(before.owner.as_deref(), Some("lin"));
    assert!(store.baselines_restarted().await.unwrap().is_empty());
    let shown = ["another", "secret-wm-1"].map(|text| secret("acme", "wm-1", text));
    assert_eq!(who(&store, &shown).await, ["acme/wm-1", ""]);
    // What is stated does change.
    let mut moved = device.clone();
    moved.owner = Some("wang".into());
    store
        .add_device(&tenant("acme"), &moved, "third", after(2))
        .await
        .unwrap();
    let after_move = store.appliance(&Scope::All, id).await.unwrap();
    assert_eq!(after_move.owner.as_deref(), Some("wang"));
    assert_eq!(after_move.service_point, before.service_point);
    assert_eq!(store.baselines_restarted().await.unwrap(), [id]);
}

#[tokio::test]
async fn a_new_secret_never_changes_the_profile() {
    let (base, _) = played().await;
    let both = ["washing-machine", "dishwasher"].map(crate::support::profile);
    let store = hub_store_postgres::PostgresStore::connect(base.options.clone(), base.keyring(), both.into())
        .await
        .unwrap();
    let mut device = site().tenants[0].devices[0].clone();
    device.profile = "dishwasher".into();
    let refused = store.add_device(&tenant("acme"), &device, "x", after(1)).await;
    assert!(
        matches!(&refused, Err(StoreError::Refused(why)) if why.contains("washing-machine")),
        "{refused:?}"
    );
    let shown = [secret("acme", "wm-1", "secret-wm-1")];
    assert_eq!(who(&store, &shown).await, ["acme/wm-1"], "the old secret stands");
}

#[tokio::test]
async fn the_order_of_the_ledger_decides_not_the_clock() {
    let (_base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
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
            .ticket(&Scope::All, ticket, morning())
            .await
            .unwrap()
            .owner
            .unwrap();
        assert_eq!(owner.consent == Consent::Given, given);
        assert_eq!(owner.consent_at, Some(after(minutes)));
    }
}

/// The file goes on naming the first secret for years; applying it must not bring that one back.
#[tokio::test]
async fn applying_the_file_again_does_not_undo_a_rotation() {
    let (_base, store) = played().await;
    let (acme, wm1) = (tenant("acme"), crate::access::device("wm-1"));
    let ways = ["secret-wm-1", "second", "fourth"].map(|text| secret("acme", "wm-1", text));
    store
        .rotate_secret(&acme, &wm1, "second", None, morning())
        .await
        .unwrap();
    store.retire_secret(&acme, &wm1).await.unwrap();
    assert_eq!(store.apply_site(&site(), after(1), false).await.unwrap(), []);
    assert_eq!(who(&store, &ways).await, ["", "acme/wm-1", ""]);
    // One that the file did not name before counts, once.
    let mut other = site();
    other.tenants[0].devices[0].secret_sha256 = Some("7c".repeat(32));
    let told = store.apply_site(&other, after(2), false).await.unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(who(&store, &ways).await, ["", "", ""]);
    store
        .rotate_secret(&acme, &wm1, "fourth", None, morning())
        .await
        .unwrap();
    store.retire_secret(&acme, &wm1).await.unwrap();
    assert_eq!(store.apply_site(&other, after(3), false).await.unwrap(), []);
    assert_eq!(who(&store, &ways).await, ["", "", "acme/wm-1"]);
}
