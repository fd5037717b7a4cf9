//! What the database says of itself, and what is counted of tenants.

use super::support::played;
use crate::server::Kind;
use hub_store::site::SiteStore;
use hub_store_postgres::PostgresStore;
use sqlx::Executor;

#[tokio::test]
async fn the_database_tells_its_settings() {
    let (base, store) = played().await;
    let facts = store.facts().await.unwrap();
    assert!(facts.version_number >= 130_000 && facts.max_connections >= 30);
    // Without processes of its own, a server does not list its connections.
    assert!(facts.connections >= 1 || base.database.server.kind == Kind::Bridge);
    assert!(facts.durability.iter().all(|(_, value)| value == "on"), "{facts:?}");
}

#[tokio::test]
async fn tenants_are_counted_once_in_half_a_minute() {
    let (base, store) = played().await;
    let samples = async |store: &PostgresStore| {
        let tallies = store.tallies().await.unwrap();
        tallies.iter().map(|tally| tally.samples).sum::<i64>()
    };
    assert_eq!(samples(&store).await, 0);
    let more = "update appliance_status set samples = 5";
    base.sql().await.execute(more).await.unwrap();
    assert_eq!(samples(&store).await, 0, "what was counted just now");
    assert_eq!(samples(&base.beside().await).await, 25);
}
