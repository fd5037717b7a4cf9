//! Bringing a database to this program's schema, but never under a hub of another version that runs on it.

use crate::connect_error::ConnectError;
use crate::lease;
use crate::migration::Migrations;
use crate::schema::{WAIT_LIMIT, WAIT_PAUSE, applied, check};
use crate::store::open_pool;
use sqlx::migrate::MigrateError;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Migrations may take this long.
pub(crate) const MIGRATE_LIMIT: Duration = Duration::from_secs(600);

/// A database of an older schema, or of none yet. As long as this is there no hub works on it: it has the lease's lock.
#[derive(Debug)]
pub struct Upgrade {
    conn: PgConnection,
    from: Option<i64>,
}

impl Upgrade {
    /// Begins one; `None` where the schema is this program's already. Who is just migrating is waited for, 10 s at most.
    ///
    /// # Errors
    ///
    /// [`ConnectError::OlderSchema`] where a hub of another version works there, [`ConnectError::NewerSchema`] and
    /// [`ConnectError::OtherSchema`] where this program cannot bring it to its own; where the database is not durable or does
    /// not answer.
    pub async fn begin(options: PgConnectOptions) -> Result<Option<Self>, ConnectError> {
        let pool = open_pool(options).await?;
        let begun = Self::begin_on(&pool).await;
        pool.close().await;
        begun
    }

    pub(crate) async fn begin_on(pool: &PgPool) -> Result<Option<Self>, ConnectError> {
        let until = Instant::now() + WAIT_LIMIT;
        while let Err(error) = check(pool).await {
            if !matches!(error, ConnectError::OlderSchema(_)) {
                return Err(error);
            }
            let options = pool.connect_options();
            let mut conn = options.connect().await.map_err(ConnectError::Unreachable)?;
            if lease::lock(&mut conn).await.map_err(ConnectError::Start)? {
                return Self::with_lock(pool, conn).await;
            }
            conn.close().await.map_err(ConnectError::Unreachable)?;
            if Instant::now() > until {
                return Err(error);
            }
            sleep(WAIT_PAUSE).await;
        }
        Ok(None)
    }

    /// The holder of the lock before may have migrated since the look.
    async fn with_lock(pool: &PgPool, conn: PgConnection) -> Result<Option<Self>, ConnectError> {
        match check(pool).await {
            Ok(()) => {
                conn.close().await.map_err(ConnectError::Unreachable)?;
                return Ok(None);
            }
            Err(ConnectError::OlderSchema(_)) => {}
            Err(error) => return Err(error),
        }
        let from = applied(pool).await?.keys().next_back().copied();
        Ok(Some(Self { conn, from }))
    }

    /// The schema version that the database has; `None` where it is empty.
    pub fn from(&self) -> Option<i64> {
        self.from
    }

    /// Migrates, each migration in a transaction of its own: what an error cuts off goes on with the next try.
    ///
    /// # Errors
    ///
    /// [`ConnectError::Migration`] where one is refused, [`ConnectError::MigrationTime`] after ten minutes; where the database
    /// does not answer.
    pub async fn run(mut self) -> Result<(), ConnectError> {
        timeout(MIGRATE_LIMIT, migrate(&mut self.conn))
            .await
            .map_err(|_| ConnectError::MigrationTime)??;
        self.conn.close().await.map_err(ConnectError::Unreachable)
    }
}

async fn migrate(conn: &mut PgConnection) -> Result<(), ConnectError> {
    // Longer than any other statement may take, or wait for one.
    for setting in ["set statement_timeout = '600s'", "set lock_timeout = '600s'"] {
        sqlx::query(setting)
            .execute(&mut *conn)
            .await
            .map_err(ConnectError::Unreachable)?;
    }
    let migrated = Migrations::all().run(conn).await;
    migrated.map_err(|error| match error {
        MigrateError::VersionMissing(version) => ConnectError::NewerSchema(version),
        other => ConnectError::Migration(other),
    })
}
