//! What the store costs beside a bare COPY: the same rows, the same cluster, in turn; median of the rounds.
//!
//! `cargo run -p hub-store-postgres --example bench_copy`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that is read by a person"
)]

use hub_core::id::{ApplianceId, TraceId};
use hub_core::telemetry::{Identity, Lane, Sample, TelemetryMessage};
use hub_store::lease::LeaseStore;
use hub_store::telemetry::{Ingest, TelemetryStore};
use hub_store_postgres::{Cluster, ClusterOptions, Keyring, PostgresStore};
use jiff::Timestamp;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Executor, PgConnection};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Devices, messages in a batch.
const CASES: [(u64, usize); 5] = [(1, 1), (1, 2_000), (100, 500), (100, 2_000), (2_000, 2_000)];
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(1_200);
const CHANNELS: usize = 10;

#[tokio::main(worker_threads = 2)]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let cluster = Cluster::start(&folder.path().join("state"), ClusterOptions::default())
        .await
        .unwrap();
    let options = cluster.connect_options();
    let keyring = Keyring::open_or_create(&folder.path().join("keyring")).unwrap();
    let store = PostgresStore::connect(options.clone(), keyring, BTreeMap::new())
        .await
        .unwrap();
    store.take_lease(jiff::Timestamp::UNIX_EPOCH).await.unwrap().unwrap();
    let mut sql = PgConnection::connect_with(&options).await.unwrap();
    let ids = fleet(&mut sql).await;
    let mut boot = 1;
    for (devices, messages) in CASES {
        let mut rates = Vec::new();
        for _ in 0..ROUNDS {
            boot += 1;
            let ours = ours(&store, &ids[..devices as usize], messages, boot).await;
            let bare = bare(&options, messages).await;
            rates.push((ours, bare, ours / bare));
        }
        rates.sort_by(|a, b| a.2.total_cmp(&b.2));
        let (ours, bare, ratio) = rates[ROUNDS / 2];
        println!(
            "{devices:5} devices, {messages:5} a batch: ours {ours:8.0}/s, bare COPY {bare:8.0}/s, ratio {ratio:.2}"
        );
    }
    if std::env::args().any(|argument| argument == "readers") {
        readers(&store, &mut sql).await;
    }
    sql.close().await.unwrap();
    store.close().await;
    cluster.stop().await.unwrap();
}

/// What reading costs, for each row: the scorer's look and the roll-up.
async fn readers(store: &PostgresStore, sql: &mut PgConnection) {
    let begun = Instant::now();
    let mut rows = 0;
    while begun.elapsed() < ROUND * 2 {
        rows += store.roll_up(20_000).await.unwrap();
    }
    println!(
        "roll-up: {:.2} us a row",
        begun.elapsed().as_secs_f64() * 1e6 / rows as f64
    );
    let (begun, mut rows) = (Instant::now(), 0);
    for _ in 0..20 {
        rows += store.unscored(4_000, None).await.unwrap().rows.len();
    }
    println!(
        "unscored: {:.2} us a row",
        begun.elapsed().as_secs_f64() * 1e6 / rows as f64
    );
    for query in [
        "select 'heap', pg_relation_size('telemetry') * 1.0 / (select count(*) from telemetry)",
        "select string_agg(indexrelid::regclass::text || ' ' || round(pg_relation_size(indexrelid) * 1.0 / (select count(*) from telemetry), 1), ', '), 0.0 from pg_index where indrelid = 'telemetry'::regclass",
    ] {
        let (what, bytes): (String, f64) = sqlx::query_as(&format!("select a, b::float8 from ({query}) q (a, b)"))
            .fetch_one(&mut *sql)
            .await
            .unwrap();
        println!("bytes a row: {what} {bytes:.1}");
    }
}

async fn fleet(sql: &mut PgConnection) -> Vec<ApplianceId> {
    for statement in [
        "insert into tenant (id, brand, call_rules, visit_price) values ('acme', '{}', '{}', '{}')",
        "insert into appliance (tenant, tenant_no, device, partition, profile, created_at) \
         select 'acme', no, 'd' || n, n * 37 % 256, 'p', '2026-03-01Z' from tenant, generate_series(1, 2000) n",
        "insert into appliance_status (appliance) select id from appliance",
        "create table bare (like telemetry including all)",
    ] {
        sql.execute(statement).await.unwrap();
    }
    let ids: Vec<i64> = sqlx::query_scalar("select id from appliance order by id")
        .fetch_all(sql)
        .await
        .unwrap();
    ids.into_iter().map(ApplianceId).collect()
}

/// Readings a second through the store.
async fn ours(store: &PostgresStore, ids: &[ApplianceId], messages: usize, boot: u64) -> f64 {
    let (begun, mut sent) = (Instant::now(), 0u64);
    let mut spent = Duration::ZERO;
    while spent < ROUND {
        let batch: Vec<Ingest> = (0..messages as u64).map(|n| reading(ids, boot, sent + n)).collect();
        let at = Instant::now();
        let answers = store.ingest(&batch).await.unwrap();
        spent += at.elapsed();
        assert!(answers.iter().all(|answer| answer.stored == 1));
        sent += messages as u64;
    }
    let _ = begun;
    sent as f64 / spent.as_secs_f64()
}

fn reading(ids: &[ApplianceId], boot: u64, number: u64) -> Ingest {
    let devices = ids.len() as u64;
    let at = Timestamp::from_millisecond(1_772_000_000_000 + (boot * 10_000_000 + number) as i64).unwrap();
    let value = |n: usize| Some((number as i32).wrapping_mul(31) % 1_000 + n as i32);
    Ingest::Telemetry(TelemetryMessage {
        appliance: ids[(number % devices) as usize],
        identity: Identity::Sequence {
            boot,
            lane: Lane::Telemetry,
            first: number / devices,
        },
        samples: vec![Sample {
            at,
            values: (0..CHANNELS).map(value).collect(),
            extra: None,
        }],
        received_at: at,
        skew_ms: Some(3),
        trace: TraceId(Uuid::from_u128(u128::from(boot) << 80 | u128::from(number))),
    })
}

/// Rows a second of COPY and nothing else: those that the store wrote last, by the store's own order.
async fn bare(options: &PgConnectOptions, rows: usize) -> f64 {
    use futures::TryStreamExt;
    let mut sql = PgConnection::connect_with(options).await.unwrap();
    sql.execute("truncate bare").await.unwrap();
    let newest = "copy (select * from telemetry order by at desc limit 100000) to stdout with (format binary)";
    let copy = sql.copy_out_raw(newest).await.unwrap();
    let data: Vec<u8> = copy
        .try_fold(Vec::new(), |mut all, part| async move {
            all.extend_from_slice(&part);
            Ok(all)
        })
        .await
        .unwrap();
    let mut tuples = Vec::new();
    let mut at = 19;
    while data[at..at + 2] != [0xff, 0xff] {
        let start = at;
        let fields = u16::from_be_bytes([data[at], data[at + 1]]);
        at += 2;
        for _ in 0..fields {
            let length = i32::from_be_bytes(data[at..at + 4].try_into().unwrap());
            at += 4 + length.max(0) as usize;
        }
        tuples.push(&data[start..at]);
    }
    tuples.reverse();
    let (mut spent, mut sent) = (Duration::ZERO, 0);
    for chunk in tuples.chunks_exact(rows) {
        let load = [&data[..19], &chunk.concat(), &[0xff, 0xff]].concat();
        let begun = Instant::now();
        let mut copy = sql
            .copy_in_raw("copy bare from stdin with (format binary)")
            .await
            .unwrap();
        copy.send(load).await.unwrap();
        copy.finish().await.unwrap();
        spent += begun.elapsed();
        sent += rows;
        if spent > ROUND {
            break;
        }
    }
    sql.close().await.unwrap();
    sent as f64 / spent.as_secs_f64()
}
