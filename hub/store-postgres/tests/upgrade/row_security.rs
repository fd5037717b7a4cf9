//! The database's own wall between tenants.

use super::chain::{hub, lived_in, versions};
use super::contents::tables;
use super::server::{Database, Server};
use hub_core::actor::Actor;
use hub_core::id::TenantId;
use hub_store::event::{EventCursor, EventStore};
use hub_store::prediction::PredictionStore;
use hub_store::site::SiteStore;
use hub_store::ticket::{TicketFilter, TicketStore};
use sqlx::{ConnectOptions, Executor, PgConnection};

/// Tables without that wall, and why.
const OPEN: &[(&str, &str)] = &[
    (
        "telemetry",
        "loaded by COPY and compressed, which nobody allows beside policies; read through its appliance",
    ),
    ("late", "numbers of readings, for the hub's own readers"),
    ("sequence", "numbers of readings, for the hub's own guards"),
    ("partition", "the hub's own"),
    ("scored", "the hub's own"),
    ("rolled", "the hub's own"),
    ("lease", "the hub's own"),
    ("witness", "the hub's own"),
    ("sweep", "the hub's own"),
    ("sweep_confirmation", "the hub's own"),
    ("layout", "the hub's own"),
    ("keyring", "the hub's own"),
    ("event_epoch", "the hub's own"),
    ("profile_version", "what profiles say, for all tenants"),
    ("challenge", "which models are scored in shadow, for all tenants"),
    ("aggregated", "the hub's own"),
    (
        "fleet_hour",
        "derived from readings, by number of the tenant; read by it",
    ),
    ("device_day", "derived from readings; read through its appliance"),
    ("import", "the hub's own, while nobody is served"),
    ("import_file", "the hub's own, while nobody is served"),
];

async fn filled() -> Database {
    let database = Server::chosen().await.database().await;
    lived_in(&database, *versions().last().unwrap()).await;
    database
}

/// A session as the store has it within a transaction for one tenant.
async fn confined(database: &Database, tenant: &str) -> PgConnection {
    let mut conn = database.options.clone().connect().await.unwrap();
    conn.execute("begin").await.unwrap();
    let confine = format!(
        "select set_config('forecall.tenant', '{tenant}', true), \
         set_config('role', case when rolsuper then 'forecall_tenant' else current_user end, true) \
         from pg_roles where rolname = current_user"
    );
    conn.execute(confine.as_str()).await.unwrap();
    conn
}

async fn lines(conn: &mut PgConnection, table: &str) -> Vec<String> {
    sqlx::query_scalar(&format!("select to_jsonb(t)::text from \"{table}\" t"))
        .fetch_all(conn)
        .await
        .unwrap()
}

#[tokio::test]
async fn no_table_shows_a_row_of_another_tenant() {
    let database = filled().await;
    hub(&database).await.close().await;
    let mut all = database.options.clone().connect().await.unwrap();
    let walled: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class where relnamespace = current_schema()::regnamespace and relrowsecurity \
         and relforcerowsecurity",
    )
    .fetch_all(&mut all)
    .await
    .unwrap();
    for table in tables(&mut all).await {
        let is_open = OPEN.iter().any(|(open, _)| *open == table);
        assert_ne!(
            walled.contains(&table),
            is_open,
            "table {table} needs a policy (see migration 0008) or a line in OPEN that says why it has none"
        );
    }
    for table in &walled {
        let every = lines(&mut all, table).await;
        let mut seen = Vec::new();
        for tenant in ["acme", "beta"] {
            let own = lines(&mut confined(&database, tenant).await, table).await;
            assert!(!own.is_empty(), "{tenant} sees nothing in {table}");
            assert!(own.iter().all(|line| every.contains(line)));
            assert!(own.iter().all(|line| !seen.contains(line)), "both see a row of {table}");
            seen.extend(own);
        }
        // Only accounts of the whole hub, and what hangs on them, belong to nobody.
        let of_the_hub = every.len() - seen.len();
        let expected = usize::from(["account", "session", "idempotency"].contains(&table.as_str()));
        assert_eq!(of_the_hub, expected, "rows of {table} that nobody sees");
        assert!(
            lines(&mut confined(&database, "gamma").await, table).await.is_empty(),
            "{table}"
        );
    }
    assert!(walled.len() > 30, "{walled:?}");
}

#[tokio::test]
async fn nothing_is_written_for_another_tenant() {
    let database = filled().await;
    hub(&database).await.close().await;
    let refused = [
        "insert into do_not_call (tenant, phone_index, at, source) values ('acme', '\\x99', '2026-03-02Z', 'x')",
        "update service_point set tenant = 'acme', id = 'minhang'",
        "insert into appliance_attribute (appliance, scope, name, value, at) \
         select 1, 'shared', 'x', '1', '2026-03-02Z'",
    ];
    for sql in refused {
        let error = confined(&database, "beta").await.execute(sql).await.unwrap_err();
        let code = error.as_database_error().unwrap().code().unwrap().into_owned();
        assert_eq!(code, "42501", "{sql}: {error}");
    }
    let mut beta = confined(&database, "beta").await;
    let own = "insert into do_not_call (tenant, phone_index, at, source) values ('beta', '\\x99', '2026-03-02Z', 'x')";
    assert_eq!(beta.execute(own).await.unwrap().rows_affected(), 1);
    assert_eq!(
        beta.execute("delete from consent where tenant = 'acme'")
            .await
            .unwrap()
            .rows_affected(),
        0
    );
    assert_eq!(
        beta.execute("update ticket set assignee = 'me'")
            .await
            .unwrap()
            .rows_affected(),
        2
    );
}

/// Whether the store's own queries run behind the wall: where it lets nobody through, they find nothing.
#[tokio::test]
async fn the_stores_reads_for_a_tenant_go_through_the_wall() {
    let database = filled().await;
    let store = hub(&database).await;
    let acme = Actor::hub("test").within(Some(TenantId::new("acme").unwrap()));
    let filter = TicketFilter::default();
    let start = EventCursor {
        epoch: 0,
        transaction: 0,
        number: 0,
    };
    let mut counts = Vec::new();
    for pass in 0..2 {
        if pass == 1 {
            let shut = "alter policy tenant on appliance using (coalesce(current_setting('forecall.tenant', true), '') = ''); \
                alter policy tenant on ticket using (coalesce(current_setting('forecall.tenant', true), '') = ''); \
                alter policy tenant on finding using (coalesce(current_setting('forecall.tenant', true), '') = ''); \
                alter policy tenant on event using (coalesce(current_setting('forecall.tenant', true), '') = '')";
            let mut conn = database.options.clone().connect().await.unwrap();
            conn.execute(shut).await.unwrap();
        }
        for actor in [&acme, &Actor::hub("test")] {
            counts.push([
                store.appliances(actor, None, 50).await.unwrap().items.len(),
                store.tickets(actor, &filter, None, 50).await.unwrap().items.len(),
                store.findings(actor, None, 50).await.unwrap().items.len(),
                store.events_after(actor, start, 50).await.unwrap().len(),
            ]);
        }
    }
    assert_eq!(counts, [[2; 4], [4; 4], [0; 4], [4; 4]]);
}
