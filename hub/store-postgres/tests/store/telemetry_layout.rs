//! The form of the table of readings: what is written comes back exactly, each row by its own version of the profile, from
//! partitions that are there when they are needed; and no look at it goes through whole weeks.

use crate::support::{Base, appliance, morning, profile, profiles, repeated, rolled_up, stored, take_lease};
use crate::telemetry_time::{DAY, sample, score};
use hub_core::profile::ApplianceProfile;
use hub_core::telemetry::{Identity, Lane, Sample, TelemetryMessage, kept};
use hub_store::telemetry::{Ingest, TelemetryStore};
use hub_store_postgres::{Layout, PostgresStore};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use sqlx::{Executor, PgConnection, Row};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Values as they may come: extremes and what is missing as often as anything between, rows of any of these lengths.
fn values(rng: &mut ChaCha20Rng, lengths: &[usize]) -> Vec<Option<i32>> {
    let length = lengths[rng.random_range(0..lengths.len())];
    (0..length)
        .map(|_| match rng.random_range(0..6) {
            0 => None,
            1 => Some(i32::MIN),
            2 => Some(i32::MAX),
            3 => Some(rng.random_range(-1..=1)),
            _ => Some(rng.random()),
        })
        .collect()
}

/// All values of a row by channel order, as an SQL expression.
fn every_value() -> String {
    let columns: Vec<String> = (1..=32).map(|id| format!("c{id}")).collect();
    format!("array[{}] || more", columns.join(", "))
}

#[tokio::test]
async fn every_value_comes_back_as_it_was() {
    let (base, store) = crate::support::played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    let mut rng = ChaCha20Rng::seed_from_u64(11);
    let mut expected = BTreeMap::new();
    // One row, a list of rows, a COPY that names no columns, and one that names those that its rows have.
    let (any, few) = (&[0, 1, 2, 10, 31, 32, 33, 255][..], &[0, 3, 9][..]);
    let ways = [
        (1, any, 0.2),
        (1, few, 0.0),
        (7, any, 0.2),
        (7, few, 0.0),
        (40, any, 0.2),
        (100, few, 0.0),
        (100, few, 0.2),
        (100, any, 0.0),
    ];
    let mut ways = ways.into_iter();
    for boot in [0, 1, u64::MAX, rng.random()] {
        for lane in [Lane::Telemetry, Lane::Events] {
            let first = [
                0,
                5,
                i64::MAX.cast_unsigned() - 3,
                u64::MAX - 200,
                rng.random_range(0..1 << 60),
            ];
            let first = first[rng.random_range(0..5)];
            let (size, lengths, extras) = ways.next().unwrap();
            let samples: Vec<Sample> = (0..size)
                .map(|_| Sample {
                    at: Timestamp::from_microsecond(
                        morning().as_microsecond() - rng.random_range(-600_000_000..400 * 86_400_000_000),
                    )
                    .unwrap(),
                    values: values(&mut rng, lengths),
                    extra: rng
                        .random_bool(extras)
                        .then(|| serde_json::json!({"unknown": {"x": 1e300, "y": [null, "\u{1}"]}})),
                })
                .collect();
            for (n, sample) in samples.iter().enumerate() {
                expected.insert((boot, lane as i16, first + n as u64), sample.clone());
            }
            let batch = [Ingest::Telemetry(TelemetryMessage {
                appliance: id,
                identity: Identity::Sequence { boot, lane, first },
                samples,
                received_at: morning(),
                skew_ms: None,
                trace: hub_core::id::TraceId(uuid::Uuid::from_u64_pair(3, 4)),
            })];
            assert_eq!(store.ingest(&batch).await.unwrap(), [stored(size)]);
        }
    }
    let rows = sqlx::query(&format!(
        "select boot, lane, seq, at, {}, extra, trace_high, trace_low, (t.tenant_no, t.partition, p.no, '{}') = ( \
           a.tenant_no, a.partition, t.profile_no, t.received_at) from telemetry t join appliance a on a.id = t.appliance \
         join profile_version p on p.name = a.profile",
        every_value(),
        morning()
    ))
    .fetch_all(&mut base.sql().await)
    .await
    .unwrap();
    assert_eq!(rows.len(), expected.len());
    for row in rows {
        let key = (
            row.get::<i64, _>(0).cast_unsigned(),
            row.get(1),
            row.get::<i64, _>(2).cast_unsigned(),
        );
        let sample = expected.remove(&key).unwrap();
        assert_eq!(row.get::<jiff_sqlx::Timestamp, _>(3).to_jiff(), sample.at);
        assert_eq!(kept(row.get(4)), kept(sample.values), "{key:?}");
        assert_eq!(row.get::<Option<serde_json::Value>, _>(5), sample.extra);
        assert_eq!((row.get(6), row.get(7)), (3_i64, 4_i64));
        assert!(row.get::<bool, _>(8), "of another place, profile or time: {key:?}");
    }
}

/// Rows are written without the names of their columns.
#[tokio::test]
async fn the_columns_lie_as_rows_are_written() {
    let (base, _store) = crate::support::played().await;
    let columns: Vec<String> = sqlx::query_scalar(
        "select attname::text from pg_attribute where attrelid = 'telemetry'::regclass and attnum > 0 and not attisdropped \
         order by attnum",
    )
    .fetch_all(&mut base.sql().await)
    .await
    .unwrap();
    let values: Vec<String> = (1..=32).map(|id| format!("c{id}")).collect();
    let expected = format!(
        "appliance ingest_no at received_at boot seq trace_high trace_low tenant_no {} partition profile_no lane more extra",
        values.join(" ")
    );
    assert_eq!(columns.join(" "), expected);
}

async fn store_with(base: &Base, profiles: BTreeMap<String, ApplianceProfile>) -> PostgresStore {
    let store = PostgresStore::connect(base.options.clone(), base.keyring(), profiles)
        .await
        .unwrap();
    take_lease(&store).await;
    store
}

/// A channel more, then another resolution, then what it was before: each row is read by what was said when it came.
#[tokio::test]
async fn a_profile_that_changes_leaves_old_rows_readable() {
    let (base, store) = crate::support::played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    let (name, first) = profile("washing-machine");
    let mut longer = first.clone();
    longer.version = 2;
    longer.channels.push(hub_core::profile::Channel {
        id: u8::try_from(first.channels.len()).unwrap() + 1,
        name: "door".into(),
        ..first.channels[0].clone()
    });
    let mut coarser = longer.clone();
    coarser.channels[0].decimals = 1;
    store.close().await;
    let all = [first.clone(), longer.clone(), coarser.clone(), first.clone()];
    for (seq, profile) in all.iter().enumerate() {
        let mut current = profiles();
        current.insert(name.clone(), profile.clone());
        let store = store_with(&base, current).await;
        let value = profile.channels[0].quantise(2.5).unwrap();
        let mut message = sample(id, 1, seq as u64, morning(), morning());
        if let Ingest::Telemetry(message) = &mut message {
            message.samples[0].values = vec![Some(value); profile.channels.len()];
        }
        assert_eq!(store.ingest(&[message]).await.unwrap(), [stored(1)]);
        store.close().await;
    }
    let rows = sqlx::query(
        "select t.c1 as first, p.name, p.channels from telemetry t join profile_version p on p.no = t.profile_no order by t.seq",
    )
    .fetch_all(&mut base.sql().await)
    .await
    .unwrap();
    let read: Vec<(f64, serde_json::Value)> = rows
        .iter()
        .map(|row| {
            assert_eq!(row.get::<String, _>("name"), name);
            let channels: serde_json::Value = row.get("channels");
            let scale = i32::try_from(channels[0]["decimals"].as_i64().unwrap()).unwrap();
            (f64::from(row.get::<i32, _>("first")) / 10f64.powi(scale), channels)
        })
        .collect();
    assert_eq!(read.iter().map(|(value, _)| *value).collect::<Vec<_>>(), [2.5; 4]);
    for (profile, (_, channels)) in all.iter().zip(&read) {
        assert_eq!(*channels, serde_json::to_value(&profile.channels).unwrap());
    }
    // Detectors read them so, too.
    let store = store_with(&base, profiles()).await;
    let channel = &first.channels[0].name;
    let unscored = store.unscored(10, None).await.unwrap().rows;
    let values: Vec<_> = unscored
        .iter()
        .map(|row| row.profile.value(&row.values, channel))
        .collect();
    assert_eq!(values, [Some(2.5); 4]);
    store.close().await;
    let versions = format!("select count(*) from profile_version where name = '{name}'");
    assert_eq!(base.number(&versions).await, 3, "what was said before is not said anew");
}

/// A row is decoded by the profile that its appliance has when it comes, also if that has just been changed beside.
#[tokio::test]
async fn a_partition_that_was_dropped_is_made_anew() {
    let (base, store) = crate::support::played().await;
    if store.layout() == Layout::Hypertable {
        return;
    }
    let id = appliance(&store, "acme", "wm-1").await;
    let old = morning() - DAY * 300;
    store.ingest(&[sample(id, 1, 0, old, morning())]).await.unwrap();
    assert_eq!(
        store.ingest(&[sample(id, 1, 0, old, morning())]).await.unwrap(),
        [repeated(1)]
    );
    score(&store, 10, 10).await;
    rolled_up(&store).await;
    // 2025-05-06 is in the week that starts on 1 May.
    base.sql().await.execute("drop table telemetry_20250501").await.unwrap();
    let batch = [sample(id, 1, 1, old, morning()), sample(id, 1, 2, morning(), morning())];
    assert_eq!(store.ingest(&batch).await.unwrap(), [stored(1); 2]);
    assert_eq!(score(&store, 10, 10).await.len(), 2);
    assert_eq!(store.samples_stored().await.unwrap(), 3, "what was dropped was stored");
    // Partitions are there before they are needed.
    let ahead = "select count(*) from pg_inherits where inhparent = 'telemetry'::regclass";
    assert_eq!(base.number(ahead).await, 4);
}

/// A connection that is the only one: every other session has told the statistics of the server what it did.
pub async fn alone(base: &Base) -> PgConnection {
    let sessions = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() \
        and backend_type = 'client backend'";
    let (mut sql, until) = (base.sql().await, Instant::now() + Duration::from_secs(30));
    while sqlx::query_scalar::<_, i64>(sessions)
        .fetch_one(&mut sql)
        .await
        .unwrap()
        > 0
    {
        assert!(Instant::now() < until, "sessions are left");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    sql
}

/// How often each week that holds something was read as a whole so far, by the statistics of the server.
async fn whole_scans(base: &Base) -> Vec<(String, i64)> {
    let mut sql = alone(base).await;
    sqlx::query_as(
        "select s.relname::text, s.seq_scan from pg_stat_user_tables s join pg_inherits i on i.inhrelid = s.relid \
         join pg_class c on c.oid = s.relid \
         where i.inhparent = 'telemetry'::regclass and c.reltuples > 1000 order by s.relname",
    )
    .fetch_all(&mut sql)
    .await
    .unwrap()
}

#[tokio::test]
async fn neither_ingest_nor_a_reader_reads_whole_weeks() {
    let (base, store) = crate::support::played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    let other = appliance(&store, "acme", "wm-2").await;
    store.make_partitions(morning() - DAY * 60, morning()).await.unwrap();
    store.close().await;
    // A connection that is on its way back while the pool is closed goes with the pool.
    drop(store);
    let mut sql = base.sql().await;
    // Each appliance with a reading every five minutes for eight weeks, and twenty neighbours in its partition.
    let fill = format!(
        "insert into telemetry (appliance, ingest_no, at, received_at, boot, seq, tenant_no, partition, profile_no, lane, trace_high, trace_low, c1, c2, c3) \
         select case when n % 40 = 0 then a.id else 1000 + n % 40 end, n, t, t, 7, n, a.tenant_no, a.partition, 1, 0, \
           7, n, 1, 2, 3 \
         from appliance a, lateral (select n, $1::timestamptz - make_interval(mins => 80000 - n) as t \
           from generate_series(1, 80000) n) s where a.id in ({}, {})",
        id.0, other.0
    );
    sqlx::query(&fill)
        .bind(morning().to_sqlx())
        .execute(&mut sql)
        .await
        .unwrap();
    for statement in [
        "update rolled r set ingest_no = 79000, seen_at = '2026-03-01T09:00:00Z' from appliance a where a.partition = r.partition",
        "update scored r set ingest_no = 78000, seen_at = '2026-02-28T18:00:00Z' from appliance a where a.partition = r.partition",
        "insert into sequence select appliance, 7, 0, range_agg(int8range(seq # (-9223372036854775808), (seq # (-9223372036854775808)) + 1)), \
           -9223372036854775808, max(received_at) from telemetry group by appliance",
        "analyze telemetry",
    ] {
        sql.execute(statement).await.unwrap();
    }
    sqlx::Connection::close(sql).await.unwrap();
    let before = whole_scans(&base).await;
    assert!(before.len() > 7, "{before:?}");
    for first in [80_001, 80_101] {
        let store = base.store().await;
        for n in 0..8 {
            // New, known, unknown below the mark, and far below it.
            let batch = [
                sample(id, 7, first + 2 * n, morning(), morning()),
                sample(id, 7, 40 * (n + 1), morning() - DAY * 50, morning()),
                sample(id, 7, 41 + n, morning() - DAY * 50, morning()),
                sample(other, n, 1, morning() - DAY * 20, morning()),
            ];
            store.ingest(&batch).await.unwrap();
        }
        assert!(score(&store, 500, 1_500).await.len() >= 1_500);
        store.roll_up(500).await.unwrap();
        store.samples_stored().await.unwrap();
        store.close().await;
    }
    let store = base.store().await;
    score(&store, 4_000, usize::MAX).await;
    rolled_up(&store).await;
    store.close().await;
    drop(store);
    assert_eq!(whole_scans(&base).await, before);
}
