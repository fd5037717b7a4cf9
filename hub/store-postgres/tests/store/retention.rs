//! What is kept for how long.

use crate::aggregate::{are_what_the_rows_are, policies};
use crate::reading::{minutes, readings};
use crate::support::{Base, appliance, morning, played, rolled_up, site};
use hub_core::actor::Actor;
use hub_core::id::{AccountId, ApplianceId, DeviceId};
use hub_core::retention::Retention;
use hub_store::account::{Account, AccountStore, Idempotency};
use hub_store::conformance::scene::scored_rows;
use hub_store::retention::{Due, Swept, UpkeepStore};
use hub_store::site::SiteStore;
use hub_store::telemetry::TelemetryStore;
use hub_store_postgres::PostgresStore;
use jiff::{SignedDuration, Timestamp};

const DAY: i64 = 24 * 60;

fn days(days: i64) -> Timestamp {
    minutes(days * DAY)
}

async fn declare(store: &PostgresStore, tenant: usize, rules: &[(Option<&str>, Option<u32>)]) -> Vec<String> {
    let mut site = site();
    let rule = |(profile, days): &(Option<&str>, Option<u32>)| Retention {
        profile: profile.map(str::to_owned),
        days: *days,
    };
    site.tenants[tenant].retentions = rules.iter().map(rule).collect();
    let changes = store.apply_site(&site, morning(), false).await.unwrap();
    let retention = changes.iter().filter(|change| change.kind == "retention");
    retention
        .map(|change| format!("{} {}", change.action, change.id))
        .collect()
}

/// A reading a day for so many days.
async fn history(store: &PostgresStore, id: ApplianceId, count: i64) {
    let samples: Vec<_> = (0..count).map(|day| (day * DAY, [Some(1), None, None])).collect();
    store.ingest(&[readings(id, 0, &samples)]).await.unwrap();
}

/// Everything that a sweep waits for: all is counted, and somebody vouches for the time.
async fn counted(base: &Base, store: &PostgresStore, now: Timestamp) {
    store.vouch(None, Some(now)).await.unwrap();
    rolled_up(store).await;
    // What is not scored stays.
    scored_rows(store, now).await;
    while store.aggregate(None, 1_000, now).await.unwrap() > 0 {}
    policies(base, now).await;
}

/// Steps of a whole sweep.
async fn swept(store: &PostgresStore, now: Timestamp, limit: usize) -> (u64, usize) {
    let (mut after, mut rows, mut weeks) = (None, 0, 0);
    for _ in 0..1_000 {
        let step = store.sweep(now, after, limit).await.unwrap();
        rows += step.rows;
        weeks += step.dropped.len();
        after = step.next;
        if after.is_none() {
            return (rows, weeks);
        }
    }
    panic!("a sweep does not end");
}

async fn kept(base: &Base, id: ApplianceId) -> i64 {
    base.number(&format!("select count(*) from telemetry where appliance = {id}"))
        .await
}

#[tokio::test]
async fn rules_are_declared_changed_and_said_once() {
    let (_base, store) = played().await;
    let family = Some("washing-machine");
    assert_eq!(
        declare(&store, 0, &[(None, Some(30)), (family, None)]).await,
        ["add acme/all profiles", "add acme/washing-machine"]
    );
    assert_eq!(declare(&store, 0, &[(None, Some(30))]).await, Vec::<String>::new());
    assert_eq!(
        declare(&store, 0, &[(family, Some(90))]).await,
        ["change acme/washing-machine"]
    );
}

#[tokio::test]
async fn each_tenant_keeps_what_it_says_and_aggregates_stay() {
    let (base, store) = played().await;
    let acme = appliance(&store, "acme", "wm-1").await;
    let second = appliance(&store, "acme", "wm-2").await;
    let beta = appliance(&store, "beta", "wm-1").await;
    for id in [acme, second, beta] {
        history(&store, id, 100).await;
    }
    let now = days(100);
    // Without rules nothing goes.
    counted(&base, &store, now).await;
    assert_eq!(store.sweep(now, None, 10).await.unwrap(), Swept::default());
    are_what_the_rows_are(&base).await;
    let aggregates = base.number("select count(*) from device_daily").await;
    declare(&store, 0, &[(None, Some(30))]).await;
    // In steps of a few rows each, up to the midnight before.
    let step = store.sweep(now, None, 10).await.unwrap();
    assert!((1..=20).contains(&step.rows) && step.next.is_some(), "{step:?}");
    let (rows, weeks) = swept(&store, now, 10).await;
    assert_eq!((rows + step.rows, weeks), (2 * 70, 0));
    for id in [acme, second] {
        assert_eq!(kept(&base, id).await, 30);
    }
    assert_eq!(kept(&base, beta).await, 100);
    assert_eq!(base.number("select count(*) from device_daily").await, aggregates);
    assert_eq!(swept(&store, now, 10).await, (0, 0), "again there is nothing to do");
    // When everybody has a rule, whole weeks go at once.
    declare(&store, 1, &[(None, Some(60))]).await;
    let (rows, weeks) = swept(&store, now, 10).await;
    assert!(weeks >= 5 && rows < 7, "{rows} rows, {weeks} weeks");
    assert_eq!(kept(&base, beta).await, 60);
    assert_eq!(base.number("select count(*) from device_daily").await, aggregates);
    // Readings of a week that is gone are still taken, and go with the next sweep; repeats of what was there, too.
    store
        .ingest(&[readings(acme, 10_000, &[(DAY, [Some(1), None, None])])])
        .await
        .unwrap();
    assert_eq!(kept(&base, acme).await, 31);
    counted(&base, &store, now).await;
    swept(&store, now, 1_000).await;
    assert_eq!(kept(&base, acme).await, 30);
}

#[tokio::test]
async fn a_family_has_its_own_rule_and_for_ever_is_one() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    history(&store, id, 50).await;
    counted(&base, &store, days(50)).await;
    declare(&store, 0, &[(None, Some(10)), (Some("washing-machine"), None)]).await;
    declare(&store, 1, &[(None, Some(10))]).await;
    assert_eq!(swept(&store, days(50), 1_000).await, (0, 0));
    declare(&store, 0, &[(Some("washing-machine"), Some(40))]).await;
    assert_eq!(swept(&store, days(50), 1_000).await.1, 2, "weeks older than any rule");
    assert_eq!(kept(&base, id).await, 40);
}

/// What is not counted yet does not go; sequences go with the rows.
#[tokio::test]
async fn rows_wait_until_they_are_counted_and_sequences_go() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    history(&store, id, 50).await;
    declare(&store, 0, &[(None, Some(10))]).await;
    store.vouch(None, Some(days(51))).await.unwrap();
    rolled_up(&store).await;
    assert_eq!(store.sweep(days(50), None, 1_000).await.unwrap(), Swept::default());
    while store.aggregate(None, 1_000, days(50)).await.unwrap() > 0 {}
    policies(&base, days(50)).await;
    let swept_early = store.sweep(days(50), None, 1_000).await.unwrap();
    assert_eq!(swept_early, Swept::default(), "no row goes that is not scored");
    assert_eq!(kept(&base, id).await, 50);
    counted(&base, &store, days(50)).await;
    sqlx::query("insert into sequence (appliance, boot, lane, stored, used_at) select $1, 90 + n, 0, '{[1,2)}', '2026-03-04Z' from generate_series(1, 3) n")
        .bind(id.0)
        .execute(&mut base.sql().await)
        .await
        .unwrap();
    assert_eq!(
        swept(&store, days(50) + SignedDuration::from_secs(1), 1_000).await.0,
        40
    );
    assert_eq!(base.number("select count(*) from sequence where boot > 90").await, 0);
}

/// Whether all is counted is asked when a sweep begins, not with each of its steps.
#[tokio::test]
async fn a_sweep_that_has_begun_goes_on_whatever_comes() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    let other = appliance(&store, "acme", "wm-2").await;
    history(&store, id, 50).await;
    declare(&store, 0, &[(None, Some(10))]).await;
    counted(&base, &store, days(50)).await;
    let begun = store.sweep(days(50), None, 10).await.unwrap();
    assert!(begun.rows > 0 && begun.next.is_some(), "{begun:?}");
    // As old as what goes, and in no aggregate.
    store
        .ingest(&[readings(other, 0, &[(DAY, [Some(1), None, None])])])
        .await
        .unwrap();
    rolled_up(&store).await;
    let next = store.sweep(days(50), begun.next, 10).await.unwrap();
    assert!(next.rows > 0, "{next:?}");
    assert_eq!(
        store.sweep(days(50), None, 10).await.unwrap(),
        Swept::default(),
        "another one does not begin"
    );
    assert_eq!(
        store.sweep(days(50), next.next, 10).await.unwrap(),
        Swept::default(),
        "it is asked again when that is known"
    );
    counted(&base, &store, days(50)).await;
    swept(&store, days(50), 1_000).await;
    assert_eq!(kept(&base, id).await, 10);
    assert_eq!(kept(&base, other).await, 0);
}

/// What has expired is refused by the clock that is asked with, and deleted by what somebody vouches for.
#[tokio::test]
async fn log_ins_and_keys_that_have_expired_stay_until_somebody_vouches() {
    let (base, store) = played().await;
    let admin = Account {
        id: AccountId(uuid::Uuid::from_u128(1)),
        password_hash: "$argon2id$x".to_owned(),
        actor: Actor::administrator("admin"),
    };
    assert!(store.create_first_account(&admin, morning()).await.unwrap());
    let id = admin.id;
    store.open_session([1; 32], id, days(7), morning()).await.unwrap();
    let ask = |key: &'static str, at| store.idempotency(id, key, [1; 32], at);
    assert_eq!(ask("a", morning()).await.unwrap(), Idempotency::New);
    store.remember(id, "a", 201, "{}").await.unwrap();
    let (log_ins, keys) = ("select count(*) from session", "select count(*) from idempotency");
    // Nobody vouches, or not for so late a time.
    for (place, until) in [(2, None), (3, Some(morning() + SignedDuration::from_hours(23)))] {
        store.vouch(None, until).await.unwrap();
        store
            .open_session([place; 32], id, days(4_000), days(3_650))
            .await
            .unwrap();
        assert_eq!(
            ask("b", days(3_650)).await.unwrap() == Idempotency::New,
            until.is_none()
        );
        assert_eq!(base.number(log_ins).await, i64::from(place), "{until:?}");
        assert_eq!(base.number(keys).await, 2, "{until:?}");
    }
    assert_eq!(store.session([1; 32], days(7)).await.unwrap(), None, "refused it is");
    assert!(store.session([1; 32], days(6)).await.unwrap().is_some());
    // A key that has expired counts as new, once.
    assert_eq!(ask("a", days(2)).await.unwrap(), Idempotency::New);
    assert_eq!(ask("a", days(2)).await.unwrap(), Idempotency::UnderWay);
    store.vouch(None, Some(days(10))).await.unwrap();
    store.open_session([4; 32], id, days(4_000), days(10)).await.unwrap();
    assert_eq!(ask("c", days(10)).await.unwrap(), Idempotency::New);
    assert_eq!((base.number(log_ins).await, base.number(keys).await), (3, 2));
}

/// Few rows that lie far apart take as long to count as many that lie together: a step ends all the same.
#[tokio::test]
async fn a_step_of_counting_is_bounded_where_rows_lie_far_apart() {
    let (_base, store) = played().await;
    let mut site = site();
    for number in 0..260 {
        let mut device = site.tenants[1].devices[0].clone();
        device.id = DeviceId::new(format!("far-{number}")).unwrap();
        device.secret_sha256 = None;
        site.tenants[1].devices.push(device);
    }
    site.tenants[1].retentions = vec![Retention {
        profile: None,
        days: Some(10),
    }];
    store.apply_site(&site, morning(), false).await.unwrap();
    let mut batch = Vec::new();
    for number in 0..260 {
        let id = appliance(&store, "beta", &format!("far-{number}")).await;
        batch.push(readings(
            id,
            0,
            &[0, 8, 16].map(|day| (day * DAY, [Some(1), None, None])),
        ));
    }
    store.ingest(&batch).await.unwrap();
    store.vouch(None, Some(days(40))).await.unwrap();
    let (mut all, mut steps) = (Due::default(), 0);
    loop {
        let step = store.due(days(40), all.next, 10_000).await.unwrap();
        assert!(step.rows <= 500, "{step:?}");
        all.add(step.rows, step.oldest, step.newest);
        all.next = step.next;
        steps += 1;
        if all.next.is_none() {
            break;
        }
    }
    assert_eq!((all.rows, steps), (780, 2));
    assert_eq!((all.oldest, all.newest), (Some(days(0)), Some(days(16))));
}

/// Neither readings nor weeks nor the numbers of repeats go by the clock that is asked with, until somebody vouches for it.
#[tokio::test]
async fn a_clock_that_is_ahead_takes_nothing() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    history(&store, id, 50).await;
    declare(&store, 0, &[(None, Some(10))]).await;
    declare(&store, 1, &[(None, Some(10))]).await;
    counted(&base, &store, days(50)).await;
    let sequences = "select count(*) from sequence";
    let before = base.number(sequences).await;
    assert!(before > 0);
    for until in [None, Some(days(10))] {
        store.vouch(None, until).await.unwrap();
        assert_eq!(swept(&store, days(3_650), 1_000).await, (0, 0), "{until:?}");
    }
    assert_eq!((kept(&base, id).await, base.number(sequences).await), (50, before));
    // Of both clocks the earlier one counts, whichever it is.
    store.vouch(None, Some(days(12))).await.unwrap();
    swept(&store, days(3_650), 1_000).await;
    assert_eq!(kept(&base, id).await, 48);
    store.vouch(None, Some(days(3_650))).await.unwrap();
    swept(&store, days(50), 1_000).await;
    assert_eq!(kept(&base, id).await, 10);
}
