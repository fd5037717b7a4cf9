//! A week that already holds readings: written straight into the table of a stopped hub, as its own commits would have left
//! it. Rows are in the order of time with numbers that follow each other in each partition; what scores, counts and
//! aggregates them has passed them all, and their counts and aggregates are those of the rows. Statistics are left to
//! autovacuum, as in production, which is given the time that it would have had.

use super::site::Site;
use anyhow::{Context, Result, ensure};
use hub_core::clock::{CivilClock, SystemClock};
use hub_store_postgres::{Cluster, ClusterOptions};
use jiff::{SignedDuration, Timestamp};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Executor, PgConnection};
use std::time::Duration;
use tests_hub::rig::{CHANNELS, PROFILE};
use tokio::time::{Instant, sleep};

/// Weeks begin with the Unix epoch's, on Thursdays.
const WEEK_S: i64 = 7 * 24 * 3600;
/// A week that is younger is waited for.
const YOUNGEST: SignedDuration = SignedDuration::from_secs(10);
/// The newest row is so old at least, and older than what is measured after it.
const AGE: SignedDuration = SignedDuration::from_secs(1);
/// Rows of one statement.
const ROWS_AT_ONCE: u64 = 50_000;
const LOOK: Duration = Duration::from_secs(1);

/// Fills the running week of a stopped hub with about so many rows; each appliance has as many as any other. The hub must have
/// stored something this week: it has made the week's partition then. How many rows there are.
///
/// # Errors
/// The database does not take the rows.
pub async fn fill(site: &Site, rows: u64, vacuum_within: Duration) -> Result<u64> {
    let begun = Instant::now();
    let cluster = Cluster::start(&site.lab.state(), ClusterOptions::default()).await?;
    let filled = fill_in(&cluster.connect_options(), rows, vacuum_within).await;
    cluster.stop().await?;
    let stored = u64::try_from(filled?)?;
    println!("a week of {stored} rows after {:.0} s", begun.elapsed().as_secs_f64());
    Ok(stored)
}

async fn fill_in(options: &PgConnectOptions, rows: u64, vacuum_within: Duration) -> Result<i64> {
    let mut sql = PgConnection::connect_with(options).await?;
    // An appliance's place among those of its partition gives its rows their numbers.
    let homes = format!(
        "create unlogged table bench_home as \
         select a.id as appliance, a.tenant_no, a.partition, v.no as profile_no, coalesce(h.head, 0) as head, \
           row_number() over (order by a.id) - 1 as n, \
           row_number() over (partition by a.partition order by a.id) as place, \
           count(*) over (partition by a.partition) as many \
         from appliance a join profile_version v on v.name = a.profile and v.channels <> '[]' \
         left join (select partition, max(ingest_no) as head from telemetry group by partition) h \
           on h.partition = a.partition \
         where a.profile = '{PROFILE}'"
    );
    sql.execute(homes.as_str()).await?;
    let appliances: i64 = sqlx::query_scalar("select count(*) from bench_home")
        .fetch_one(&mut sql)
        .await?;
    let appliances = u64::try_from(appliances)?;
    ensure!(appliances > 0, "there are no appliances");
    let week = Week::running(rows / appliances).await?;
    let half = |parts: &'static str| insert(options, &week, appliances, parts);
    tokio::try_join!(half("< 128"), half(">= 128"))?;
    pass(&mut sql).await?;
    sql.execute("drop table bench_home").await?;
    vacuumed(&mut sql, vacuum_within).await?;
    let stored = sqlx::query_scalar("select count(*) from telemetry")
        .fetch_one(&mut sql)
        .await?;
    sql.close().await?;
    Ok(stored)
}

/// Rounds in which each appliance has a row.
struct Week {
    from: Timestamp,
    rounds: u64,
    /// From one round to the next.
    step_us: i64,
}

impl Week {
    /// From the beginning of the running week until just now.
    async fn running(rounds: u64) -> Result<Self> {
        let from = Timestamp::from_second(SystemClock.now().as_second().div_euclid(WEEK_S) * WEEK_S)?;
        let age = || SystemClock.now().duration_since(from);
        while age() < YOUNGEST {
            sleep(LOOK).await;
        }
        let span = age() - AGE;
        let step_us = i64::try_from(span.as_micros())? / i64::try_from(rounds.max(1))?;
        Ok(Self { from, rounds, step_us })
    }
}

/// One half of the partitions, in a connection of its own: two processors write.
async fn insert(options: &PgConnectOptions, week: &Week, appliances: u64, parts: &str) -> Result<()> {
    let mut sql = PgConnection::connect_with(options).await?;
    let columns: Vec<String> = (1..=CHANNELS.len()).map(|id| format!("c{id}")).collect();
    let value = |(id, channel): (usize, &tests_hub::rig::Channel)| {
        let (low, width) = (channel.mean - channel.spread, 2 * channel.spread + 1);
        format!("{low} + (hashint8(h.appliance * 8191 + r * 8 + {id}) & 2147483647) % {width}")
    };
    let values: Vec<String> = CHANNELS.iter().enumerate().map(value).collect();
    let Week { from, rounds, step_us } = week;
    let at_once = (2 * ROWS_AT_ONCE / appliances).max(1);
    let mut next = 0;
    while next < *rounds {
        let last = (next + at_once).min(*rounds) - 1;
        let rows = format!(
            "insert into telemetry (appliance, ingest_no, at, received_at, trace_high, trace_low, tenant_no, partition, \
               profile_no, {}) \
             select h.appliance, h.head + r * h.many + h.place, s.at, s.at + interval '30 ms', \
               hashint8(h.appliance), h.appliance * 1000003 + r, h.tenant_no, h.partition, h.profile_no, {} \
             from generate_series({next}::bigint, {last}) r cross join bench_home h \
             cross join lateral (select '{from}'::timestamptz \
               + (r * {step_us} + h.n * {step_us} / {appliances}) * interval '1 microsecond' as at) s \
             where h.partition {parts} order by r, h.appliance",
            columns.join(", "),
            values.join(", ")
        );
        sql.execute(rows.as_str()).await.context("fill the week")?;
        next = last + 1;
    }
    sql.close().await?;
    Ok(())
}

/// Every reader has passed every row, and what they count is counted.
async fn pass(sql: &mut PgConnection) -> Result<()> {
    for reader in ["scored", "rolled", "aggregated"] {
        let passed = format!(
            "update {reader} o set ingest_no = greatest(o.ingest_no, t.head), seen_at = greatest(o.seen_at, t.seen) \
             from (select partition, max(ingest_no) as head, max(received_at) as seen from telemetry group by partition) t \
             where t.partition = o.partition"
        );
        sqlx::query(&passed).execute(&mut *sql).await?;
    }
    // No detector is behind either: else the start of the hub would give each one the whole week again.
    sqlx::query("update scored set kept_no = ingest_no, kept_seen_at = seen_at")
        .execute(&mut *sql)
        .await?;
    sqlx::query(
        "update appliance_status s set samples = t.samples, last_sample_at = t.newest \
         from (select appliance, count(*) as samples, max(at) as newest from telemetry group by appliance) t \
         where t.appliance = s.appliance",
    )
    .execute(&mut *sql)
    .await?;
    let channels = CHANNELS.len();
    let ids: Vec<String> = (1..=channels).map(|id| id.to_string()).collect();
    let each = |what: &str| {
        let all: Vec<String> = ids.iter().map(|id| format!("{what}(c{id})")).collect();
        all.join(", ")
    };
    let ids = ids.join(", ");
    let days = format!(
        "insert into device_day (appliance, profile_no, day, channel, count, sum, low, high) \
         select appliance, profile_no, date_bin('1 day', at, '1970-01-01Z'), array[{ids}]::smallint[], \
           array[{}]::bigint[], array[{}]::bigint[], array[{}], array[{}] \
         from telemetry group by 1, 2, 3",
        each("count"),
        each("sum"),
        each("min"),
        each("max")
    );
    let hours = format!(
        "insert into fleet_hour (tenant_no, profile_no, hour, channel, count, sum, min, max) \
         select g.tenant_no, g.profile_no, g.hour, c.channel, c.count, c.sum, c.low, c.high \
         from (select tenant_no, profile_no, date_bin('1 hour', at, '1970-01-01Z') as hour, \
             array[{}]::bigint[] as count, array[{}]::bigint[] as sum, array[{}] as low, array[{}] as high \
           from telemetry group by 1, 2, 3) g \
         cross join lateral unnest(array[{ids}]::smallint[], g.count, g.sum, g.low, g.high) \
           as c (channel, count, sum, low, high)",
        each("count"),
        each("sum"),
        each("min"),
        each("max")
    );
    for statement in ["truncate device_day, fleet_hour", &days, &hours] {
        sqlx::query(statement).execute(&mut *sql).await.context("aggregates")?;
    }
    Ok(())
}

/// Waits until autovacuum has seen the week, or so long: in production it would have done so as the week filled.
async fn vacuumed(sql: &mut PgConnection, within: Duration) -> Result<()> {
    let until = Instant::now() + within;
    loop {
        let (analysed, vacuumed): (bool, bool) = sqlx::query_as(
            "select coalesce(bool_or(s.last_autoanalyze is not null), false), coalesce(bool_or(s.last_autovacuum is not null), false) \
             from pg_stat_user_tables s join pg_partition_tree('telemetry') p on p.relid = s.relid",
        )
        .fetch_one(&mut *sql)
        .await?;
        if analysed && vacuumed || Instant::now() >= until {
            println!("autovacuum has analysed the week: {analysed}, vacuumed it: {vacuumed}");
            return Ok(());
        }
        sleep(LOOK).await;
    }
}
