//! What the database says of itself, for whoever looks after it.

use crate::row::{Columns, db};
use crate::store::PostgresStore;
use hub_store::error::Result;
use jiff::Timestamp;

/// Settings and clock of the database server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseFacts {
    /// As it writes its version, e.g. `15.12 (Debian 15.12-0+deb12u2)`.
    pub version: String,
    /// The same as a number, e.g. 150012.
    pub version_number: i32,
    /// Connections that it takes in all.
    pub max_connections: i32,
    /// Connections that are open, of all programs.
    pub connections: i64,
    /// `fsync`, `full_page_writes` and `synchronous_commit` as they are.
    pub durability: [(&'static str, String); 3],
    /// What its clock said when it answered.
    pub clock: Timestamp,
}

impl PostgresStore {
    /// Asks the database for them.
    ///
    /// # Errors
    ///
    /// Where it does not answer.
    pub async fn facts(&self) -> Result<DatabaseFacts> {
        // Its clock is compared with ours, and never stored: the one place that may ask for it, by its whole name.
        let row = sqlx::query(
            "select current_setting('server_version') as version, current_setting('server_version_num')::int as number, \
               current_setting('max_connections')::int as max, (select count(*) from pg_stat_activity \
                 where backend_type = 'client backend') as connections, current_setting('fsync') as fsync, \
               current_setting('full_page_writes') as full_page_writes, \
               current_setting('synchronous_commit') as synchronous_commit, pg_catalog.clock_timestamp() as clock",
        )
        .fetch_one(&self.pool)
        .await
        .map_err(db)?;
        let setting = |name: &'static str| -> Result<(&'static str, String)> { Ok((name, row.col(name)?)) };
        Ok(DatabaseFacts {
            version: row.col("version")?,
            version_number: row.col("number")?,
            max_connections: row.col("max")?,
            connections: row.col("connections")?,
            durability: [
                setting("fsync")?,
                setting("full_page_writes")?,
                setting("synchronous_commit")?,
            ],
            clock: row.at("clock")?,
        })
    }
}
