//! Rows of any age, whatever the hub's clock has done and whenever it was restarted: each comes to every reader once, each
//! is recognised when it comes again, and no look at unread rows depends on how many are kept.

use crate::support::{Base, appliance, morning, repeated, rolled_up, stored};
use crate::telemetry_layout::alone;
use hub_core::id::{ApplianceId, TraceId};
use hub_core::telemetry::{Identity, Lane, Sample, TelemetryMessage};
use hub_store::prediction::{PredictionStore, ScoredUpTo, ScoringCommit};
use hub_store::retention::UpkeepStore;
use hub_store::site::SiteStore;
use hub_store::telemetry::{Ingest, StoredRow, TelemetryStore};
use hub_store_postgres::{Layout, PostgresStore};
use jiff::{SignedDuration, Timestamp};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha20Rng;
use sqlx::Executor;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

pub const DAY: SignedDuration = SignedDuration::from_hours(24);

/// One sample, measured and received at these moments.
pub fn sample(id: ApplianceId, boot: u64, seq: u64, at: Timestamp, received_at: Timestamp) -> Ingest {
    Ingest::Telemetry(TelemetryMessage {
        appliance: id,
        identity: Identity::Sequence {
            boot,
            lane: Lane::Telemetry,
            first: seq,
        },
        samples: vec![Sample {
            at,
            values: vec![Some(i32::try_from(seq % 1_000).unwrap()), None],
            extra: None,
        }],
        received_at,
        skew_ms: None,
        trace: TraceId(Uuid::from_u128(u128::from(boot) << 64 | u128::from(seq))),
    })
}

async fn played() -> (Base, PostgresStore, Vec<ApplianceId>) {
    let (base, store) = crate::support::played().await;
    let mut ids = Vec::new();
    for (tenant, device) in [("acme", "wm-1"), ("acme", "wm-2"), ("beta", "wm-1")] {
        ids.push(appliance(&store, tenant, device).await);
    }
    (base, store, ids)
}

/// Everything that is not scored, at most so many rows at a time; each partition's offset follows.
pub async fn score(store: &PostgresStore, limit: usize, most: usize) -> Vec<StoredRow> {
    let mut all = Vec::new();
    while all.len() < most {
        let rows = store.unscored(limit, None).await.unwrap().rows;
        if rows.is_empty() {
            break;
        }
        let commit = ScoringCommit {
            offsets: ScoredUpTo::reach(&rows),
            ..ScoringCommit::default()
        };
        store.commit_scoring(&commit, morning()).await.unwrap();
        all.extend(rows);
    }
    all
}

/// Entries of `late` that anybody has read so far.
async fn late_read(base: &Base) -> i64 {
    sqlx::query_scalar(
        "select ((select sum(idx_tup_read) from pg_stat_user_indexes where relname = 'late') \
           + (select seq_tup_read from pg_stat_user_tables where relname = 'late'))::bigint",
    )
    .fetch_one(&mut alone(base).await)
    .await
    .unwrap()
}

/// While the roll-up stands and very much waits for it, a device that starts over is looked up among its own late rows:
/// whether the server knows how many there are of others, or not.
#[tokio::test]
async fn late_rows_of_others_are_not_read_for_a_device_that_starts_anew() {
    const WAITING: i64 = 250_000;
    let (base, store, ids) = played().await;
    if store.layout() == Layout::Hypertable {
        return;
    }
    let now = morning();
    let id = ids[0];
    let own: Vec<Ingest> = (0..3).map(|n| sample(id, 1, n, now - DAY * 9, now)).collect();
    store.ingest(&[sample(id, 1, 50, now, now)]).await.unwrap();
    store.ingest(&own).await.unwrap();
    store.close().await;
    drop(store);
    // Of another appliance of that partition, and behind all of it a last row that came in time.
    let rest = format!(
        "insert into late (partition, ingest_no, appliance, at) \
           select a.partition, 100 + n, 0, '{now}'::timestamptz - interval '8 days' \
           from appliance a, generate_series(1, {WAITING}) n where a.id = {id}; \
         insert into telemetry (appliance, ingest_no, at, received_at, trace_high, trace_low, tenant_no, partition, profile_no) \
           select 0, 101 + {WAITING}, '{now}', '{now}', 0, 0, tenant_no, partition, 1 from appliance where id = {id}",
        id = id.0,
    );
    base.sql().await.execute(rest.as_str()).await.unwrap();
    for (boot, statement) in [(2, "select"), (3, "analyze late")] {
        base.sql().await.execute(statement).await.unwrap();
        let before = late_read(&base).await;
        let store = base.store().await;
        // What it repeats is recognised, by what has waited of its own.
        assert_eq!(store.ingest(&own[1..]).await.unwrap(), [repeated(1); 2]);
        assert_eq!(
            store.ingest(&[sample(id, boot, 0, now, now)]).await.unwrap(),
            [stored(1)]
        );
        store.close().await;
        drop(store);
        let read = late_read(&base).await - before;
        assert!((3..1_000).contains(&read), "{read} entries were read after {statement}");
    }
}

#[tokio::test]
async fn a_backlog_of_more_than_a_year_is_read_once_and_recognised() {
    let (base, store, ids) = played().await;
    let now = morning();
    let day = |n: u64| now - DAY * i32::try_from(n).unwrap();
    // First what is new, so that all of the rest is late; then a reading for each tenth day, the oldest first.
    store.ingest(&[sample(ids[0], 1, 500, now, now)]).await.unwrap();
    assert_eq!(score(&store, 10, 10).await.len(), 1);
    let backlog: Vec<Ingest> = (0..=40).map(|n| sample(ids[0], 1, n, day(400 - 10 * n), now)).collect();
    let answers = store.ingest(&backlog).await.unwrap();
    assert!(answers.iter().all(|answer| *answer == stored(1)));
    assert_eq!(store.ingest(&backlog[..7]).await.unwrap(), [repeated(1); 7]);
    // The last of them is not late: it was measured now.
    assert_eq!(base.number("select count(*) from late").await, 40);
    let rows = score(&store, 7, 100).await;
    assert_eq!(rows.len(), 41);
    assert!(rows.windows(2).all(|pair| pair[0].ingest_no + 1 == pair[1].ingest_no));
    assert_eq!(rows[0].at, day(400));
    rolled_up(&store).await;
    let view = store
        .appliance(&hub_core::actor::Actor::hub("test"), ids[0])
        .await
        .unwrap();
    assert_eq!(view.samples, 42);
    // The list of what was late is emptied when all readers have passed it.
    while store.aggregate(None, 1_000, now).await.unwrap() > 0 {}
    store.close().await;
    let store = base.store().await;
    rolled_up(&store).await;
    assert_eq!(base.number("select count(*) from late").await, 0);
    // Placed at another time by a device without a clock, they are recognised all the same.
    let again: Vec<Ingest> = (0..=40).map(|n| sample(ids[0], 1, n, now, now)).collect();
    assert_eq!(store.ingest(&again).await.unwrap(), [repeated(1); 41]);
    assert_eq!(store.samples_stored().await.unwrap(), 42);
}

/// Where the last of very many waiting rows is late, it says nothing of the newest receipt. No batch waits until all of them are
/// looked through: a part of them is with each, and until that has come to its end, every row is taken for late.
#[tokio::test]
async fn many_late_rows_that_wait_are_looked_through_a_part_with_each_batch() {
    let (base, store, ids) = played().await;
    let now = morning();
    store.ingest(&[sample(ids[0], 1, 0, now, now)]).await.unwrap();
    let backlog: Vec<Ingest> = (1..=300).map(|n| sample(ids[0], 1, n, now - DAY * 2, now)).collect();
    store.ingest(&backlog).await.unwrap();
    store.close().await;
    let store = base.store().await;
    store.look_through_at_most(50).await;
    let late = "select count(*) from late";
    let mut named = Vec::new();
    for n in 301..=309 {
        let before = base.number(late).await;
        let new = [sample(ids[0], 1, n, now, now)];
        assert_eq!(store.ingest(&new).await.unwrap(), [stored(1)]);
        assert_eq!(store.ingest(&new).await.unwrap(), [repeated(1)]);
        named.push(base.number(late).await - before);
    }
    // 301 rows waited. A batch that stores nothing looks through as many.
    assert_eq!(named, [1, 1, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(score(&store, 40, 1_000).await.len(), 310);
    rolled_up(&store).await;
    let view = store
        .appliance(&hub_core::actor::Actor::hub("test"), ids[0])
        .await
        .unwrap();
    assert_eq!(view.samples, 310);
}

/// A hub is restarted after each step of the way of a row.
#[tokio::test]
async fn guards_are_rebuilt_wherever_a_row_has_come_to() {
    let (base, mut store, ids) = played().await;
    let (now, mut next) = (morning(), 0);
    for phase in 0..12u64 {
        // The clock of the hub goes back by a week, then comes right again.
        let received =
            now + DAY * i32::try_from(phase).unwrap() - if phase % 5 == 3 { DAY * 7 } else { SignedDuration::ZERO };
        let late = received - DAY * 30;
        let new: Vec<Ingest> = (next..next + 4)
            .map(|seq| sample(ids[0], 9, seq, if seq % 4 == 1 { late } else { received }, received))
            .collect();
        assert_eq!(store.ingest(&new).await.unwrap(), [stored(1); 4], "phase {phase}");
        if phase % 2 == 0 {
            store.roll_up(1 + usize::try_from(phase).unwrap()).await.unwrap();
        }
        if phase % 3 == 0 {
            score(&store, 3, 3).await;
        }
        if phase % 4 == 1 {
            rolled_up(&store).await;
        }
        store.close().await;
        store = base.store().await;
        next += 4;
        assert_eq!(store.ingest(&new).await.unwrap(), [repeated(1); 4], "phase {phase}");
        // A number that was left out is new, also below the mark.
        next += 1;
        store
            .ingest(&[sample(ids[0], 9, next, received, received)])
            .await
            .unwrap();
        store.close().await;
        store = base.store().await;
        let left_out = sample(ids[0], 9, next - 1, received, received);
        assert_eq!(
            store.ingest(std::slice::from_ref(&left_out)).await.unwrap(),
            [stored(1)],
            "phase {phase}"
        );
        assert_eq!(store.ingest(&[left_out]).await.unwrap(), [repeated(1)], "phase {phase}");
        next += 1;
    }
    assert_eq!(base.number("select count(distinct seq) from telemetry").await, 12 * 6);
    assert_eq!(base.number("select count(*) from telemetry").await, 12 * 6);
}

/// What the test knows of the world of [`whatever_the_clock_does_nothing_is_missed_and_nothing_comes_twice`].
struct World {
    base: Base,
    store: Option<PostgresStore>,
    /// How many waiting rows are looked through with each batch after a start.
    looked_through: i64,
    ids: Vec<ApplianceId>,
    rng: ChaCha20Rng,
    clock: Timestamp,
    /// By how many years it is ahead.
    wrong: i32,
    sent: Vec<Ingest>,
    next: BTreeMap<(ApplianceId, u64), u64>,
    scored: BTreeSet<(u8, i64)>,
    rows: u64,
}

impl World {
    fn store(&self) -> &PostgresStore {
        self.store.as_ref().unwrap()
    }

    fn message(&mut self) -> Ingest {
        let id = *self.ids.choose(&mut self.rng).unwrap();
        let boot = self.rng.random_range(0..2);
        let skip = self.rng.random_range(0..3) / 2 * 300;
        let next = self.next.entry((id, boot)).or_default();
        *next += 1 + skip;
        let age = match self.rng.random_range(0..6) {
            0 => SignedDuration::from_hours(self.rng.random_range(0..400 * 24)),
            1 => SignedDuration::from_hours(self.rng.random_range(20..28)),
            _ => SignedDuration::from_secs(self.rng.random_range(-500..5_000)),
        };
        sample(id, boot, *next, self.clock - age, self.clock)
    }

    async fn step(&mut self) {
        match self.rng.random_range(0..12) {
            0 => {
                // A year ahead, a year behind, or right again.
                let wrong = self.rng.random_range(-1..=1);
                self.clock += DAY * 365 * (wrong - self.wrong);
                self.wrong = wrong;
            }
            1 => {
                self.store.take().unwrap().close().await;
                let store = self.base.store().await;
                store.look_through_at_most(self.looked_through).await;
                self.store = Some(store);
            }
            2..=3 => {
                self.store()
                    .roll_up(self.rng.clone().random_range(1..40))
                    .await
                    .unwrap();
            }
            4..=6 => self.score(9).await,
            7 => {
                let again: Vec<Ingest> = self.sent.choose_multiple(&mut self.rng, 20).cloned().collect();
                let answers = self.store().ingest(&again).await.unwrap();
                assert!(answers.iter().all(|answer| *answer == repeated(1)), "{answers:?}");
            }
            _ => {
                self.clock += SignedDuration::from_secs(self.rng.random_range(0..40_000));
                let new: Vec<Ingest> = (0..self.rng.random_range(1..12)).map(|_| self.message()).collect();
                let answers = self.store().ingest(&new).await.unwrap();
                assert!(answers.iter().all(|answer| *answer == stored(1)), "{answers:?}");
                self.rows += new.len() as u64;
                self.sent.extend(new);
            }
        }
    }

    async fn score(&mut self, most: usize) {
        for row in score(self.store.as_ref().unwrap(), 5, most).await {
            assert!(self.scored.insert((row.partition, row.ingest_no)), "{row:?} came twice");
        }
    }
}

#[tokio::test]
async fn whatever_the_clock_does_nothing_is_missed_and_nothing_comes_twice() {
    for seed in 0..4 {
        let (base, store, ids) = played().await;
        let mut world = World {
            base,
            store: Some(store),
            looked_through: if seed % 2 == 0 { 200_000 } else { 3 },
            ids,
            rng: ChaCha20Rng::seed_from_u64(seed),
            clock: morning(),
            wrong: 0,
            sent: Vec::new(),
            next: BTreeMap::new(),
            scored: BTreeSet::new(),
            rows: 0,
        };
        for _ in 0..150 {
            world.step().await;
        }
        world.score(usize::MAX).await;
        assert_eq!(world.scored.len() as u64, world.rows, "seed {seed}");
        rolled_up(world.store()).await;
        let counted = world
            .base
            .number("select sum(samples)::bigint from appliance_status")
            .await;
        assert_eq!(counted.unsigned_abs(), world.rows, "seed {seed}");
        let distinct = "select count(*) from (select distinct appliance, boot, seq from telemetry) d";
        assert_eq!(
            world.base.number(distinct).await.unsigned_abs(),
            world.rows,
            "seed {seed}"
        );
        assert_eq!(world.store().samples_stored().await.unwrap().unsigned_abs(), world.rows);
    }
}
