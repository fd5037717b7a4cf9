//! A database of an earlier schema: backed up before it is migrated, and a way back that works.

use crate::moving::given::{KEYRING, heir};
use crate::moving::name;
use hub_store_postgres::{Cluster, ClusterOptions, Migrations};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection};
use std::path::{Path, PathBuf};
use tests_hub::hub::Lab;

/// An earlier schema than this program's.
const EARLIER: i64 = 20;

/// Does something in the own cluster of a hub that is stopped.
async fn in_database(state: &Path, work: impl AsyncFnOnce(&mut PgConnection)) {
    let cluster = Cluster::start(state, ClusterOptions::default()).await.unwrap();
    let mut sql = cluster.connect_options().connect().await.unwrap();
    work(&mut sql).await;
    sql.close().await.unwrap();
    cluster.stop().await.unwrap();
}

/// Beside the state directory.
fn folder(state: &Path) -> PathBuf {
    state.with_file_name(format!("{}-backups", state.file_name().unwrap().to_str().unwrap()))
}

fn backups(state: &Path) -> Vec<PathBuf> {
    let Ok(folder) = folder(state).read_dir() else {
        return Vec::new();
    };
    folder.map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_is_backed_up_and_there_is_a_way_back() {
    let lab = Lab::new().unwrap();
    lab.serve().await.unwrap().stop().await.unwrap();
    assert_eq!(
        backups(&lab.state()),
        [""; 0].map(PathBuf::from),
        "a start on this program's schema makes none"
    );
    in_database(&lab.state(), async |sql| {
        sql.execute("drop schema public cascade; create schema public")
            .await
            .unwrap();
        Migrations::up_to(EARLIER).run(sql).await.unwrap();
        sql.execute("insert into tenant (id, brand, contact_plan, visit_price) values ('acme', '{}', '{}', '{}')")
            .await
            .unwrap();
    })
    .await;

    // Commands upgrade as the hub does, and so do they back up.
    let hub = lab.serve().await.unwrap();
    hub.stop().await.unwrap();
    let made = backups(&lab.state());
    let [backup] = made.as_slice() else { panic!("{made:?}") };
    assert!(name(backup).contains("schema-20-"), "{backup:?}");
    in_database(&lab.state(), async |sql| {
        let (newest, rules): (i64, i64) = sqlx::query_as(
            "select (select max(version) from _sqlx_migrations), (select count(*) from tenant where call_rules = '{}')",
        )
        .fetch_one(&mut *sql)
        .await
        .unwrap();
        assert_eq!((newest, rules), (Migrations::all().newest(), 1));
        // What a newer program would leave.
        sql.execute(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
             values (9999, 'of tomorrow', true, 'x', 0)",
        )
        .await
        .unwrap();
    })
    .await;

    // An older program refuses it, and names the way back.
    let refused = lab.run(&["serve"]).await.unwrap_err().to_string();
    assert!(
        refused.contains("9999") && refused.contains("forecall restore --from"),
        "{refused}"
    );
    let back = heir(&lab, None);
    assert!(back.state().join(KEYRING).exists());
    let said = back.run(&["restore", "--from", name(backup)]).await.unwrap();
    assert!(said.contains("schema version 20"), "{said}");
    in_database(&back.state(), async |sql| {
        let plans: i64 = sqlx::query_scalar("select count(*) from tenant where contact_plan = '{}'")
            .fetch_one(&mut *sql)
            .await
            .unwrap();
        assert_eq!(plans, 1, "as it was before the upgrade");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_backup_nothing_is_upgraded() {
    let lab = Lab::new().unwrap();
    lab.serve().await.unwrap().stop().await.unwrap();
    in_database(&lab.state(), async |sql| {
        sql.execute("drop schema public cascade; create schema public")
            .await
            .unwrap();
        Migrations::up_to(EARLIER).run(sql).await.unwrap();
    })
    .await;
    // A file where the folder would be: no backup can be made.
    std::fs::write(folder(&lab.state()), "in the way").unwrap();
    let refused = lab.run(&["serve"]).await.unwrap_err().to_string();
    assert!(
        refused.contains("-backups") && refused.contains("stays at schema version 20"),
        "{refused}"
    );
    in_database(&lab.state(), async |sql| {
        let newest: i64 = sqlx::query_scalar("select max(version) from _sqlx_migrations")
            .fetch_one(&mut *sql)
            .await
            .unwrap();
        assert_eq!(newest, EARLIER, "nothing was changed");
    })
    .await;
}
