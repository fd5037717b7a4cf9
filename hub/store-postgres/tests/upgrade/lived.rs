//! Databases in which much has happened: every migration starts from those that earlier commits have left (`fixtures/`).

use super::chain::versions;
use super::contents::{Rows, catalogue, digests, empty, lost, readings, rows};
use super::fixture::{self, Fixture};
use super::server::{Database, Server};
use super::{chain, goes_on, keeps, life};
use hub_store_postgres::PostgresStore;
use sqlx::{ConnectOptions, PgConnection};
use std::collections::{BTreeMap, BTreeSet};

/// What migrations since the oldest fixture have taken away, filled in another way or written over: a table or
/// `table.column`, and why nothing is lost by that. Everything else is there afterwards, row by row and value by value.
const CHANGED: [(&str, &str); 12] = [
    ("content_seen", "repeats of JSON are told by the readings themselves"),
    ("tenant.contact_plan", "it is named call_rules"),
    ("ticket.visit_start", "it is appointment.slot_start"),
    ("ticket.visit_end", "it is appointment.slot_end"),
    ("ticket.visit_service_point", "it is appointment.service_point"),
    ("ticket.visit_agreed_by", "it is appointment.agreed_by"),
    (
        "owner",
        "each is a household of one person, as `owners_are_households` compares",
    ),
    ("consent.owner", "it is named person"),
    ("appliance.owner", "it is named household"),
    (
        "ticket.state",
        "category, label and phase say it (looked at by `keeps`)",
    ),
    ("ticket.call_requested_by", "it is named contact_requested_by"),
    ("ticket.held", "it is named contact_reason"),
];

#[tokio::test]
async fn the_lived_in_database_of_eba9de3_is_migrated_and_keeps_everything() {
    let server = fixture::server().await;
    let database = server.database().await;
    let fixture = Fixture::of("eba9de3");
    fixture.load(&database).await;
    let mut conn = connect(&database).await;
    // It was loaded as it was written, and has something of everything.
    assert_eq!(digests(&mut conn).await, fixture.rows());
    let (before, said) = (rows(&mut conn).await, readings(&mut conn).await);
    assert_eq!(empty(&before), Vec::<&str>::new());
    assert_eq!(newest_version(&mut conn).await, 11);

    let store = hub(&database).await;
    assert_eq!(Some(&newest_version(&mut conn).await), versions().last());
    let after = rows(&mut conn).await;
    assert_eq!(readings(&mut conn).await, said);
    assert_eq!(gone(&before, &after), Vec::<String>::new());
    assert_eq!(visits_in(&after["appointment"]), visits_of(&before["ticket"]));
    let columns: Vec<_> = changed().filter_map(|name| name.split_once('.')).collect();
    assert_eq!(lost(&before, &after, &columns), Vec::<String>::new());
    assert_eq!(counts(&after, &before), counts(&before, &after));
    is_as_a_fresh_one(server, &mut conn).await;
    owners_are_households(&before, &after);
    keeps::everything(&store).await;
    let looked_at = rows(&mut conn).await;
    assert_eq!(counts(&looked_at, &before), counts(&before, &looked_at));

    chain::take_lease(&store).await;
    goes_on::from_where_it_stopped(&store).await;
    store.close().await;
}

async fn connect(database: &Database) -> PgConnection {
    database.options.clone().connect().await.unwrap()
}

/// This program's hub on it, with the profiles that were the newest there.
async fn hub(database: &Database) -> PostgresStore {
    PostgresStore::connect(database.options.clone(), life::keyring(database), life::profiles())
        .await
        .unwrap()
}

async fn newest_version(conn: &mut PgConnection) -> i64 {
    sqlx::query_scalar("select max(version) from _sqlx_migrations where success")
        .fetch_one(conn)
        .await
        .unwrap()
}

fn changed() -> impl Iterator<Item = &'static str> {
    CHANGED.iter().map(|(name, _)| *name)
}

type Row = serde_json::Map<String, serde_json::Value>;

/// Visits as tickets had them: of which ticket, when, from where, by whom, and whether the ticket was closed.
fn visits_of(tickets: &[Row]) -> BTreeSet<String> {
    let columns = [
        "id",
        "tenant",
        "visit_start",
        "visit_end",
        "visit_service_point",
        "visit_agreed_by",
    ];
    let visited = tickets.iter().filter(|ticket| !ticket["visit_start"].is_null());
    let line = |ticket: &Row| {
        let resolution = ticket["outcome"]["resolution"].as_str();
        let state = match resolution {
            None => "confirmed",
            Some("confirmed_fixed" | "no_fault_found") => "done",
            Some(_) => "cancelled",
        };
        format!("{:?} {state}", columns.map(|column| &ticket[column]))
    };
    let visits: BTreeSet<String> = visited.map(line).collect();
    assert!(visits.len() > 1, "{visits:?}");
    visits
}

fn visits_in(appointments: &[Row]) -> BTreeSet<String> {
    let columns = [
        "ticket",
        "tenant",
        "slot_start",
        "slot_end",
        "service_point",
        "agreed_by",
    ];
    let line = |visit: &Row| {
        assert!(visit["made_at"].as_str() <= visit["changed_at"].as_str());
        let state = visit["state"].as_str().unwrap();
        format!("{:?} {state}", columns.map(|column| &visit[column]))
    };
    appointments.iter().map(line).collect()
}

/// Tables and columns that are not there any more.
fn gone(before: &Rows, after: &Rows) -> Vec<String> {
    let mut gone = Vec::new();
    for (table, rows) in before {
        let Some(kept) = after.get(table) else {
            gone.push(table.clone());
            continue;
        };
        let columns = |rows: &[serde_json::Map<String, serde_json::Value>]| -> BTreeSet<String> {
            rows.iter().flat_map(|row| row.keys().cloned()).collect()
        };
        let missing: BTreeSet<String> = &columns(rows) - &columns(kept);
        gone.extend(missing.iter().map(|column| format!("{table}.{column}")));
    }
    gone.retain(|name| !changed().any(|known| known == name));
    gone
}

/// How many rows there are in each table that both have.
fn counts<'a>(of: &'a Rows, other: &Rows) -> BTreeMap<&'a str, usize> {
    let is_compared = |table: &String| other.contains_key(table) && !changed().any(|known| known == table);
    let tables = of.iter().filter(|(table, _)| is_compared(table));
    tables.map(|(table, rows)| (table.as_str(), rows.len())).collect()
}

async fn is_as_a_fresh_one(server: &'static Server, conn: &mut PgConnection) {
    let fresh = server.database().await;
    chain::hub(&fresh).await.close().await;
    let wanted = catalogue(&mut connect(&fresh).await).await;
    assert_eq!(catalogue(conn).await, wanted);
}

/// Each owner is a household with one person, both of the owner's id. What the owner said stands as it was, about calls for a
/// predicted fault; a number is found as before, and is sealed under the household's key.
fn owners_are_households(before: &Rows, after: &Rows) {
    let of = |rows: &Rows, table: &str, columns: &[&str]| -> BTreeSet<Vec<String>> {
        let value = |row: &serde_json::Map<String, serde_json::Value>, column: &&str| match column.strip_prefix('=') {
            Some(word) => serde_json::Value::from(word).to_string(),
            None => row[*column].to_string(),
        };
        let rows = rows[table].iter();
        rows.map(|row| columns.iter().map(|column| value(row, column)).collect())
            .collect()
    };
    let same = |was: (&str, &[&str]), is: (&str, &[&str])| {
        assert_eq!(of(after, is.0, is.1), of(before, was.0, was.1), "{} as {}", was.0, is.0);
    };
    same(
        ("owner", &["id", "tenant", "name_in_tenant", "zone"]),
        ("household", &["id", "tenant", "name_in_tenant", "zone"]),
    );
    same(
        ("owner", &["id", "id", "tenant", "name", "language", "=owner"]),
        (
            "person",
            &["id", "household", "tenant", "name", "language", "name_in_household"],
        ),
    );
    same(
        (
            "consent",
            &["number", "owner", "at", "given", "source", "=predicted_fault", "=call"],
        ),
        (
            "consent",
            &["number", "person", "at", "given", "source", "purpose", "channel"],
        ),
    );
    let mut found = of(before, "owner", &["id", "tenant", "phone_index"]);
    found.retain(|row| row[2] != "null");
    assert!(found.len() < before["owner"].len(), "somebody has no number");
    assert_eq!(of(after, "phone", &["person", "tenant", "number_index"]), found);
    assert!(after["household"].iter().all(|row| !row["key"].is_null()));
    let sealed_before = of(before, "owner", &["phone"]);
    assert!(of(after, "phone", &["number"]).is_disjoint(&sealed_before));
    let listed = &["tenant", "phone_index", "at", "source"][..];
    same(("do_not_call", listed), ("do_not_call", listed));
}
