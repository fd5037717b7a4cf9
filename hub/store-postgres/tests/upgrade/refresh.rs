//! Aggregates on TimescaleDB: the policies that the migration made refresh them, by the server's own workers.

use super::chain::{hub, lived_in, take_lease, versions};
use super::compression::timescale;
use super::server::Kind;
use hub_core::actor::Actor;
use hub_core::id::{ApplianceId, TraceId};
use hub_core::telemetry::{Identity, Lane, Sample, TelemetryMessage};
use hub_store::reading::ReadingStore;
use hub_store::retention::UpkeepStore;
use hub_store::site::SiteStore;
use hub_store::telemetry::{Ingest, TelemetryStore};
use hub_store_postgres::PostgresStore;
use jiff::{SignedDuration, Timestamp};
use sqlx::{ConnectOptions, Executor, PgConnection, Row};
use std::time::{Duration, Instant};

/// A server may take this long to run a job that is due.
const JOB_LIMIT: Duration = Duration::from_secs(120);
const READINGS: u32 = 48;

/// A policy of a continuous aggregate, and the table that it fills.
struct Policy {
    job: i32,
    view: String,
    table: String,
}

async fn policies(conn: &mut PgConnection) -> Vec<Policy> {
    // Jobs name the view or its table, by version.
    let rows = sqlx::query(
        "select j.job_id, c.view_name::text, format('%I.%I', c.materialization_hypertable_schema, \
           c.materialization_hypertable_name) from timescaledb_information.continuous_aggregates c \
         join timescaledb_information.jobs j on (j.hypertable_schema, j.hypertable_name) in ((c.view_schema, c.view_name), \
           (c.materialization_hypertable_schema, c.materialization_hypertable_name)) \
         where c.view_schema = current_schema() and j.proc_name = 'policy_refresh_continuous_aggregate' order by 2",
    )
    .fetch_all(conn)
    .await
    .unwrap();
    let policy = |row: &sqlx::postgres::PgRow| Policy {
        job: row.get(0),
        view: row.get(1),
        table: row.get(2),
    };
    rows.iter().map(policy).collect()
}

/// Says that the job is due, and waits until the server has run it.
async fn fires(conn: &mut PgConnection, policy: &Policy, since: Timestamp) {
    let job = policy.job;
    let due = format!("select alter_job({job}, next_start => timestamptz '2026-01-01Z')");
    conn.execute(due.as_str()).await.unwrap();
    let ran = format!(
        "select exists (select from timescaledb_information.job_stats where job_id = {job} and total_successes > 0 \
         and last_run_status = 'Success' and last_run_started_at >= '{since}')"
    );
    let until = Instant::now() + JOB_LIMIT;
    while !sqlx::query_scalar::<_, bool>(&ran).fetch_one(&mut *conn).await.unwrap() {
        assert!(
            Instant::now() < until,
            "the policy of {} does not fire by itself",
            policy.view
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// One reading each half hour of a day; of one boot each, for whom they are the first.
async fn a_day(store: &PostgresStore, id: ApplianceId, boot: u64, start: Timestamp, received_at: Timestamp) {
    let sample = |n: u32| Sample {
        at: start + SignedDuration::from_mins(i64::from(n) * 30),
        values: vec![Some(i32::try_from(n).unwrap())],
        extra: None,
    };
    let message = TelemetryMessage {
        appliance: id,
        identity: Identity::Sequence {
            boot,
            lane: Lane::Telemetry,
            first: 0,
        },
        samples: (0..READINGS).map(sample).collect(),
        received_at,
        skew_ms: None,
        trace: TraceId(uuid::Uuid::from_u128(77)),
    };
    let answers = store.ingest(&[Ingest::Telemetry(message)]).await.unwrap();
    assert_eq!(answers[0].stored, READINGS);
}

/// After an import nothing is aggregated yet, and nothing deleted: then all of it is refreshed, whatever the rules say. Later
/// nothing is refreshed of which readings may have gone.
#[tokio::test]
async fn a_rule_of_some_days_leaves_no_hole_in_what_was_moved() {
    let Some(server) = timescale().await else { return };
    let database = server.database().await;
    lived_in(&database, *versions().last().unwrap()).await;
    let mut conn = database.options.clone().connect().await.unwrap();
    let aggregates: String = sqlx::query_scalar("select aggregates from layout")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    if aggregates != "continuous" {
        return;
    }
    conn.execute(
        "update aggregated set ingest_no = 0, seen_at = '1970-01-01Z'; \
         insert into retention (tenant, profile, days) select id, 'another-family', 10 from tenant on conflict do nothing",
    )
    .await
    .unwrap();
    let store = hub(&database).await;
    take_lease(&store).await;
    let appliances = store.appliances(&Actor::hub("test"), None, 10).await.unwrap().items;
    let (one, all) = (&appliances[0], Actor::hub("test"));
    let now: Timestamp = "2026-03-02T02:00:00Z".parse().unwrap();
    let day = SignedDuration::from_hours(24);
    for (boot, days, hours) in [(81, 40, 24), (82, 50, 0)] {
        let start = Timestamp::from_second(now.as_second() - now.as_second().rem_euclid(86_400)).unwrap() - day * days;
        a_day(&store, one.id, boot, start, now).await;
        while store.roll_up(10_000).await.unwrap() > 0 {}
        while store.aggregate(None, 10_000, now).await.unwrap() > 0 {}
        let found = store.fleet_hourly(&all, &one.tenant, "washing-machine", "one", start, start + day);
        assert_eq!(found.await.unwrap().len(), hours, "{days} days ago");
    }
    store.close().await;
}

#[tokio::test]
async fn the_policies_refresh_the_aggregates() {
    let Some(server) = timescale().await else { return };
    let database = server.database().await;
    lived_in(&database, *versions().last().unwrap()).await;
    let mut conn = database.options.clone().connect().await.unwrap();
    let aggregates: String = sqlx::query_scalar("select aggregates from layout")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    if aggregates != "continuous" {
        println!("this server's licence has no continuous aggregates: nothing to test");
        return;
    }
    let store = hub(&database).await;
    take_lease(&store).await;
    let appliances = store.appliances(&Actor::hub("test"), None, 10).await.unwrap().items;
    let one = &appliances[0];
    // Policies go by the server's clock: a day (UTC) that was over a day ago is in what they refresh.
    let clock = store.facts().await.unwrap().clock;
    let day = SignedDuration::from_hours(24);
    let today = clock.as_second() - clock.as_second().rem_euclid(day.as_secs());
    let start = Timestamp::from_second(today).unwrap() - day * 2;
    a_day(&store, one.id, 77, start, clock).await;
    let policies = policies(&mut conn).await;
    assert_eq!(policies.len(), 2);
    for policy in &policies {
        match server.kind {
            Kind::Bridge => {
                println!("{}: this server has no workers, its policy is run by hand", policy.view);
                let run = format!("call run_job({})", policy.job);
                conn.execute(run.as_str()).await.unwrap();
            }
            Kind::Given | Kind::Own => fires(&mut conn, policy, clock).await,
        }
        let filled = format!("select count(*) from {}", policy.table);
        let lines: i64 = sqlx::query_scalar(&filled).fetch_one(&mut conn).await.unwrap();
        assert!(lines > 0, "{} is empty after its policy has run", policy.view);
    }
    // The hours are shown as far as they were refreshed, and no further.
    let (all, end) = (Actor::hub("test"), start + day);
    let hours = store.fleet_hourly(&all, &one.tenant, "washing-machine", "one", start, end);
    let hours = hours.await.unwrap();
    let counted: i64 = hours.iter().map(|hour| hour.count).sum();
    assert_eq!((hours.len(), counted), (24, i64::from(READINGS)));
    let days = store.device_daily(&all, one.id, "one", start, end).await.unwrap();
    assert_eq!((days.len(), days[0].count), (1, i64::from(READINGS)));
    // What comes later than the policies look back is refreshed by the hub, however often.
    for (boot, week) in [(78, 2), (79, 3), (80, 4)] {
        let start = start - day * 7 * week;
        a_day(&store, one.id, boot, start, clock).await;
        while store.roll_up(10_000).await.unwrap() > 0 {}
        while store.aggregate(None, 10_000, clock).await.unwrap() > 0 {}
        let hours = store.fleet_hourly(&all, &one.tenant, "washing-machine", "one", start, start + day);
        assert_eq!(hours.await.unwrap().len(), 24, "week {week}");
    }
    store.close().await;
}
