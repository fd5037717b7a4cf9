//! What may be read in the database, and the order of events.

use crate::support::{PHONES, alarm, appliance, morning, played, seen, tenant};
use hub_core::actor::Actor;
use hub_store::event::{EventCursor, EventStore};
use hub_store::prediction::PredictionStore;
use sqlx::{Connection, Row};
use std::sync::Arc;
use std::time::Duration;

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
    for secret in PHONES
        .iter()
        .map(|number| &number[3..])
        .chain(["trunk-password-1", "secret-wm-1"])
    {
        assert!(
            !all.contains(secret) && !all.contains(&hex::encode(secret)),
            "{secret} is readable"
        );
    }
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
        for event in store.events_after(&Actor::hub("test"), cursor, 50).await.unwrap() {
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
        .events_after(&Actor::hub("test").within(Some(tenant("beta"))), from_start, 200)
        .await
        .unwrap();
    assert!(all.is_empty());
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 200, "an event was seen twice");
}
