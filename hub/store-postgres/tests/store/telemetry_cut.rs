//! What a writer does not know: a connection that ends between the commit and its answer, and a batch that is given up
//! at any moment. The same batch again, as the front door sends it, leaves each sample stored once.

use crate::relay::{Carried, through};
use crate::said::json;
use crate::support::{Base, appliance, morning, site, telemetry};
use hub_store::StoreError;
use hub_store::site::SiteStore;
use hub_store::telemetry::{Ingest, TelemetryStore};
use hub_store_postgres::PostgresStore;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// With what a client ends a COPY, which is then committed (manual, section "Message Formats", CopyDone).
const COPY_DONE: &[u8] = b"c\0\0\0\x04";
/// With what it ends a statement with parameters (Sync).
const SYNC: &[u8] = b"S\0\0\0\x04";

/// Stands between store and database, and cuts a connection at its commit: before or after the database has been told.
struct Cutter {
    /// What a client says to commit ends so.
    commit: &'static [u8],
    /// 0: nothing is cut, 1: before, 2: after.
    armed: AtomicU32,
    cut: AtomicU32,
}

impl Cutter {
    fn new(commit: &'static [u8]) -> Self {
        Self {
            commit,
            armed: AtomicU32::new(0),
            cut: AtomicU32::new(0),
        }
    }

    async fn carry(self: Arc<Self>, connection: Carried) {
        let Carried {
            mut from_client,
            mut to_client,
            mut from_database,
            mut to_database,
        } = connection;
        let back = tokio::spawn(async move { tokio::io::copy(&mut from_database, &mut to_client).await });
        let mut buffer = vec![0; 65_536];
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            let data = &buffer[..read];
            let armed = if data.ends_with(self.commit) {
                self.armed.swap(0, Ordering::SeqCst)
            } else {
                0
            };
            if armed > 0 {
                // No answer comes through from here on.
                back.abort();
                self.cut.fetch_add(1, Ordering::SeqCst);
            }
            if armed == 1 || to_database.write_all(data).await.is_err() {
                return;
            }
            if armed == 2 {
                return;
            }
        }
        let _ = to_database.shutdown().await;
    }
}

async fn through_a_cutter(base: &Base, folder: &Path, commit: &'static [u8]) -> (Arc<Cutter>, PostgresStore) {
    let cutter = Arc::new(Cutter::new(commit));
    let shared = Arc::clone(&cutter);
    let carry = move |connection| Arc::clone(&shared).carry(connection);
    let store = through(base, folder, carry).await;
    (cutter, store)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_ends_in_the_commit_of_many_rows_costs_nothing_and_doubles_nothing() {
    cut_in_the_commit(COPY_DONE, 10, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_ends_in_the_commit_of_a_few_rows_costs_nothing_and_doubles_nothing() {
    // What was forgotten with a cut is read again with the next batch that needs it, and a cut would fall there: so every batch
    // has a reading without a number.
    cut_in_the_commit(SYNC, 1, 1).await;
    cut_in_the_commit(SYNC, 4, 1).await;
}

/// Batches of `each` samples of two devices, and with every so many of them one sample more without a number.
async fn cut_in_the_commit(commit: &'static [u8], each: u64, json_every: u64) {
    let base = Base::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (cutter, store) = through_a_cutter(&base, folder.path(), commit).await;
    let ids = [
        appliance(&store, "acme", "wm-1").await,
        appliance(&store, "acme", "wm-2").await,
    ];
    let (mut rounds, mut samples, mut repeats) = (0, 0, 0);
    let (mut json_rounds, mut json_repeats) = (0, 0);
    // All is known with the first batch that is cut: nothing is read before it is stored.
    let mut first: Vec<Ingest> = ids.iter().map(|id| telemetry(*id, 4, 1_000, 1)).collect();
    // Later than all that has a number, or it would be looked for among the rows.
    first.push(json(ids[0], 9_999));
    store.ingest(&first).await.unwrap();
    for round in 0..60u64 {
        let mut batch: Vec<Ingest> = ids
            .iter()
            .map(|id| telemetry(*id, 4, 1_001 + round * each, each))
            .collect();
        let has_json = round % json_every == json_every - 1;
        if has_json {
            batch.push(json(ids[0], 10_000 + round));
        }
        let in_batch = 2 * each + u64::from(has_json);
        samples += i64::try_from(in_batch).unwrap();
        cutter.armed.store(1 + u32::from(round % 2 == 1), Ordering::SeqCst);
        let cut = store.ingest(&batch).await;
        assert!(matches!(&cut, Err(StoreError::Unavailable(_))), "{cut:?}");
        let answers = store.ingest(&batch).await.unwrap();
        let stored: u32 = answers.iter().map(|answer| answer.stored).sum();
        let repeated: u32 = answers.iter().map(|answer| answer.repeated).sum();
        assert_eq!(u64::from(stored + repeated), in_batch);
        repeats += u32::from(repeated > 0);
        rounds += 1;
        if has_json {
            json_rounds += 1;
            json_repeats += answers.last().unwrap().repeated;
        }
    }
    assert_eq!(cutter.cut.load(Ordering::SeqCst), rounds, "each round was cut");
    assert!(
        repeats > 10,
        "in {repeats} of {rounds} rounds the cut commit had been done"
    );
    assert!(
        json_repeats * 6 > json_rounds,
        "in {json_repeats} of {json_rounds} rounds with a reading without a number the cut commit had been done"
    );
    assert_eq!(base.number("select count(*) from telemetry").await, samples + 3);
    let distinct =
        "select count(*) from (select distinct appliance, boot, lane, seq from telemetry where seq is not null) d";
    assert_eq!(base.number(distinct).await, i64::try_from(60 * 2 * each + 2).unwrap());
}

/// Polls a future so often, then drops it.
async fn dropped_after<T>(polls: u32, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

#[tokio::test]
async fn a_batch_or_a_roll_up_that_is_given_up_at_any_moment_is_done_once() {
    let base = Base::new().await;
    let store = base.store().await;
    store.apply_site(&site(), morning(), false).await.unwrap();
    let id = appliance(&store, "acme", "wm-1").await;
    let (mut given_up, mut rolls_given_up) = (0, 0);
    for round in 0..48u64 {
        // A list of rows, or a COPY.
        let count = if round % 3 == 2 { 20 } else { 5 };
        let mut batch = vec![telemetry(id, 4, round * 20, count)];
        if round % 2 == 1 {
            batch.push(json(id, round));
        }
        // A batch is a statement or two, a roll-up some more.
        let polls = u32::try_from(round / 16).unwrap();
        given_up += u32::from(dropped_after(polls, store.ingest(&batch)).await.is_none());
        let answers = store.ingest(&batch).await.unwrap();
        assert_eq!(u64::from(answers[0].stored + answers[0].repeated), count);
        let polls = u32::try_from(round / 4).unwrap();
        rolls_given_up += u32::from(dropped_after(polls, store.roll_up(1_000)).await.is_none());
    }
    assert!(
        given_up > 5 && rolls_given_up > 5,
        "{given_up} batches, {rolls_given_up} roll-ups"
    );
    let rows = base.number("select count(*) from telemetry").await;
    assert_eq!(rows, 32 * 5 + 16 * 20 + 24);
    let again = base.beside().await;
    crate::support::rolled_up(&again).await;
    let view = again.appliance(&hub_core::actor::Actor::hub("test"), id).await.unwrap();
    assert_eq!(view.samples, rows);
}

/// A page that nobody waits for any more: what is said on its connection next must not be said in its transaction, which
/// nobody would commit.
#[tokio::test]
async fn what_is_given_up_at_any_moment_leaves_no_transaction_open() {
    let base = Base::new().await;
    let store = base.store().await;
    store.apply_site(&site(), morning(), false).await.unwrap();
    let id = appliance(&store, "acme", "wm-1").await;
    let scope = hub_core::actor::Actor::hub("test").within(Some(crate::support::tenant("acme")));
    let mut given_up = 0;
    for round in 0..60 {
        given_up += u32::from(dropped_after(round % 6, store.appliance(&scope, id)).await.is_none());
    }
    assert!(given_up > 10, "{given_up} were given up");
    let open = "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'";
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while base.number(open).await > 0 {
        assert!(std::time::Instant::now() < until, "a transaction stays open");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
