//! What is shown of an appliance's readings, and the counts beside them.

use crate::support::{Base, appliance, morning, played, profiles, rolled_up, telemetry};
use crate::telemetry_time::{DAY, sample, score};
use hub_core::id::ApplianceId;
use hub_store::prediction::{Checkpoint, PredictionStore, ScoringCommit};
use hub_store::retention::UpkeepStore;
use hub_store::telemetry::{Ingest, TelemetryStore};
use hub_store_postgres::{Migrations, PostgresStore};
use jiff::SignedDuration;
use sqlx::{Connection, Executor};

async fn counts(base: &Base, appliance: i64) -> (i64, i64, i64, i64) {
    let count = async |column: &str| {
        base.number(&format!(
            "select {column} from appliance_status where appliance = {appliance}"
        ))
        .await
    };
    (
        count("samples").await,
        count("gaps").await,
        count("dropped").await,
        count("repeated").await,
    )
}

#[tokio::test]
async fn rows_are_counted_once_by_however_many_and_gaps_close_when_samples_arrive() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    let dropped = Ingest::Dropped {
        appliance: id,
        count: 3,
    };
    let batch = [
        telemetry(id, 1, 0, 10),
        telemetry(id, 1, 15, 5),
        telemetry(id, 1, 0, 2),
        dropped,
    ];
    store.ingest(&batch).await.unwrap();
    assert_eq!(counts(&base, id.0).await, (0, 0, 0, 0), "not with the commit");
    // Nothing is lost where the database does not take it.
    let mut sql = base.sql().await;
    sql.execute("alter table appliance_status add constraint never check (samples < 5)")
        .await
        .unwrap();
    store.roll_up(1_000).await.unwrap_err();
    sql.execute("alter table appliance_status drop constraint never")
        .await
        .unwrap();
    let other = base.beside().await;
    let (one, two) = tokio::join!(store.roll_up(4), other.roll_up(1_000));
    assert!(one.unwrap() + two.unwrap() > 0);
    rolled_up(&store).await;
    rolled_up(&other).await;
    assert_eq!(counts(&base, id.0).await, (15, 5, 3, 2));
    store.ingest(&[telemetry(id, 1, 11, 3)]).await.unwrap();
    rolled_up(&store).await;
    assert_eq!(counts(&base, id.0).await, (18, 2, 3, 2));
    assert_eq!(store.roll_up(1_000).await.unwrap(), 0);
}

/// What comes while a round is under way waits for the next one: under a load that never ends, rounds do.
#[tokio::test]
async fn a_round_ends_where_the_readings_ended_when_it_began() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    store.ingest(&[telemetry(id, 1, 0, 40)]).await.unwrap();
    let (mut rounds, mut sent) = (0, 40);
    while store.roll_up(4).await.unwrap() > 0 {
        store.ingest(&[telemetry(id, 1, sent, 5)]).await.unwrap();
        sent += 5;
        rounds += 1;
        assert!(rounds < 10, "the round does not end");
    }
    assert!(rounds > 1);
    assert_eq!(counts(&base, id.0).await.0, 40);
    rolled_up(&store).await;
    assert_eq!(counts(&base, id.0).await.0, i64::try_from(sent).unwrap());
}

/// A database of the version before: what was counted with its commit is not counted again.
#[tokio::test]
async fn a_database_of_the_version_before_is_brought_up_to_date() {
    let base = Base::new().await;
    let mut sql = base.sql().await;
    Migrations::up_to(2).run(&mut sql).await.unwrap();
    for statement in [
        "insert into tenant (id, brand, contact_plan, visit_price) values ('acme', '{}', '{}', '{}')",
        "insert into appliance (tenant, tenant_no, device, partition, profile, created_at) \
         select 'acme', no, 'wm-1', 7, 'washing-machine', '2026-03-01Z' from tenant",
        "insert into appliance_status (appliance, samples) select id, 2 from appliance",
        "insert into telemetry select id, tenant_no, 7, n, '2026-03-01Z', '2026-03-01Z', 1, 0, n, gen_random_uuid(), '{1}' \
         from appliance, generate_series(1, 2) n",
        "update partition set last = 2 where number = 7",
    ] {
        sql.execute(statement).await.unwrap();
    }
    sql.close().await.unwrap();
    let store = PostgresStore::connect(base.options.clone(), base.keyring(), profiles())
        .await
        .unwrap();
    crate::support::take_lease(&store).await;
    let id = appliance(&store, "acme", "wm-1").await;
    let answers = store.ingest(&[telemetry(id, 1, 1, 4)]).await.unwrap();
    assert_eq!((answers[0].stored, answers[0].repeated), (2, 2));
    rolled_up(&store).await;
    assert_eq!(counts(&base, id.0).await, (4, 0, 0, 2));
    assert_eq!(base.number("select max(ingest_no) from telemetry").await, 4);
    assert_eq!(store.unscored(10, None).await.unwrap().rows.len(), 4);
}

/// The same step would take too long again, however often it is tried.
#[tokio::test]
async fn a_step_that_takes_too_long_is_tried_again_with_fewer_rows() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    store.ingest(&[telemetry(id, 1, 0, 400)]).await.unwrap();
    let mut sql = base.sql().await;
    for statement in [
        "create function too_long() returns trigger language plpgsql as $$ begin \
           if new.samples - old.samples > 150 then raise exception 'too long' using errcode = '57014'; end if; \
           return new; end $$",
        "create trigger too_long before update on appliance_status for each row execute function too_long()",
    ] {
        sql.execute(statement).await.unwrap();
    }
    let (mut failed, mut tries) = (0, 0);
    while counts(&base, id.0).await.0 < 400 {
        match store.roll_up(1_000).await {
            // What a step that failed has locked may still be so: a round leaves that to the next.
            Ok(rows) => assert!(rows <= 150, "{rows} rows"),
            Err(_) => failed += 1,
        }
        tries += 1;
        assert!(tries < 50, "the same step is tried again and again");
    }
    assert_eq!(failed, 3, "1,000, 500 and 250 rows are too many");
    assert_eq!(counts(&base, id.0).await.0, 400);
}

/// The list of late rows is no reason to stop counting: of so many partitions as the database takes in time, it is emptied.
#[tokio::test]
async fn late_rows_of_few_partitions_go_where_those_of_all_take_too_long() {
    let (base, store) = played().await;
    let mut ids = Vec::new();
    for (tenant, device) in [("acme", "wm-1"), ("acme", "wm-2"), ("beta", "wm-1")] {
        ids.push(appliance(&store, tenant, device).await);
    }
    let now = morning();
    for (seq, days) in [(0, 0), (1, 30), (2, 31)] {
        let batch: Vec<Ingest> = ids
            .iter()
            .map(|id| sample(*id, 1, seq, now - DAY * days, now))
            .collect();
        store.ingest(&batch).await.unwrap();
    }
    assert_eq!(score(&store, 100, 100).await.len(), 9);
    rolled_up(&store).await;
    while store.aggregate(None, 1_000, now).await.unwrap() > 0 {}
    let partitions = "select count(distinct partition) from late";
    assert!(base.number(partitions).await > 1, "late rows of several partitions");
    store.close().await;
    let mut sql = base.sql().await;
    for statement in [
        "create function too_long() returns trigger language plpgsql as $$ begin \
           if (select count(distinct partition) from gone) > 1 then \
             raise exception 'too long' using errcode = '57014'; end if; \
           return null; end $$",
        "create trigger too_long after delete on late referencing old table as gone \
           for each statement execute function too_long()",
    ] {
        sql.execute(statement).await.unwrap();
    }
    let store = base.store().await;
    rolled_up(&store).await;
    assert_eq!(base.number("select count(*) from late").await, 0);
}

/// What nobody needs any more is cleared away when all is counted. Where that fails, all is counted still, and it is tried again
/// at its own pace.
#[tokio::test]
async fn rows_are_counted_although_upkeep_fails() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    let mut sql = base.sql().await;
    for statement in [
        "create sequence tries",
        "create function fails() returns trigger language plpgsql as $$ begin \
           perform nextval('tries'); \
           raise exception 'it fails' using errcode = case tg_table_name when 'late' then '55P03' else '57014' end; end $$",
        "create trigger fails before delete on late for each statement execute function fails()",
        "create trigger fails before delete on sequence for each statement execute function fails()",
        "create trigger fails before delete on checkpoint for each statement execute function fails()",
    ] {
        sql.execute(statement).await.unwrap();
    }
    for round in 0..3u64 {
        store.ingest(&[telemetry(id, 1, round * 10, 10)]).await.unwrap();
        rolled_up(&store).await;
        let counted = i64::try_from(round * 10 + 10).unwrap();
        assert_eq!(counts(&base, id.0).await.0, counted);
        assert_eq!(base.number("select max(ingest_no) from rolled").await, counted);
    }
    assert_eq!(
        base.number("select last_value from tries").await,
        3,
        "each once in a minute"
    );
}

/// The roll-up's upkeep sees to it. What was saved last of an appliance stays, and what may be served again.
#[tokio::test]
async fn checkpoints_of_a_model_that_was_replaced_long_ago_go() {
    let (base, store) = played().await;
    let ids = [
        appliance(&store, "acme", "wm-1").await,
        appliance(&store, "acme", "wm-2").await,
    ];
    let save = async |appliance: ApplianceId, model: &str, days: i32| {
        let commit = ScoringCommit {
            checkpoints: vec![Checkpoint {
                appliance,
                model: model.to_owned(),
                ingest_no: 1,
                state: vec![7; 100],
            }],
            ..ScoringCommit::default()
        };
        let at = morning() + SignedDuration::from_hours(24) * days;
        store.commit_scoring(&commit, at).await.unwrap();
    };
    for (model, days) in [("washer/1", 0), ("washer/2", 2), ("washer/3", 31)] {
        save(ids[0], model, days).await;
    }
    save(ids[1], "washer/1", 0).await;
    store
        .vouch(None, Some(morning() + SignedDuration::from_hours(24) * 31))
        .await
        .unwrap();
    rolled_up(&store).await;
    let models = async |id: ApplianceId| -> Vec<i64> {
        let mut left = Vec::new();
        for model in ["washer/1", "washer/2", "washer/3"] {
            let query = format!(
                "select count(*) from checkpoint where appliance = {} and model = '{model}'",
                id.0
            );
            left.push(base.number(&query).await);
        }
        left
    };
    assert_eq!(models(ids[0]).await, [0, 1, 1]);
    assert_eq!(models(ids[1]).await, [1, 0, 0]);
}
