//! What is shown of an appliance's readings, and the counts beside them.

use crate::support::{Base, appliance, played, profiles, rolled_up, telemetry};
use hub_store::telemetry::{Ingest, TelemetryStore};
use hub_store_postgres::{Migrations, PostgresStore};
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
    assert_eq!(store.unscored(10, None).await.unwrap().len(), 4);
}
