//! Connections that only read. The pool takes the one that lay idle longest and asks it twice, before and after, whether it
//! lives, which takes longer than some of these queries do. Here the one that was used last comes first, still warm, and is
//! asked nothing; and readings wait for no write.

use crate::row::db;
use hub_store::error::{Result, StoreError};
use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgConnection, PgPool, PgRow};
use sqlx::query::Query;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

/// Most connections that read at a time.
const READERS_MAX: usize = 4;
/// A place among them is had within this time.
const WAIT_LIMIT: Duration = Duration::from_secs(10);
/// The server ends a query sooner by itself; one that is not answered by then has a network that swallows it.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
/// A connection is used for so long: the server's memory of every week that it has read from grows with it.
const LIFE: Duration = Duration::from_mins(30);

/// Connections for queries that change nothing.
#[derive(Debug)]
pub(crate) struct Readers {
    /// New ones are taken out of it.
    pool: PgPool,
    places: Semaphore,
    /// The one that was used last is last.
    idle: Mutex<Vec<Reader>>,
}

#[derive(Debug)]
struct Reader {
    conn: PgConnection,
    since: Instant,
}

impl Readers {
    /// None is open yet.
    pub(crate) fn new(pool: PgPool) -> Self {
        Self {
            pool,
            places: Semaphore::new(READERS_MAX),
            idle: Mutex::default(),
        }
    }

    /// Rows of a query that changes nothing. Where the connection proves dead, it is asked again on a new one.
    pub(crate) async fn fetch<'q>(&self, query: impl Fn() -> Query<'q, Postgres, PgArguments>) -> Result<Vec<PgRow>> {
        let place = timeout(WAIT_LIMIT, self.places.acquire()).await;
        let _place = place.map_err(unavailable)?.map_err(unavailable)?;
        if let Some(reader) = self.pop() {
            match self.ask(reader, query()).await {
                Err(error) if is_dead(&error) => self.forget_idle(),
                rows => return rows.map_err(failed),
            }
        }
        let conn = self.pool.acquire().await.map_err(db)?.detach();
        let since = Instant::now();
        self.ask(Reader { conn, since }, query()).await.map_err(failed)
    }

    /// Nothing is asked any more. Connections end without a last word, for which a silent network would let us wait.
    pub(crate) fn close(&self) {
        self.places.close();
        self.idle().clear();
    }

    /// Only a connection whose answer was read to the end comes back: whoever stops to wait takes it along.
    async fn ask<'q>(
        &self,
        mut reader: Reader,
        query: Query<'q, Postgres, PgArguments>,
    ) -> std::result::Result<Vec<PgRow>, sqlx::Error> {
        let rows = timeout(ANSWER_LIMIT, query.fetch_all(&mut reader.conn)).await;
        let rows = rows.map_err(|late| sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, late)))??;
        if !self.places.is_closed() {
            self.idle().push(reader);
        }
        Ok(rows)
    }

    fn pop(&self) -> Option<Reader> {
        self.idle().pop().filter(|reader| reader.since.elapsed() < LIFE)
    }

    /// Where one is dead, so are the others mostly: a server that has come back knows none of them.
    fn forget_idle(&self) {
        tracing::debug!("a connection of the database was dead");
        self.idle().clear();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Reader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}

/// What the server ended for its length (SQLSTATE 57014) takes as long again: it is no failure of the database.
fn failed(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Database(cause) if cause.code().as_deref() == Some("57014") => {
            StoreError::Refused("that is more than is read at a time; ask for a shorter stretch of time".to_owned())
        }
        _ => db(error),
    }
}

/// The connection has ended, by itself or by the server's word (SQLSTATE class 57P).
fn is_dead(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(cause) => cause.code().is_some_and(|code| code.starts_with("57P")),
        _ => false,
    }
}
