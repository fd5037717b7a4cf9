//! Event cursors stay good when the database moves to another cluster, where transactions count from the start again.

use crate::support::{Base, after, played};
use hub_core::actor::Actor;
use hub_core::ticket::TicketEvent;
use hub_store::conformance::scene::ticket;
use hub_store::event::{Event, EventCursor, EventStore};
use hub_store::ticket::TicketStore;
use hub_store_postgres::PostgresStore;
use std::time::{Duration, Instant};

/// Waits until there are so many: transactions of tests beside hide events for as long as they are open.
async fn read(store: &PostgresStore, from: EventCursor, count: usize) -> Vec<Event> {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let events = store.events_after(&Actor::hub("test"), from, 100).await.unwrap();
        if events.len() >= count || Instant::now() > until {
            assert_eq!(events.len(), count);
            return events;
        }
        store.event_arrived(Duration::from_millis(20)).await;
    }
}

async fn change(base: &Base, statement: &str) {
    sqlx::query(statement).execute(&mut base.sql().await).await.unwrap();
}

#[tokio::test]
async fn a_cursor_of_before_finds_what_is_written_in_another_cluster() {
    let (base, store) = played().await;
    let start: EventCursor = "0".parse().unwrap();
    let id = ticket(&store, "wm-1", 0.95).await;
    let before = read(&store, start, 2).await;
    let held = before[1].cursor;
    assert_eq!(held.to_string().parse::<EventCursor>().unwrap(), held);
    store.close().await;
    // As a dump of a cluster that has come much further looks here.
    change(&base, "update event set transaction = transaction + 1000000").await;
    change(&base, "update event_epoch set system = 7").await;
    let held = EventCursor {
        transaction: held.transaction + 1_000_000,
        ..held
    };
    for round in 0..2 {
        let store = base.store().await;
        let head = store.event_head().await.unwrap();
        assert!(head > held && head.epoch > held.epoch);
        // Nothing is hidden permanently.
        read(&store, start, 2 + round).await;
        read(&store, held, round).await;
        store
            .apply_ticket(&Actor::hub("li"), id, &TicketEvent::CallRequested, after(1))
            .await
            .unwrap();
        let new = read(&store, held, round + 1).await;
        // Started again in the same cluster it is the same epoch.
        assert!(new.iter().all(|event| event.cursor.epoch == head.epoch));
        assert!(new.last().unwrap().cursor > head);
        store.close().await;
    }
}
