//! Readings on TimescaleDB: old weeks are compressed by the policy that the migration made, and stay what they were.

use super::chain::{hub, lived_in, take_lease, versions};
use super::server::{Database, Kind, Server};
use hub_core::actor::Actor;
use hub_core::id::{ApplianceId, TraceId};
use hub_core::telemetry::{Identity, Lane, Sample, TelemetryMessage};
use hub_store::conformance::scene::scored_rows;
use hub_store::retention::UpkeepStore;
use hub_store::site::SiteStore;
use hub_store::telemetry::{Ingest, Ingested, TelemetryStore};
use sqlx::{ConnectOptions, Executor, PgConnection, Row};
use std::time::Duration;

/// A server may take this long to run a job that is due.
const JOB_LIMIT: Duration = Duration::from_secs(120);

/// The server that was asked for if it has TimescaleDB, else the one in WebAssembly.
pub async fn timescale() -> Option<&'static Server> {
    let chosen = Server::chosen().await;
    if chosen.has_timescale {
        Some(chosen)
    } else {
        Server::bridge().await
    }
}

fn message(appliance: ApplianceId, boot: u64, first: u64, samples: u64) -> Ingest {
    let start = "2026-02-05T00:00:00Z".parse::<jiff::Timestamp>().unwrap();
    let sample = |seq: u64| {
        let n = i32::try_from(seq).unwrap();
        Sample {
            at: start + jiff::SignedDuration::from_secs(i64::from(n) * 30),
            values: vec![
                Some(n % 4),
                Some(1_500 + (n * 7) % 40),
                (n % 5 > 0).then_some(20_000 + n % 300),
            ],
            extra: None,
        }
    };
    Ingest::Telemetry(TelemetryMessage {
        appliance,
        identity: Identity::Sequence {
            boot,
            lane: Lane::Telemetry,
            first,
        },
        samples: (first..first + samples).map(sample).collect(),
        received_at: "2026-03-02T03:00:00Z".parse().unwrap(),
        skew_ms: None,
        trace: TraceId(uuid::Uuid::from_u128(u128::from(first))),
    })
}

/// How many rows, and what they say.
async fn contents(conn: &mut PgConnection) -> (i64, String) {
    let row = sqlx::query(
        "select count(*), md5(string_agg(t::text, ',' order by appliance, at, ingest_no)) from telemetry t",
    )
    .fetch_one(conn)
    .await
    .unwrap();
    (row.get(0), row.get(1))
}

async fn policy(conn: &mut PgConnection) -> i32 {
    sqlx::query_scalar(
        "select job_id from timescaledb_information.jobs where hypertable_schema = current_schema() \
         and hypertable_name = 'telemetry' and proc_name in ('policy_compression', 'policy_columnstore')",
    )
    .fetch_one(conn)
    .await
    .unwrap()
}

/// As a server does by itself; one without workers is told to.
async fn run_policy(database: &Database, conn: &mut PgConnection, job: i32) {
    if database.server.kind == Kind::Bridge {
        conn.execute(format!("call run_job({job})").as_str()).await.unwrap();
        return;
    }
    let runs = "select total_successes from timescaledb_information.job_stats where job_id = $1";
    let before: Option<i64> = sqlx::query_scalar(runs)
        .bind(job)
        .fetch_optional(&mut *conn)
        .await
        .unwrap();
    let due = format!("select alter_job({job}, next_start => timestamptz '2026-01-01Z')");
    conn.execute(due.as_str()).await.unwrap();
    let fires = async {
        loop {
            let now: Option<i64> = sqlx::query_scalar(runs)
                .bind(job)
                .fetch_optional(&mut *conn)
                .await
                .unwrap();
            if now.unwrap_or(0) > before.unwrap_or(0) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(JOB_LIMIT, fires)
        .await
        .expect("the policy fires by itself");
}

#[tokio::test]
async fn the_policy_compresses_old_weeks_and_changes_no_reading() {
    let Some(server) = timescale().await else { return };
    let mut database = server.database().await;
    lived_in(&database, *versions().last().unwrap()).await;
    let mut conn = database.options.clone().connect().await.unwrap();
    let licence: String = sqlx::query_scalar("select current_setting('timescaledb.license')")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    if licence != "timescale" {
        println!("this server runs TimescaleDB without compression (licence {licence}): nothing to test");
        return;
    }
    let store = hub(&database).await;
    take_lease(&store).await;
    let ids: Vec<ApplianceId> = store
        .appliances(&Actor::hub("test"), None, 10)
        .await
        .unwrap()
        .items
        .iter()
        .map(|view| view.id)
        .collect();
    for first in (0..5_000).step_by(500) {
        let batch: Vec<Ingest> = ids.iter().map(|id| message(*id, 2, first, 500)).collect();
        let answers = store.ingest(&batch).await.unwrap();
        assert!(answers.iter().all(|answer| answer.stored == 500), "{answers:?}");
    }
    let before = contents(&mut conn).await;
    let job = policy(&mut conn).await;
    run_policy(&database, &mut conn, job).await;
    let chunks = sqlx::query(
        "select count(*), count(*) filter (where is_compressed) from timescaledb_information.chunks \
         where hypertable_schema = current_schema() and hypertable_name = 'telemetry'",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    let (all, compressed): (i64, i64) = (chunks.get(0), chunks.get(1));
    assert!(all >= 6 && all == compressed, "{compressed} of {all} chunks");
    let sizes = sqlx::query(
        "select sum(before_compression_total_bytes)::bigint, sum(after_compression_total_bytes)::bigint \
         from chunk_compression_stats('telemetry') where chunk_name in (select chunk_name from timescaledb_information.chunks \
           where range_start >= '2026-02-05Z' and range_end <= '2026-02-06Z'::timestamptz + interval '6 days')",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    let (raw, small): (i64, i64) = (sizes.get(0), sizes.get(1));
    assert!(small * 3 <= raw, "{raw} bytes became {small}");
    assert_eq!(contents(&mut conn).await, before, "compressed rows say something else");

    // Late readings into a compressed week, and known ones again.
    let late = [message(ids[0], 3, 100, 10), message(ids[1], 2, 4_990, 10)];
    let answers = store.ingest(&late).await.unwrap();
    assert_eq!(
        answers,
        [
            Ingested {
                stored: 10,
                repeated: 0
            },
            Ingested {
                stored: 0,
                repeated: 10
            }
        ]
    );
    assert_eq!(contents(&mut conn).await.0, before.0 + 10);
    run_policy(&database, &mut conn, job).await;
    assert_eq!(contents(&mut conn).await.0, before.0 + 10);
    let latest: Vec<i32> = sqlx::query_scalar(
        "select array[c1, c2, c3] from telemetry where appliance = $1 and boot = 3 order by at desc limit 1",
    )
    .bind(ids[0].0)
    .fetch_one(&mut conn)
    .await
    .unwrap();
    assert_eq!(latest, [109 % 4, 1_500 + (109 * 7) % 40, 20_109]);

    // What nobody keeps any more goes, however many rows that is in a week.
    while store.roll_up(10_000).await.unwrap() > 0 {}
    let now = "2026-03-02T03:00:00Z".parse().unwrap();
    while store.aggregate(None, 10_000, now).await.unwrap() > 0 {}
    scored_rows(&store, now).await;
    // On connections that may decompress next to nothing.
    store.close().await;
    let limit = [("timescaledb.max_tuples_decompressed_per_dml_transaction", "100")];
    database.options = database.options.clone().options(limit);
    let store = hub(&database).await;
    take_lease(&store).await;
    store.vouch(None, Some(now)).await.unwrap();
    let mut limited = database.options.clone().connect().await.unwrap();
    let old = "telemetry where appliance = $1 and at >= '2026-01-01Z' and at < '2026-02-10Z'";
    let refused = sqlx::query(&format!("delete from {old}"))
        .bind(ids[3].0)
        .execute(&mut limited)
        .await;
    assert!(refused.unwrap_err().to_string().contains("tuple decompression limit"));
    conn.execute(
        format!(
            "insert into retention select tenant, profile, 20 from appliance where id = {}",
            ids[3]
        )
        .as_str(),
    )
    .await
    .unwrap();
    let swept = store
        .sweep(now, Some(ApplianceId(ids[3].0 - 1)), 1_000_000)
        .await
        .unwrap();
    let left: i64 = sqlx::query_scalar(&format!("select count(*) from {old}"))
        .bind(ids[3].0)
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert!(swept.rows > 5_000 && left == 0, "{} went, {left} are left", swept.rows);
    let before = contents(&mut conn).await;

    // An appliance's readings can be taken out of it.
    let own = "select count(*) from telemetry where appliance = $1";
    let count: i64 = sqlx::query_scalar(own)
        .bind(ids[2].0)
        .fetch_one(&mut conn)
        .await
        .unwrap();
    let gone = sqlx::query("delete from telemetry where appliance = $1")
        .bind(ids[2].0)
        .execute(&mut conn)
        .await
        .unwrap();
    assert!(count > 5_000 && gone.rows_affected() <= count.cast_unsigned());
    let left: i64 = sqlx::query_scalar(own)
        .bind(ids[2].0)
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!((left, contents(&mut conn).await.0), (0, before.0 - count));
    store.close().await;
}
