//! A transaction that begins within a time of its own. The library's own would go back into the pool with its connection where
//! its beginning is given up, and the server may have begun it by then: what is said on that connection next would never be
//! committed. So the connection is held here while it begins, and closed where no answer comes.

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgTransactionManager;
use sqlx::{PgConnection, PgPool, Postgres, TransactionManager};
use std::ops::{Deref, DerefMut};
use std::time::Duration;
use tokio::time::timeout;

/// A connection that lives answers to BEGIN within this time: it waits for no lock and no disk. One that does not is taken for
/// dead, so that a network that goes silent just then keeps its place in the pool no longer.
const BEGIN_LIMIT: Duration = Duration::from_secs(5);

/// Rolled back when it is dropped, before its connection is used again.
pub(crate) struct Transaction {
    conn: PoolConnection<Postgres>,
    is_open: bool,
}

impl Transaction {
    /// Begins one on a connection of the pool.
    ///
    /// # Errors
    /// Those of the pool and of the database; [`sqlx::Error::Io`] where no answer comes within [`BEGIN_LIMIT`].
    pub(crate) async fn begin(pool: &PgPool) -> sqlx::Result<Self> {
        let mut conn = pool.acquire().await?;
        let begun = timeout(BEGIN_LIMIT, PgTransactionManager::begin(&mut conn, None)).await;
        match begun {
            Ok(begun) => begun?,
            Err(late) => {
                // Taken out of the pool, which may open another, and closed without a word: none would be heard.
                drop(conn.detach());
                return Err(sqlx::Error::Io(late.into()));
            }
        }
        Ok(Self { conn, is_open: true })
    }

    /// Commits it. Without an answer nobody knows whether it was.
    pub(crate) async fn commit(mut self) -> sqlx::Result<()> {
        PgTransactionManager::commit(&mut self.conn).await?;
        self.is_open = false;
        Ok(())
    }

    /// Undoes it, and waits until that is done.
    pub(crate) async fn rollback(mut self) -> sqlx::Result<()> {
        PgTransactionManager::rollback(&mut self.conn).await?;
        self.is_open = false;
        Ok(())
    }
}

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &Self::Target {
        &self.conn
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.conn
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.is_open {
            // Said with the next words on the connection, which the pool says when it takes it back.
            PgTransactionManager::start_rollback(&mut self.conn);
        }
    }
}
