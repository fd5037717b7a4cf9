//! What a database says of itself.

use crate::error::{Result, database};
use sqlx::PgConnection;

/// Of a hub, or of an empty database.
pub(super) struct About {
    pub(super) server: String,
    version: i32,
    /// Where a hub has been.
    pub(super) schema: Option<i64>,
    /// Fingerprint of the keyring that it was written with.
    pub(super) keyring: Option<Vec<u8>>,
    /// Version of the extension, where it is there.
    pub(super) timescaledb: Option<String>,
    /// The schema in which tables are made and found.
    pub(super) namespace: Option<String>,
}

type AboutRow = (String, i32, Option<String>, Option<String>, bool);

impl About {
    /// Major version of the server.
    pub(super) fn major(&self) -> u32 {
        u32::try_from(self.version / 10_000).unwrap_or(0)
    }

    pub(super) async fn read(conn: &mut PgConnection) -> Result<Self> {
        let what = || database("asking the database what it is");
        let (server, version, timescaledb, namespace, is_hubs) = sqlx::query_as::<_, AboutRow>(
            "select current_setting('server_version'), current_setting('server_version_num')::int, \
             (select extversion from pg_extension where extname = 'timescaledb'), current_schema()::text, \
             to_regclass('_sqlx_migrations') is not null and to_regclass('keyring') is not null",
        )
        .fetch_one(&mut *conn)
        .await
        .map_err(what())?;
        let (mut schema, mut keyring) = (None, None);
        if is_hubs {
            schema = sqlx::query_scalar("select max(version) from _sqlx_migrations where success")
                .fetch_one(&mut *conn)
                .await
                .map_err(what())?;
            keyring = sqlx::query_scalar("select fingerprint from keyring")
                .fetch_optional(&mut *conn)
                .await
                .map_err(what())?;
        }
        Ok(Self {
            server,
            version,
            schema,
            keyring,
            timescaledb,
            namespace,
        })
    }
}
