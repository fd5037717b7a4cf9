//! Aggregates are what the rows are, whatever happens on the way.

use crate::reading::{acme, minutes, readings};
use crate::support::{Base, appliance, played, rolled_up, site, tenant};
use hub_core::id::DeviceId;
use hub_store::reading::ReadingStore;
use hub_store::retention::{TURNS, UpkeepStore};
use hub_store::site::SiteStore;
use hub_store::telemetry::TelemetryStore;
use hub_store_postgres::PostgresStore;
use jiff::{SignedDuration, Timestamp};
use sqlx::Executor;

/// What the aggregates are by the rows themselves, less what the aggregates are; nothing either way.
const DIFFERENCE: [&str; 2] = [
    "select count(*) from ( \
       (select tenant_no, profile_no, date_bin('1 hour', at, '1970-01-01Z'), n::smallint, count(*), sum(x)::bigint, min(x), max(x) \
        from telemetry, unnest(array[c1, c2, c3]) with ordinality as c (x, n) where x is not null group by 1, 2, 3, 4) \
       except all select tenant_no, profile_no, hour, channel, count, sum, min, max from fleet_hourly) d",
    "select count(*) from ( \
       (select appliance, profile_no, date_bin('1 day', at, '1970-01-01Z'), n::smallint, count(*), sum(x)::bigint, min(x), max(x) \
        from telemetry, unnest(array[c1, c2, c3]) with ordinality as c (x, n) where x is not null group by 1, 2, 3, 4) \
       except all select appliance, profile_no, day, channel, count, sum, min, max from device_daily) d",
];
const LINES: [&str; 2] = [
    "select (select count(*) from fleet_hourly) - (select count(*) from (select distinct tenant_no, profile_no, \
       date_bin('1 hour', at, '1970-01-01Z'), n from telemetry, unnest(array[c1, c2, c3]) with ordinality as c (x, n) where x is not null) d)",
    "select (select count(*) from device_daily) - (select count(*) from (select distinct appliance, profile_no, \
       date_bin('1 day', at, '1970-01-01Z'), n from telemetry, unnest(array[c1, c2, c3]) with ordinality as c (x, n) where x is not null) d)",
];

/// When it is aggregated: after the readings, but for those that come much too late.
fn now() -> Timestamp {
    minutes(4_000)
}

async fn aggregated(base: &Base, store: &PostgresStore) {
    rolled_up(store).await;
    // The round that may be under way, and one of what has come since it began.
    for _ in 0..2 {
        while store.aggregate(None, 7, now()).await.unwrap() > 0 {}
    }
    policies(base, now()).await;
}

pub async fn is_continuous(base: &Base) -> bool {
    base.number("select count(*) from layout where aggregates = 'continuous'")
        .await
        == 1
}

/// What the policies of continuous aggregates do at this time.
pub async fn policies(base: &Base, now: Timestamp) {
    if is_continuous(base).await {
        let (from, to) = (
            now - SignedDuration::from_hours(8 * 24),
            now + SignedDuration::from_hours(24),
        );
        for view in ["fleet_hourly_wide", "device_daily_wide"] {
            let call =
                format!("call refresh_continuous_aggregate('{view}', '{from}'::timestamptz, '{to}'::timestamptz)");
            base.sql().await.execute(call.as_str()).await.unwrap();
        }
    }
}

pub async fn are_what_the_rows_are(base: &Base) {
    for query in DIFFERENCE.into_iter().chain(LINES) {
        assert_eq!(base.number(query).await, 0, "{query}");
    }
}

#[tokio::test]
async fn every_row_is_in_the_aggregates_once() {
    let (base, store) = played().await;
    let one = appliance(&store, "acme", "wm-1").await;
    let two = appliance(&store, "acme", "wm-2").await;
    let three = appliance(&store, "beta", "wm-1").await;
    let samples = |from: i64| -> Vec<_> {
        (from..from + 50)
            .map(|n| {
                (
                    n * 31,
                    [Some(i32::try_from(n).unwrap() - 25), (n % 3 == 0).then_some(7), None],
                )
            })
            .collect()
    };
    for (round, id) in (0..).zip([one, two, three, one]) {
        store
            .ingest(&[readings(id, round * 50, &samples(i64::try_from(round).unwrap() * 20))])
            .await
            .unwrap();
        aggregated(&base, &store).await;
    }
    are_what_the_rows_are(&base).await;
    // Much too late, into days and hours that are there and that are not.
    let late = [
        (-30_000, [Some(-1_000), None, None]),
        (31, [Some(1_000), Some(-9), None]),
    ];
    store.ingest(&[readings(one, 1_000, &late)]).await.unwrap();
    aggregated(&base, &store).await;
    are_what_the_rows_are(&base).await;
    let hours = store
        .fleet_hourly(
            &acme(),
            &tenant("acme"),
            "washing-machine",
            "phase",
            minutes(0),
            minutes(60),
        )
        .await
        .unwrap();
    assert_eq!(hours[0].max, 1.0, "in the channel's unit");
    // What fails leaves nothing behind, and is done again.
    store.ingest(&[readings(two, 2_000, &samples(5))]).await.unwrap();
    rolled_up(&store).await;
    if !is_continuous(&base).await {
        let mut sql = base.sql().await;
        sql.execute("alter table device_day add constraint never check (count[1] < 2) not valid")
            .await
            .unwrap();
        store.aggregate(None, 1_000, now()).await.unwrap_err();
        sql.execute("alter table device_day drop constraint never")
            .await
            .unwrap();
    }
    // By two at a time.
    let other = base.beside().await;
    let (a, b) = tokio::join!(store.aggregate(None, 9, now()), other.aggregate(None, 1_000, now()));
    assert!(a.unwrap() + b.unwrap() > 0);
    aggregated(&base, &store).await;
    aggregated(&base, &other).await;
    are_what_the_rows_are(&base).await;
}

/// Rows from before there were aggregates, or that came in another way, are followed from the beginning.
#[tokio::test]
async fn what_was_stored_before_is_aggregated_too() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    let samples: Vec<_> = (0..100).map(|n| (-n * 700, [Some(1), Some(2), Some(3)])).collect();
    store.ingest(&[readings(id, 0, &samples)]).await.unwrap();
    aggregated(&base, &store).await;
    let mut sql = base.sql().await;
    sql.execute("truncate fleet_hour, device_day").await.unwrap();
    sql.execute("update aggregated set ingest_no = 0, seen_at = '1970-01-01Z'")
        .await
        .unwrap();
    aggregated(&base, &store).await;
    are_what_the_rows_are(&base).await;
}

/// The same step would take too long again, however often it is tried.
#[tokio::test]
async fn a_step_that_takes_too_long_is_tried_again_with_fewer_rows() {
    let (base, store) = played().await;
    if is_continuous(&base).await {
        return;
    }
    let id = appliance(&store, "acme", "wm-1").await;
    let samples: Vec<_> = (0..400).map(|n| (0, [Some(n), None, None])).collect();
    store.ingest(&[readings(id, 0, &samples)]).await.unwrap();
    rolled_up(&store).await;
    let mut sql = base.sql().await;
    for statement in [
        "create function too_long() returns trigger language plpgsql as $$ begin \
           if new.count - coalesce(old.count, 0) > 150 then raise exception 'too long' using errcode = '57014'; end if; \
           return new; end $$",
        "create trigger too_long before update on fleet_hour for each row execute function too_long()",
        "create trigger too_long_too before insert on fleet_hour for each row execute function too_long()",
    ] {
        sql.execute(statement).await.unwrap();
    }
    let mut failed = 0;
    loop {
        match store.aggregate(None, 1_000, now()).await {
            Ok(0) => break,
            Ok(rows) => assert!(rows <= 150, "{rows} rows"),
            Err(_) => failed += 1,
        }
        assert!(failed < 5, "the same step is tried again and again");
    }
    assert_eq!(failed, 3, "1,000, 500 and 250 rows are too many");
    are_what_the_rows_are(&base).await;
}

/// The day of an appliance is one row of the aggregates: to write it again costs as much as the readings that are added to it.
/// So many steps as a round may take, they write it once, but where a step ends in the middle of an appliance's readings.
#[tokio::test]
async fn a_day_is_written_once_a_round_and_each_appliance_has_its_turn() {
    const APPLIANCES: i64 = 40;
    const EACH: i64 = 30;
    let (base, store) = played().await;
    if is_continuous(&base).await {
        return;
    }
    let samples: Vec<_> = (0..EACH).map(|n| (n, [Some(1), None, Some(3)])).collect();
    let mut fleet = site();
    let washer = fleet.tenants[0].devices[0].clone();
    fleet.tenants[0].devices.extend((0..APPLIANCES).map(|n| {
        let mut device = washer.clone();
        device.id = DeviceId::new(format!("day-{n}")).unwrap();
        device
    }));
    store.apply_site(&fleet, now(), false).await.unwrap();
    let mut all = Vec::new();
    for n in 0..APPLIANCES {
        let id = appliance(&store, "acme", &format!("day-{n}")).await;
        all.push(readings(id, 0, &samples));
    }
    store.ingest(&all).await.unwrap();
    rolled_up(&store).await;
    let mut sql = base.sql().await;
    for statement in [
        "create table written (day date)",
        "create function note() returns trigger language plpgsql as \
           $$ begin insert into written values (new.day); return null; end $$",
        "create trigger note after insert or update on device_day for each row execute function note()",
    ] {
        sql.execute(statement).await.unwrap();
    }
    let (mut steps, mut turns) = (0, 0);
    for turn in 0..TURNS {
        let mut rows = 0;
        loop {
            match store.aggregate(Some(turn), 70, now()).await.unwrap() {
                0 => break,
                step => rows += step,
            }
            steps += 1;
        }
        assert!(rows < all.len() * samples.len() / 2, "{rows} rows in one turn of ten");
        turns += i64::try_from(rows).unwrap();
    }
    assert_eq!(turns, APPLIANCES * EACH, "every row had its turn");
    let written = base.number("select count(*) from written").await;
    assert!(
        (APPLIANCES..=APPLIANCES + steps).contains(&written),
        "{written} days written in {steps} steps"
    );
    are_what_the_rows_are(&base).await;
    // What a turn has left undone waits for its next one, no matter who has been served meanwhile.
    store
        .ingest(&[readings(all[0].appliance(), 1_000, &samples)])
        .await
        .unwrap();
    rolled_up(&store).await;
    let mut served = 0;
    for turn in (0..TURNS).chain(0..TURNS) {
        served += i64::try_from(store.aggregate(Some(turn), 20, now()).await.unwrap()).unwrap();
    }
    assert_eq!(served, EACH, "twenty and ten");
    are_what_the_rows_are(&base).await;
}
