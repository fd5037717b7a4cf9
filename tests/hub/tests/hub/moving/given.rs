//! A database as it is given to a hub: with the least rights that the page for administrators names.

use hub_store_postgres::{Cluster, ClusterOptions};
use sqlx::{ConnectOptions, Executor, PgConnection};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use tests_hub::hub::{Lab, project};

/// The role of the page.
const ROLE: &str = "forecall_hub";

/// A server with the database `forecall`, of which `forecall_hub` owns a schema and nothing else.
pub struct Given {
    cluster: Cluster,
    _folder: tempfile::TempDir,
}

impl Given {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let cluster = Cluster::start(&folder.path().join("state"), ClusterOptions::default())
            .await
            .unwrap();
        let page = std::fs::read_to_string(project().join("docs/operations/database.md")).unwrap();
        let (_, rest) = page.split_once("```sql\n").unwrap();
        let (sql, _) = rest.split_once("```").unwrap();
        let given = Self {
            cluster,
            _folder: folder,
        };
        // The server is asked by a socket, so nobody knows its password.
        let access = given.cluster.data_dir().join("pg_hba.conf");
        let mut access = std::fs::File::options().append(true).open(access).unwrap();
        writeln!(access, "local all {ROLE} trust").unwrap();
        let mut admin = given.admin().await;
        admin.execute(sql).await.unwrap();
        admin.execute("select pg_reload_conf()").await.unwrap();
        given
    }

    /// For a hub.
    pub fn url(&self) -> String {
        self.cluster.url().replace("//forecall@", &format!("//{ROLE}@"))
    }

    /// Another database there, empty, for somebody who may do everything.
    pub async fn another(&self, name: &str) -> String {
        let create = format!("create database {name}");
        self.admin().await.execute(create.as_str()).await.unwrap();
        let url = self.cluster.url();
        let (server, _) = url.rsplit_once('/').unwrap();
        format!("{server}/{name}")
    }

    /// Tables in the database, the system's own apart.
    pub async fn tables(&self) -> i64 {
        let count = "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace \
            where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema')";
        sqlx::query_scalar(count)
            .fetch_one(&mut self.admin().await)
            .await
            .unwrap()
    }

    /// Somebody who may do everything.
    pub async fn admin(&self) -> PgConnection {
        self.cluster.connect_options().connect().await.unwrap()
    }

    pub async fn stop(self) {
        self.cluster.stop().await.unwrap();
    }
}

/// A hub beside `before`, reached at the same address and with the same keyring, on the database of `url` or its own.
pub fn heir(before: &Lab, url: Option<&str>) -> Lab {
    let mut lab = Lab::bare().unwrap();
    (lab.mqtt, lab.http) = (before.mqtt, before.http);
    std::fs::create_dir(lab.state()).unwrap();
    std::fs::copy(before.state().join(KEYRING), lab.state().join(KEYRING)).unwrap();
    if let Some(url) = url {
        lab.set("DATABASE_URL", url);
    }
    lab
}

/// In the state directory.
pub const KEYRING: &str = "keyring.toml";
