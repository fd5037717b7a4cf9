//! From the hub's own cluster to a TimescaleDB and back, out of compressed weeks too.

use super::lived::{self, lived_in_on};
use super::{import, options, sibling_on};
use crate::server::Server;
use crate::support::{appliance, message, morning, repeated, stored};
use hub_core::id::ApplianceId;
use hub_moving::{ExportOptions, Moved};
use hub_store::telemetry::{Ingest, TelemetryStore};
use hub_store_postgres::{Layout, PostgresStore};
use jiff::SignedDuration;
use sqlx::Executor;
use std::path::Path;

/// Weeks that readings are spread over, and readings in each.
const WEEKS: u64 = 4;
const READINGS: u32 = 300;
const BOOT: u64 = 11;

/// The server that was asked for if it has TimescaleDB, else the one in WebAssembly, if that is installed.
async fn timescale() -> Option<&'static Server> {
    match Server::given().await {
        Some(given) if given.has_timescale => Some(given),
        _ => Server::bridge().await,
    }
}

/// A week's readings, one every ten minutes.
fn week(appliance: ApplianceId, number: u64) -> Ingest {
    let mut week = message(appliance, BOOT, number * u64::from(READINGS), u64::from(READINGS));
    for (n, sample) in (0..).zip(&mut week.samples) {
        let start = morning() - SignedDuration::from_hours(24 * 7 * (i64::try_from(number).unwrap() + 1));
        sample.at = start + SignedDuration::from_mins(10 * n);
    }
    Ingest::Telemetry(week)
}

async fn content(store: &PostgresStore) -> Moved {
    hub_moving::content(store, &mut |_| {}).await.unwrap()
}

async fn export(store: &PostgresStore, folder: &Path) -> Moved {
    let options = ExportOptions {
        file_rows: 200,
        ..options()
    };
    hub_moving::export(store, folder, options, &mut |_| {}).await.unwrap()
}

#[tokio::test]
async fn from_the_own_cluster_to_timescale_and_back_nothing_changes() {
    let Some(server) = timescale().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let (out, back) = (folder.path().join("out"), folder.path().join("back"));
    let (own, store) = lived_in_on(Server::own().await).await;
    assert_eq!(store.layout(), Layout::Partitions);
    let id = appliance(&store, "acme", "wm-3").await;
    for number in 0..WEEKS {
        let done = store.ingest(&[week(id, number)]).await.unwrap();
        assert_eq!(done, [stored(READINGS)]);
    }
    let moved = export(&store, &out).await;
    store.close().await;

    let there = sibling_on(&own, server).await;
    let (target, taken) = import(&there, &out).await.unwrap();
    assert_eq!(target.layout(), Layout::Hypertable);
    assert_eq!((&taken, &content(&target).await), (&moved, &moved));
    let licence: String = sqlx::query_scalar("select current_setting('timescaledb.license')")
        .fetch_one(&mut there.sql().await)
        .await
        .unwrap();
    if licence == "timescale" {
        let compress = "select count(compress_chunk(chunk, true)) from show_chunks('telemetry') chunk";
        let compressed = there.number(compress).await;
        assert!(compressed > i64::try_from(WEEKS).unwrap(), "{compressed} chunks");
        assert_eq!(content(&target).await, moved, "compressed readings say something else");
    } else {
        println!("this server runs TimescaleDB without compression (licence {licence})");
    }
    target.close().await;

    // A hub works there: what it has is known to it, also what is compressed, and what comes late goes into it.
    let hub = there.store().await;
    lived::go_on(&hub).await;
    let known = hub.ingest(&[week(id, 1)]).await.unwrap();
    assert_eq!(known, [repeated(READINGS)]);
    let mut late = week(id, 2);
    if let Ingest::Telemetry(late) = &mut late {
        late.identity = message(id, BOOT + 1, 0, 1).identity;
    }
    assert_eq!(hub.ingest(&[late]).await.unwrap(), [stored(READINGS)]);
    hub.close().await;

    let store = there.beside().await;
    let moved_back = export(&store, &back).await;
    assert_ne!(moved_back, moved);
    assert_eq!(content(&store).await, moved_back);
    store.close().await;
    let home = sibling_on(&own, Server::own().await).await;
    let (target, taken) = import(&home, &back).await.unwrap();
    assert_eq!(target.layout(), Layout::Partitions);
    assert_eq!((&taken, &content(&target).await), (&moved_back, &moved_back));
    target.close().await;
    let hub = home.store().await;
    let known = hub.ingest(&[week(id, 2)]).await.unwrap();
    assert_eq!(known, [repeated(READINGS)]);
    home.sql()
        .await
        .execute("select from fleet_hourly limit 1")
        .await
        .unwrap();
}
