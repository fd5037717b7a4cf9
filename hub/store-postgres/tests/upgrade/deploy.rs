//! `deploy/timescale` makes a server on which a hub without further rights does all that it does elsewhere.

use super::chain::{hub, lived_in, take_lease, versions};
use super::earlier::statements;
use super::server::{Database, Server};
use sqlx::{ConnectOptions, Connection, Executor};
use std::path::Path;

fn file(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy/timescale")
        .join(name);
    statements(&std::fs::read_to_string(path).unwrap())
}

#[tokio::test]
async fn a_prepared_timescale_serves_a_hub_that_is_no_superuser() {
    let Some(server) = Server::bridge().await else { return };
    let mut admin = server.options.clone().connect().await.unwrap();
    for statement in file("1-server.sql") {
        admin.execute(statement.as_str()).await.unwrap();
    }
    let mut admin = server.options.clone().database("forecall").connect().await.unwrap();
    for statement in file("2-database.sql") {
        admin.execute(statement.as_str()).await.unwrap();
    }
    let database = Database {
        server,
        name: "forecall".into(),
        options: server.options.clone().database("forecall").username("forecall"),
    };
    lived_in(&database, *versions().last().unwrap()).await;
    let store = hub(&database).await;
    take_lease(&store).await;

    let mut conn = database.options.clone().connect().await.unwrap();
    let layout: String = sqlx::query_scalar("select telemetry || ' ' || aggregates from layout")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(layout, "hypertable continuous");
    // Policies hold for the owner.
    for (tenant, tickets) in [("", 4), ("acme", 2), ("gamma", 0)] {
        let mut tx = conn.begin().await.unwrap();
        tx.execute(format!("set local forecall.tenant = '{tenant}'").as_str())
            .await
            .unwrap();
        let seen: i64 = sqlx::query_scalar("select count(*) from ticket")
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        tx.rollback().await.unwrap();
        assert_eq!(seen, tickets, "forecall.tenant = {tenant:?}");
    }
    store.close().await;
}
