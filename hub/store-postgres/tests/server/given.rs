//! The server of `TEST_DATABASE_URL`.

use super::{Kind, Server};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};

pub async fn find() -> Option<Server> {
    let url = std::env::var("TEST_DATABASE_URL").ok()?;
    let options: PgConnectOptions = url
        .parse()
        .expect("TEST_DATABASE_URL is the URL of a PostgreSQL database");
    let mut conn = options
        .clone()
        .connect()
        .await
        .expect("the server of TEST_DATABASE_URL answers");
    let has_timescale =
        sqlx::query_scalar("select exists (select from pg_available_extensions where name = 'timescaledb')")
            .fetch_one(&mut conn)
            .await
            .unwrap();
    conn.close().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    super::end_with_this_program(&folder, None);
    Some(Server::new(Kind::Given, options, has_timescale, folder))
}

pub async fn add_timescale(options: &PgConnectOptions) {
    let mut conn = options.clone().connect().await.unwrap();
    conn.execute("create extension if not exists timescaledb")
        .await
        .expect("the user of TEST_DATABASE_URL may create the extension timescaledb, or template1 has it");
    conn.close().await.unwrap();
}

/// Waits until the database is gone: nothing is left if the program ends now.
pub fn remove(options: &PgConnectOptions, name: &str) {
    let options = options.clone();
    let sql = format!("drop database if exists {name} with (force)");
    let removing = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut conn = options.connect().await?;
            conn.execute(sql.as_str()).await?;
            conn.close().await
        })
    });
    if let Ok(Err(error)) = removing.join() {
        eprintln!("{name} is left on the server of TEST_DATABASE_URL: {error}");
    }
}
