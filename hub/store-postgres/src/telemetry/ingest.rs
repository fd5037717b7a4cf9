//! One batch, one commit: what is new of it is stored, what is a repeat is counted, and the number of statements does not
//! depend on the number of messages. Where all is known of those who send, a batch of readings is one statement: one round
//! trip for a few rows, two for many.
//!
//! Batches of one process follow each other, and only one process writes ([`crate::lease::place`]).

use super::fresh::{self, New, Placed};
use super::gauge::Gauges;
use super::writer_cache::WriterCache;
use super::{Item, packet, quarantine, said};
use crate::row::{db, not_found};
use crate::store::PostgresStore;
use hub_core::telemetry::TelemetryMessage;
use hub_store::error::{Result, StoreError};
use hub_store::telemetry::{Ingest, Ingested};
use sqlx::{Executor, PgConnection};
use std::collections::HashSet;
use tokio::time::Instant;

/// How often a batch is decided, where what was known of the database proved wrong.
const TRIES_MAX: u32 = 3;

/// What a committed batch has changed.
struct Done {
    answers: Vec<Ingested>,
    gauges: Gauges,
    partitions: HashSet<i16>,
}

/// Stores the batch, if every appliance in it exists: what is not stored must not look as if it were.
pub(super) async fn ingest(store: &PostgresStore, batch: &[Ingest]) -> Result<Vec<Ingested>> {
    let mut cache = store.writer.cache.lock().await;
    let begun = Instant::now();
    let mut tries = 0;
    loop {
        let mut conn = cache.start(&store.pool, &store.lease, store.layout).await?;
        let appliances = batch.iter().map(|item| item.appliance().0);
        cache.forget_homes(&store.writer.take_moved());
        cache.load_homes(&mut conn, &store.versions(), appliances).await?;
        // Nothing has been written yet, so what is known stays true.
        if let Some(unknown) = batch.iter().find(|item| cache.home(item.appliance().0).is_none()) {
            cache.commit_seen(conn);
            return Err(not_found("appliance", unknown.appliance()));
        }
        let outcome = write(store, &mut conn, &mut cache, batch).await;
        match outcome {
            Ok(done) => {
                cache.commit_seen(conn);
                for partition in &done.partitions {
                    store.writer.note(*partition);
                }
                store.writer.count(done.gauges);
                store.writer.batch(batch.len(), begun.elapsed());
                if !done.partitions.is_empty() {
                    store.signals.telemetry();
                }
                return Ok(done.answers);
            }
            // The connection is given up with what was known, and closed by dropping it.
            Err(StoreError::Conflict(why)) if tries + 1 < TRIES_MAX => {
                tries += 1;
                tracing::debug!(tries, why, "the batch is decided anew");
            }
            Err(error) => return Err(error),
        }
    }
}

async fn write(
    store: &PostgresStore,
    conn: &mut PgConnection,
    cache: &mut WriterCache,
    batch: &[Ingest],
) -> Result<Done> {
    // Partitions are made for good, whatever becomes of the batch.
    let missing = cache.weeks_missing(store.layout, batch.iter().filter_map(carried));
    cache.make_weeks(conn, missing).await?;
    cache.load_heads(conn).await?;
    let mut done = Done {
        answers: vec![Ingested { stored: 0, repeated: 0 }; batch.len()],
        gauges: Gauges::default(),
        partitions: HashSet::new(),
    };
    let items: Vec<Item<'_>> = batch.iter().enumerate().collect();
    // What fails ends with the connection, which is given up then.
    if items.iter().all(|(_, item)| is_plain(item)) {
        readings(conn, cache, &items, &mut done).await?.commit(conn).await?;
    } else {
        conn.execute("BEGIN").await.map_err(db)?;
        mixed(conn, cache, items, &mut done).await?;
        conn.execute("COMMIT").await.map_err(db)?;
    }
    Ok(done)
}

/// Whether an item is stored by its rows alone; what was dropped is counted in memory.
fn is_plain(item: &Ingest) -> bool {
    matches!(item, Ingest::Telemetry(_) | Ingest::Dropped { .. })
}

/// Within a transaction.
async fn mixed(conn: &mut PgConnection, cache: &mut WriterCache, items: Vec<Item<'_>>, done: &mut Done) -> Result<()> {
    let items = packet::admit(conn, items, &mut done.answers).await?;
    readings(conn, cache, &items, done).await?.write(conn).await?;
    said::write(conn, &items, &mut done.answers).await?;
    quarantine::write(conn, &items, &mut done.answers).await
}

/// What is new among the readings of the items.
async fn readings<'a>(
    conn: &mut PgConnection,
    cache: &mut WriterCache,
    items: &[Item<'a>],
    done: &mut Done,
) -> Result<New<'a>> {
    let mut messages: Vec<Placed<'a>> = Vec::with_capacity(items.len());
    for (at, item) in items {
        if let Some(message) = item.readings() {
            let home = cache.home(message.appliance.0);
            messages.extend(home.map(|home| (*at, message, home)));
        } else if let Ingest::Dropped { appliance, count } = item {
            done.gauges.dropped(*appliance, *count);
        }
    }
    let (answers, gauges) = (&mut done.answers, &mut done.gauges);
    let new = fresh::take(conn, cache, &messages, answers, gauges).await?;
    done.partitions = new.partitions();
    Ok(new)
}

/// The readings of an item, whatever else has to happen for them to be stored.
fn carried(item: &Ingest) -> Option<&TelemetryMessage> {
    match item {
        Ingest::Once { content, .. } | Ingest::Replayed { content, .. } => carried(content),
        other => other.readings(),
    }
}
