//! What the database says of itself, for the person who looks after it.

use crate::row::{Columns, db};
use crate::store::PostgresStore;
use hub_core::witness::DatabaseClock;
use hub_store::error::Result;
use jiff::Timestamp;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

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
    /// How text is stored; only UTF8 holds all of it.
    pub encoding: String,
    /// Whether the hub's role is a superuser, which it need not be.
    pub superuser: bool,
    /// Whether the database's wall between tenants does not hold for it, though it is no superuser.
    pub bypasses_rls: bool,
    /// What else it may do and need not: make databases, make roles, replicate.
    pub needless_rights: Vec<&'static str>,
    /// Whether it may make tables where it makes them.
    pub may_create: bool,
    /// It is on another machine, as far as its address tells: a container of this machine seems to be another one.
    pub is_elsewhere: bool,
    /// The host, where it is asked over a network without proof that it is the right one.
    pub unproven_host: Option<String>,
    /// Connections that are left for the hub's role.
    pub connections_free: i64,
    /// Version of TimescaleDB in this database, and its licence, if it is installed.
    pub timescale: Option<(String, String)>,
    /// Damaged pages that were met, where the server counts them.
    pub damaged_pages: i64,
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
               current_setting('synchronous_commit') as synchronous_commit, pg_catalog.clock_timestamp() as clock, \
               current_setting('server_encoding') as encoding, (select rolsuper from pg_roles where rolname = current_user) \
                 as superuser, \
               (select rolbypassrls from pg_roles where rolname = current_user) as bypasses, \
               (select rolcreatedb from pg_roles where rolname = current_user) as createdb, \
               (select rolcreaterole from pg_roles where rolname = current_user) as createrole, \
               (select rolreplication from pg_roles where rolname = current_user) as replication, \
               coalesce(has_schema_privilege(current_schema(), 'create'), false) as may_create, \
               (select least(current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int \
                   - (select count(*) from pg_stat_activity where backend_type = 'client backend'), \
                 nullif(r.rolconnlimit, -1) - (select count(*) from pg_stat_activity a where a.usesysid = r.oid)) \
                 from pg_roles r where r.rolname = current_user)::bigint as free, \
               coalesce(inet_server_addr() <> inet_client_addr(), false) as has_other_address, \
               (select extversion from pg_extension where extname = 'timescaledb') as timescale, \
               coalesce(current_setting('timescaledb.license', true), '') as licence, \
               (select coalesce(sum(checksum_failures), 0)::bigint from pg_stat_database) as damaged",
        )
        .fetch_one(&self.pool)
        .await
        .map_err(db)?;
        let setting = |name: &'static str| -> Result<(&'static str, String)> { Ok((name, row.col(name)?)) };
        let mut needless_rights = Vec::new();
        for right in ["createdb", "createrole", "replication"] {
            if row.col(right)? {
                needless_rights.push(right);
            }
        }
        let superuser: bool = row.col("superuser")?;
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
            encoding: row.col("encoding")?,
            superuser,
            bypasses_rls: !superuser && row.col("bypasses")?,
            needless_rights,
            may_create: row.col("may_create")?,
            is_elsewhere: row.col::<bool>("has_other_address")? && is_named_elsewhere(&self.pool.connect_options()),
            unproven_host: unproven_host(&self.pool.connect_options()),
            connections_free: row.col("free")?,
            timescale: row.col::<Option<String>>("timescale")?.zip(row.col("licence")?),
            damaged_pages: row.col("damaged")?,
            clock: row.at("clock")?,
        })
    }
}

impl DatabaseFacts {
    /// Its clock, and whether that is another machine's than the hub's.
    pub fn database_clock(&self) -> DatabaseClock {
        DatabaseClock {
            at: self.clock,
            is_elsewhere: self.is_elsewhere,
        }
    }
}

fn is_named_elsewhere(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    options.get_socket().is_none() && !host.starts_with('/') && !["localhost", "127.0.0.1", "::1"].contains(&host)
}

/// A socket and this machine need no proof; everything else needs a certificate with the host's name.
fn unproven_host(options: &PgConnectOptions) -> Option<String> {
    let is_proven = matches!(options.get_ssl_mode(), PgSslMode::VerifyFull);
    (is_named_elsewhere(options) && !is_proven).then(|| options.get_host().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_on_the_network_must_prove_itself() {
        let host = |url: &str| unproven_host(&url.parse().unwrap());
        assert_eq!(host("postgres://u@db.example/f").as_deref(), Some("db.example"));
        assert_eq!(
            host("postgres://u@db.example/f?sslmode=require").as_deref(),
            Some("db.example")
        );
        for proven in [
            "postgres://u@db.example/f?sslmode=verify-full",
            "postgres://u@localhost/f",
            "postgres://u@127.0.0.1:5433/f",
            "postgres:///f?host=/run/postgresql",
        ] {
            assert_eq!(host(proven), None, "{proven}");
        }
    }
}
