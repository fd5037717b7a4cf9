//! Backup under load and restore elsewhere, by PostgreSQL's own programs: with the hub's own cluster.

use super::lived::lived_in_on;
use crate::server::Server;
use crate::support::{Base, appliance, morning, profiles};
use hub_moving::{BackupDatabase, MoveError, Moved, backup, content, restore};
use hub_store::access::AccessStore;
use hub_store::conformance::scene::telemetry;
use hub_store::telemetry::TelemetryStore;
use hub_store_postgres::{ClusterOptions, PostgresStore, Progress};
use std::path::Path;

/// As a person would write it.
pub fn database(base: &Base, programs: &ClusterOptions) -> BackupDatabase {
    let socket = base.options.get_socket().unwrap().display().to_string();
    let (user, name) = (base.options.get_username(), base.options.get_database().unwrap());
    let url = format!("postgresql://{user}@{}:5432/{name}", socket.replace('/', "%2F"));
    BackupDatabase::given(&url, programs).unwrap()
}

/// With the programs that are found.
fn usual(base: &Base) -> BackupDatabase {
    database(base, &ClusterOptions::default())
}

/// An empty database of the own cluster with the same keyring.
pub async fn empty(of: &Base) -> Base {
    let new = Base::on(Server::own().await).await;
    std::fs::copy(of.database.file("keyring"), new.database.file("keyring")).unwrap();
    new
}

/// Tables that nobody writes to meanwhile.
fn quiet(content: &Moved) -> Vec<(String, u64, String)> {
    let busy = [
        "telemetry",
        "late",
        "sequence",
        "scored",
        "rolled",
        "appliance_status",
        "event",
    ];
    let tables = content
        .tables
        .iter()
        .filter(|(name, ..)| !busy.contains(&name.as_str()));
    tables.cloned().collect()
}

#[tokio::test]
async fn a_backup_under_load_is_restored_whole() {
    // A server that is given may have no socket and another version than the programs here, and the one in WebAssembly
    // has neither the catalogue that pg_dump reads nor two sessions for a backup under load.
    let (base, store) = lived_in_on(Server::own().await).await;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("backup");
    let id = appliance(&store, "acme", "wm-2").await;
    let write = async |seq: u64| store.ingest(&[telemetry(id, 77, seq, 1)]).await.unwrap();
    for seq in 1..=20 {
        write(seq).await;
    }
    let (here, keyring) = (usual(&base), base.keyring());
    let mut tell = |_: Progress<'_>| {};
    let mut load = 20;
    let done = {
        let backup = backup(&here, &keyring, &out, morning(), &mut tell);
        tokio::pin!(backup);
        loop {
            tokio::select! {
                done = &mut backup => break done.unwrap(),
                _ = write(load + 1) => load += 1,
            }
        }
    };
    assert!(load > 20, "nothing was written meanwhile");
    assert_eq!(std::fs::metadata(&done.file).unwrap().len(), done.bytes);

    let there = empty(&base).await;
    restore(&usual(&there), &there.keyring(), &out).await.unwrap();
    let restored = PostgresStore::connect(there.options.clone(), there.keyring(), profiles())
        .await
        .unwrap();
    let before = content(&store, &mut |_| {}).await.unwrap();
    let after = content(&restored, &mut |_| {}).await.unwrap();
    assert_eq!(quiet(&after), quiet(&before));
    let kept = "select count(distinct seq) from telemetry where boot = 77 and seq <= 20";
    assert_eq!(
        there.number(kept).await,
        20,
        "acknowledged before the backup and not in it"
    );
    let shown = [hub_store::conformance::door::secret("acme", "wm-2", "secret-wm-2")];
    assert!(
        restored.identify(&shown, morning()).await.unwrap()[0].is_some(),
        "the device does not get in"
    );
    restored.close().await;
    refusals(&base, &there, &out).await;
    // A hub takes it over and goes on.
    let hub = there.store().await;
    assert_eq!(
        hub.ingest(&[telemetry(id, 77, 1, 1)]).await.unwrap(),
        [crate::support::repeated(1)]
    );
}

async fn refusals(base: &Base, full: &Base, out: &Path) {
    let twice = restore(&usual(full), &full.keyring(), out).await.err().unwrap();
    assert!(matches!(twice, MoveError::NotEmpty(_)), "{twice}");
    let stranger = Base::on(Server::own().await).await;
    let other = restore(&usual(&stranger), &stranger.keyring(), out)
        .await
        .err()
        .unwrap();
    assert!(matches!(other, MoveError::Keyring { .. }), "{other}");
    let again = backup(&usual(base), &base.keyring(), out, morning(), &mut |_| {})
        .await
        .err()
        .unwrap();
    assert!(matches!(again, MoveError::FolderInUse(_)), "{again}");
    let dump = out.join("database.dump");
    let mut bytes = std::fs::read(&dump).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&dump, &bytes).unwrap();
    let target = empty(base).await;
    let damaged = restore(&usual(&target), &target.keyring(), out).await.err().unwrap();
    assert!(damaged.to_string().contains("database.dump"), "{damaged}");
    assert_eq!(
        target
            .number("select count(*) from pg_class where relname = 'tenant'")
            .await,
        0,
        "something was restored"
    );
}
