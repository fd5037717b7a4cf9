//! Readings as they are asked for, and the plans by which they are found.

use crate::aggregate::{is_continuous, policies};
use crate::support::{Base, appliance, message, morning, played, profile, profiles, rolled_up, take_lease, tenant};
use hub_core::actor::Actor;
use hub_core::id::ApplianceId;
use hub_core::telemetry::{Identity, Lane, Sample};
use hub_store::StoreError;
use hub_store::reading::{BUCKETS_MAX, Point, ReadingStore, Window};
use hub_store::retention::UpkeepStore;
use hub_store::telemetry::{Ingest, TelemetryStore};
use hub_store_postgres::{PostgresStore, statement};
use jiff::{SignedDuration, Timestamp};
use sqlx::Executor;
use std::collections::BTreeSet;

/// Readings of an appliance at these minutes, numbered from `first`.
pub fn readings(id: ApplianceId, first: u64, samples: &[(i64, [Option<i32>; 3])]) -> Ingest {
    let mut message = message(id, 1, first, 0);
    message.identity = Identity::Sequence {
        boot: 1,
        lane: Lane::Telemetry,
        first,
    };
    let sample = |(minute, values): &(i64, [Option<i32>; 3])| Sample {
        at: minutes(*minute),
        values: values.to_vec(),
        extra: None,
    };
    message.samples = samples.iter().map(sample).collect();
    Ingest::Telemetry(message)
}

pub fn minutes(minutes: i64) -> Timestamp {
    morning() + SignedDuration::from_mins(minutes)
}

pub fn acme() -> Actor {
    Actor::hub("test").within(Some(tenant("acme")))
}

fn point(minute: i64, value: f64) -> Point {
    let at = minutes(minute);
    Point { at, value }
}

fn window(channels: &[&str], to: i64, points: usize) -> Window {
    Window {
        channels: channels.iter().map(|name| (*name).to_owned()).collect(),
        from: minutes(0),
        to: minutes(to),
        points,
    }
}

#[tokio::test]
async fn a_window_keeps_the_extremes_at_their_own_times() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    // A saw with one spike up, one down; the second channel is silent half of the time.
    let value = |minute: i64| match minute {
        37 => 9_000,
        1_203 => -5_000,
        _ => i32::try_from(minute % 10).unwrap(),
    };
    let samples: Vec<_> = (0..1_440)
        .map(|minute| (minute, [Some(value(minute)), (minute < 720).then_some(1_500), None]))
        .collect();
    store.ingest(&[readings(id, 0, &samples)]).await.unwrap();
    let series = store.window(&acme(), id, &window(&[], 1_440, 300)).await.unwrap();
    let names: Vec<&str> = series.iter().map(|s| s.channel.as_str()).collect();
    assert_eq!(names, ["phase", "current_a", "inlet_cel"]);
    assert_eq!((series[1].unit.as_str(), series[2].points.len()), ("A", 0));
    let phase = &series[0].points;
    assert!((200..=300).contains(&phase.len()), "{}", phase.len());
    assert!(phase.is_sorted_by_key(|point| point.at));
    assert!(phase.contains(&point(37, 9.0)) && phase.contains(&point(1_203, -5.0)));
    // Another profile's channel of that name may have another unit.
    base.sql()
        .await
        .execute(
            "insert into profile_version (name, digest, channels) select 'other', 'x', \
             jsonb_agg(jsonb_set(c, '{unit}', '\"other\"')) from profile_version p, jsonb_array_elements(p.channels) c \
             where p.name = 'washing-machine'",
        )
        .await
        .unwrap();
    store.close().await;
    let store = base.store().await;
    let again = store.window(&acme(), id, &window(&[], 1_440, 300)).await.unwrap();
    assert_eq!(again, series);
    // Each point is a reading that there is.
    for point in phase {
        let minute = (point.at - morning()).get_seconds() / 60 + (point.at - morning()).get_minutes();
        assert_eq!(point.value, f64::from(value(minute)) / 1_000.0, "{minute}");
    }
    // Stretches of equal readings have one point each.
    assert_eq!(series[1].points.len(), 75 * 2);
    let few = store
        .window(&acme(), id, &window(&["current_a"], 5, 300))
        .await
        .unwrap();
    assert_eq!(
        few[0].points,
        (0..5).map(|minute| point(minute, 1.5)).collect::<Vec<_>>()
    );
    // Close together, and still few: all of them.
    let close = store
        .window(&acme(), id, &window(&["phase"], 100_000, 2_000))
        .await
        .unwrap();
    assert_eq!(close[0].points.len(), 1_440);
    let thinned = store
        .window(&acme(), id, &window(&["phase"], 100_000_000, 10))
        .await
        .unwrap();
    assert_eq!(thinned[0].points, [point(37, 9.0), point(1_203, -5.0)]);
    // What was measured in that unit is not shown as if it were in this one, in stretches or one by one.
    base.sql()
        .await
        .execute(
            format!(
                "update telemetry set profile_no = (select no from profile_version where name = 'other') where at in ('{}', '{}')",
                minutes(1),
                minutes(1_203)
            )
            .as_str(),
        )
        .await
        .unwrap();
    let without = store.window(&acme(), id, &window(&[], 1_440, 300)).await.unwrap();
    assert!(without[0].points.contains(&point(37, 9.0)) && !without[0].points.contains(&point(1_203, -5.0)));
    let few = store.window(&acme(), id, &window(&["phase"], 3, 300)).await.unwrap();
    assert_eq!(few[0].points, [point(0, 0.0), point(2, 0.002)]);
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_and_other_tenants_have_nothing() {
    let (_base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    store
        .ingest(&[readings(id, 0, &[(0, [Some(1), None, None])])])
        .await
        .unwrap();
    rolled_up(&store).await;
    let beta = Actor::hub("test").within(Some(tenant("beta")));
    let (from, to) = (minutes(0), minutes(10));
    let refusals = [
        store.window(&beta, id, &window(&[], 10, 10)).await.map(drop),
        store.latest(&beta, id).await.map(drop),
        store.device_daily(&beta, id, "phase", from, to).await.map(drop),
        store
            .fleet_hourly(&beta, &tenant("acme"), "washing-machine", "phase", from, to)
            .await
            .map(drop),
        store
            .window(&acme(), ApplianceId(999), &window(&[], 10, 10))
            .await
            .map(drop),
        store.latest(&acme(), ApplianceId(999)).await.map(drop),
        store.window(&acme(), id, &window(&["none"], 10, 10)).await.map(drop),
        store.device_daily(&acme(), id, "none", from, to).await.map(drop),
        store
            .fleet_hourly(
                &Actor::hub("test"),
                &tenant("gamma"),
                "washing-machine",
                "phase",
                from,
                to,
            )
            .await
            .map(drop),
    ];
    for (n, refusal) in refusals.into_iter().enumerate() {
        assert!(matches!(refusal, Err(StoreError::NotFound { .. })), "{n}: {refusal:?}");
    }
    let backwards = store.window(&acme(), id, &window(&[], 0, 10)).await;
    assert!(matches!(backwards, Err(StoreError::Refused(_))), "{backwards:?}");
}

#[tokio::test]
async fn the_newest_value_of_each_channel_is_found_where_it_is() {
    let (_base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    assert_eq!(store.latest(&acme(), id).await.unwrap(), []);
    let mut samples = vec![(0, [Some(1), Some(2), None])];
    samples.extend((1..40).map(|minute| (minute, [Some(10), None, None])));
    store.ingest(&[readings(id, 0, &samples)]).await.unwrap();
    for _ in 0..2 {
        let latest = store.latest(&acme(), id).await.unwrap();
        let found: Vec<_> = latest.iter().map(|l| (l.channel.as_str(), l.point)).collect();
        assert_eq!(found, [("phase", point(39, 0.01)), ("current_a", point(0, 0.002))]);
        rolled_up(&store).await;
    }
    // Longer ago than is looked back.
    let late = 40 * 24 * 60;
    store
        .ingest(&[readings(id, 100, &[(late, [Some(3), None, None])])])
        .await
        .unwrap();
    rolled_up(&store).await;
    let latest = store.latest(&acme(), id).await.unwrap();
    assert_eq!(latest.len(), 1);
    assert_eq!(latest[0].point, point(late, 0.003));
}

/// Rows keep the meaning that they were written with.
#[tokio::test]
async fn a_changed_profile_changes_no_history() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    store
        .ingest(&[readings(id, 0, &[(0, [Some(1_000), Some(2_000), None])])])
        .await
        .unwrap();
    rolled_up(&store).await;
    while store.aggregate(None, 100, morning()).await.unwrap() > 0 {}
    store.close().await;
    // The same names in another order, another resolution.
    let mut changed = profiles();
    let (name, mut other) = profile("washing-machine");
    other.channels.swap(0, 1);
    for (id, channel) in (1..).zip(&mut other.channels) {
        channel.id = id;
        channel.decimals = 1;
    }
    changed.insert(name, other);
    let store = PostgresStore::connect(base.options.clone(), base.keyring(), changed)
        .await
        .unwrap();
    take_lease(&store).await;
    store
        .ingest(&[readings(id, 1, &[(1, [Some(30), Some(40), None])])])
        .await
        .unwrap();
    rolled_up(&store).await;
    while store.aggregate(None, 100, morning()).await.unwrap() > 0 {}
    let series = store
        .window(&acme(), id, &window(&["phase", "current_a"], 10, 2))
        .await
        .unwrap();
    assert_eq!(series[0].channel, "current_a", "the order of the newest version");
    assert_eq!(series[0].points, [point(0, 2.0), point(1, 3.0)]);
    assert_eq!(series[1].points, [point(0, 1.0), point(1, 4.0)]);
    policies(&base, minutes(60)).await;
    let days = store
        .device_daily(&acme(), id, "phase", minutes(-1_440), minutes(1_440))
        .await
        .unwrap();
    assert_eq!(days.len(), 1);
    assert_eq!(
        (days[0].count, days[0].mean, days[0].min, days[0].max),
        (2, 2.5, 1.0, 4.0)
    );
    let hours = store
        .fleet_hourly(
            &acme(),
            &tenant("acme"),
            "washing-machine",
            "current_a",
            minutes(0),
            minutes(60),
        )
        .await
        .unwrap();
    assert_eq!((hours[0].count, hours[0].mean), (2, 2.5));
    // As many hours as there are in one answer, each with both versions, and more than those.
    base.sql()
        .await
        .execute(
            "insert into fleet_hour (tenant_no, profile_no, hour, channel, count, sum, min, max) \
             select t.no, p.no, '2000-01-01Z'::timestamptz + n * interval '1 hour', channel, 1, 1, 1, 1 \
             from tenant t, profile_version p, generate_series(0, 10020) n, generate_series(1, 2) channel \
             where t.id = 'acme' and p.name = 'washing-machine'",
        )
        .await
        .unwrap();
    let from: Timestamp = "2000-01-01T00:00:00Z".parse().unwrap();
    let (scope, acme) = (acme(), tenant("acme"));
    let ask = |hours| {
        let to = from + SignedDuration::from_hours(hours);
        store.fleet_hourly(&scope, &acme, "washing-machine", "current_a", from, to)
    };
    let refused = ask(10_001).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    let hours = ask(10_000).await.unwrap();
    assert_eq!(hours.len(), BUCKETS_MAX);
    assert!(hours.iter().all(|hour| hour.count == 2));
    assert_eq!(hours[9_999].from, from + SignedDuration::from_hours(9_999));
}

/// A database with more than ten weeks of readings, with statistics of them.
async fn long_history() -> (Base, PostgresStore, ApplianceId) {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    store.make_partitions(minutes(0), minutes(70 * 24 * 60)).await.unwrap();
    let mut sql = base.sql().await;
    for statement in [
        "insert into telemetry (appliance, tenant_no, partition, profile_no, ingest_no, at, received_at, boot, lane, seq, \
           trace_high, trace_low, c1, c2, c3) \
         select 1 + n % 40, 1, (1 + n % 40) % 256, p.no, n, '2026-03-02T02:00:00Z'::timestamptz + n * interval '1 min', \
           '2026-03-02T02:00:00Z'::timestamptz + n * interval '1 min', 1, 0, n, 7, n, n % 1000, 1, 2 \
         from generate_series(0, 100000) n, profile_version p where p.name = 'washing-machine'",
        "insert into fleet_hour select 1, 1, '2026-03-02Z'::timestamptz + n * interval '1 hour', c, 1, 1, 1, 1 \
         from generate_series(0, 5000) n, generate_series(1, 3) c",
        "insert into device_day select a, 1, '2026-03-02Z'::timestamptz + n * interval '1 day', '{1,2}', '{1,1}', '{1,1}', '{1,1}', '{1,1}' \
         from generate_series(1, 40) a, generate_series(0, 200) n",
        "insert into quarantine (tenant, appliance, topic, payload, reason, received_at) \
         select 'acme', 1 + n % 40, 't', '', 'why', '2026-03-02Z' from generate_series(1, 20000) n",
        "update appliance_status set last_sample_at = '2026-05-01Z'",
        "analyze",
    ] {
        sql.execute(statement).await.unwrap();
    }
    (base, store, id)
}

/// No query goes through the readings, or any week of them, from end to end, and only weeks that are asked for are looked at.
#[tokio::test]
async fn no_query_reads_a_whole_table() {
    let (base, _store, id) = long_history().await;
    let mut sql = base.sql().await;
    // A continuous aggregate adds what it does not hold yet from the readings of the appliance and of the week.
    let (children, week_name, daily_weeks) = if is_continuous(&base).await {
        ("select count(*) from show_chunks('telemetry')", " _hyper_", 1)
    } else {
        (
            "select count(*) from pg_inherits where inhparent = 'telemetry'::regclass",
            " telemetry_2",
            0,
        )
    };
    let weeks: i64 = sqlx::query_scalar(children).fetch_one(&mut sql).await.unwrap();
    assert!(weeks >= 6, "{weeks}");
    let day = "'2026-04-01Z', '2026-04-02Z'";
    let queries = [
        (
            statement::window(3),
            format!("{id}, {day}, 576000000, 1"),
            "bigint, timestamptz, timestamptz, bigint, bigint",
            1,
        ),
        (
            statement::SUBJECT.to_owned(),
            format!("{id}, 'acme', null"),
            "bigint, text, text[]",
            0,
        ),
        // As it is asked first, and where that does not suffice.
        (
            statement::LATEST.to_owned(),
            format!("{id}, '2026-04-30Z', 8"),
            "bigint, timestamptz, bigint",
            4,
        ),
        (
            statement::LATEST.to_owned(),
            format!("{id}, '2026-03-31Z', 300"),
            "bigint, timestamptz, bigint",
            9,
        ),
        (
            statement::FLEET_HOURLY.to_owned(),
            format!("'acme', '{{1}}', '{{2}}', {day}, 100"),
            "text, smallint[], smallint[], timestamptz, timestamptz, bigint",
            0,
        ),
        (
            statement::DEVICE_DAILY.to_owned(),
            format!("{id}, '{{1}}', '{{2}}', {day}, 100"),
            "bigint, smallint[], smallint[], timestamptz, timestamptz, bigint",
            daily_weeks,
        ),
        (
            statement::quarantine(),
            format!("null, null, 9000, {id}, null, 20"),
            "text, text[], bigint, bigint, text, bigint",
            0,
        ),
        (
            statement::quarantine(),
            "'acme', '{pudong}', 9000, null, 'w', 20".to_owned(),
            "text, text[], bigint, bigint, text, bigint",
            0,
        ),
    ];
    for (text, arguments, types, weeks_max) in queries {
        for mode in ["force_custom_plan", "force_generic_plan"] {
            let mut sql = base.sql().await;
            sql.execute(format!("set plan_cache_mode = {mode}; prepare q ({types}) as {text}").as_str())
                .await
                .unwrap();
            // With what was run at all: weeks that are pruned when it is executed are "never executed".
            let plan: Vec<String> = sqlx::query_scalar(&format!(
                "explain (analyze, costs off, timing off, summary off) execute q ({arguments})"
            ))
            .persistent(false)
            .fetch_all(&mut sql)
            .await
            .unwrap();
            let plan_text = plan.join("\n");
            let whole = plan.iter().any(|line| {
                line.contains("Seq Scan on")
                    && ["telemetry", "_hyper_", "fleet_hour", "device_day", "quarantine"]
                        .iter()
                        .any(|table| line.contains(table))
            });
            assert!(!whole, "{mode}: {text}\n{plan_text}");
            let looked_at: BTreeSet<&str> = plan
                .iter()
                .filter(|line| !line.contains("never executed"))
                .filter_map(|line| line.split_once(week_name)?.1.get(..7))
                .collect();
            let looked_at = looked_at.len();
            assert!(looked_at <= weeks_max, "{mode}: {looked_at} weeks: {text}\n{plan_text}");
        }
    }
}
