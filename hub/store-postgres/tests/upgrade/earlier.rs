//! Every earlier schema is migrated, cut off at every statement, and equals a fresh one.

use super::chain::{fill, hub, lived_in, migrate_to, profiles, take_lease, versions};
use super::contents::{catalogue, lost, readings, rows, tables};
use super::server::{Database, Server};
use hub_core::actor::Actor;
use hub_core::id::{ApplianceId, TraceId};
use hub_core::telemetry::{Identity, Lane, Sample, TelemetryMessage};
use hub_store::site::SiteStore;
use hub_store::telemetry::{Ingest, Ingested, TelemetryStore};
use hub_store_postgres::{Keyring, Migrations, PostgresStore};
use sqlx::{ConnectOptions, Executor, PgConnection};
use std::pin::pin;
use std::task::Poll;

/// Written by a hub when it starts: what a profile said when nobody noted it yet.
const REWRITTEN: [(&str, &str); 2] = [("profile_version", "digest"), ("profile_version", "channels")];

/// Nobody but the hub fills these, when it starts or takes the lease.
const FILLED_BY_THE_HUB: [&str; 1] = ["keyring"];

/// Takes a file apart as the server does: at semicolons that are in no text and no comment.
pub fn statements(sql: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut inside = "";
    let mut at = 0;
    while let Some(next) = sql[at..].chars().next() {
        let rest = &sql[at..];
        let token = ["--", "$$", "'", "\n", ";"]
            .into_iter()
            .find(|token| rest.starts_with(token));
        match (inside, token) {
            ("", Some(opening @ ("--" | "$$" | "'"))) => inside = opening,
            ("--", Some("\n")) => inside = "",
            ("$$", Some("$$")) | ("'", Some("'")) => inside = "",
            _ => {}
        }
        let length = token.map_or(next.len_utf8(), str::len);
        found.last_mut().unwrap().push_str(&rest[..length]);
        if (inside, token) == ("", Some(";")) {
            found.push(String::new());
        }
        at += length;
    }
    let is_code = |line: &str| !line.trim().is_empty() && !line.starts_with("--");
    found.retain(|statement| statement.lines().any(|line| is_code(line.trim_matches(';'))));
    found
}

async fn connect(database: &Database) -> PgConnection {
    database.options.clone().connect().await.unwrap()
}

/// The migrator's transaction of one version, whose connection goes away after `count` statements.
async fn cut_after(database: &Database, version: i64, statements: &[String], count: usize) {
    let mut conn = connect(database).await;
    conn.execute("begin").await.unwrap();
    for statement in &statements[..count] {
        conn.execute(statement.as_str()).await.unwrap();
    }
    if count == statements.len() {
        // The very last before its commit.
        let note = format!(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time) values ({version}, '', true, '', -1)"
        );
        conn.execute(note.as_str()).await.unwrap();
    }
    // Without a word to the server.
    drop(conn);
}

#[tokio::test]
async fn a_migration_that_is_cut_at_any_statement_has_not_happened() {
    let server = Server::chosen().await;
    let database = server.database().await;
    let mut cuts = 0;
    for migration in Migrations::all().iter() {
        let version = migration.version;
        let statements = statements(&migration.sql);
        let mut conn = connect(&database).await;
        if version == 1 {
            // The migrator's own table.
            migrate_to(&mut conn, 0).await;
        }
        let before = (catalogue(&mut conn).await, rows(&mut conn).await);
        for count in 1..=statements.len() {
            cut_after(&database, version, &statements, count).await;
            cuts += 1;
            // Waits for the locks of the session that is gone.
            assert_eq!(
                catalogue(&mut conn).await,
                before.0,
                "version {version} cut after {count}"
            );
        }
        assert!(rows(&mut conn).await == before.1, "version {version} left rows");
        migrate_to(&mut conn, version).await;
        fill(&mut conn, version).await;
        let after = rows(&mut conn).await;
        assert_eq!(
            lost(&before.1, &after, &REWRITTEN),
            Vec::<String>::new(),
            "version {version}"
        );
        let empty = after
            .iter()
            .filter(|(_, rows)| rows.is_empty())
            .map(|(table, _)| table.as_str());
        let empty: Vec<&str> = empty.filter(|table| !FILLED_BY_THE_HUB.contains(table)).collect();
        assert!(empty.is_empty(), "fixtures/{version:04}.sql leaves {empty:?} empty");
    }
    assert!(cuts > 80, "{cuts} cuts");
    equals_a_fresh_one(server, &database).await;
}

#[tokio::test]
async fn a_database_of_every_earlier_schema_becomes_this_programs() {
    let server = Server::chosen().await;
    for version in versions() {
        let database = server.database().await;
        lived_in(&database, version).await;
        let mut conn = connect(&database).await;
        let (before, said) = (rows(&mut conn).await, readings(&mut conn).await);
        drop(conn);
        assert!(said.iter().any(|line| line.ends_with("Some(33), None, Some(35)]")));
        cut_starts(&database).await;
        equals_a_fresh_one(server, &database).await;
        let mut conn = connect(&database).await;
        assert_eq!(readings(&mut conn).await, said, "from version {version}");
        let after = rows(&mut conn).await;
        drop(conn);
        assert_eq!(
            lost(&before, &after, &REWRITTEN),
            Vec::<String>::new(),
            "from version {version}"
        );
        goes_on(&database).await;
    }
}

/// Programs that end while they start, a little later each time.
async fn cut_starts(database: &Database) {
    for polls in [1, 4, 8, 12, 18, 25, 40] {
        let keyring = Keyring::open_or_create(&database.file("keyring")).unwrap();
        let mut start = pin!(PostgresStore::connect(database.options.clone(), keyring, profiles()));
        let mut left = polls;
        let started = std::future::poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(None);
            }
            left -= 1;
            start.as_mut().poll(context).map(Some)
        });
        if let Some(store) = started.await {
            store.unwrap().close().await;
        }
    }
}

async fn equals_a_fresh_one(server: &'static Server, database: &Database) {
    hub(database).await.close().await;
    let fresh = server.database().await;
    hub(&fresh).await.close().await;
    let (mut old, mut new) = (connect(database).await, connect(&fresh).await);
    assert_eq!(tables(&mut old).await, tables(&mut new).await);
    assert_eq!(catalogue(&mut old).await, catalogue(&mut new).await);
}

/// The hub reads on where the one before it stopped: old numbers are known, new ones are taken.
async fn goes_on(database: &Database) {
    let store = hub(database).await;
    take_lease(&store).await;
    let all = store.appliances(&Actor::hub("test"), None, 10).await.unwrap();
    assert_eq!(all.items.len(), 4);
    let message = |appliance: ApplianceId| {
        let first = "2026-03-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap();
        let samples = (40..42).map(|seq: i32| Sample {
            at: first + jiff::SignedDuration::from_hours(i64::from(seq - 40)),
            values: vec![Some(seq), None, None],
            extra: None,
        });
        Ingest::Telemetry(TelemetryMessage {
            appliance,
            identity: Identity::Sequence {
                boot: 1,
                lane: Lane::Telemetry,
                first: 40,
            },
            samples: samples.collect(),
            received_at: "2026-03-02T03:00:00Z".parse().unwrap(),
            skew_ms: None,
            trace: TraceId(uuid::Uuid::from_u128(1)),
        })
    };
    for view in &all.items {
        let answer = store.ingest(&[message(view.id)]).await.unwrap();
        assert_eq!(
            answer,
            [Ingested { stored: 1, repeated: 1 }],
            "{}/{}",
            view.tenant,
            view.device
        );
    }
    while store.roll_up(1_000).await.unwrap() > 0 {}
    let view = store.appliance(&Actor::hub("test"), all.items[0].id).await.unwrap();
    assert!(view.samples >= 41, "{}", view.samples);
    store.close().await;
}
