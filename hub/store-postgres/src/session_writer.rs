//! The one connection on which sessions are changed. A change that got no answer may still be on its way and arrive when the
//! caller has long asked for something newer. So a connection holds a lock of the database for as long as it lives, and the
//! next one changes nothing before the database has ended the one before: what was said there has been done by then, or never
//! is. Each statement also holds the lease's row and compares its token, so that a hub which was taken over changes nothing.

use crate::life::{found_dead, is_dead};
use crate::reading::{DOOR_ANSWER_LIMIT, connect_at_the_door};
use crate::row::{Columns, db};
use crate::store::PostgresStore;
use hub_store::error::{Result, StoreError};
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{Connection, Postgres};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Mutex;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

/// What a statement begins with. It does something only where `held` has a row, and answers whether there is one, as `held`.
/// `$1` is the token. For the fence: see the lease.
pub(crate) const HELD: &str =
    "with held as materialized (select first from lease where first = 0 and token = $1 for share)";
/// Key of the lock: of the sessions of one holder of the lease, in this schema. Locks are apart by database already.
const KEY: &str =
    "hashtextextended('forecall sessions of lease ' || $1::bigint::text || ' in ' || coalesce(current_schema()::text, ''), 0)";

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct SessionWriter {
    /// Held from the first word of a change to its answer: one is done at a time, in the order in which they came.
    open: Mutex<Option<Open>>,
    closed: AtomicBool,
}

#[derive(Debug)]
struct Open {
    conn: PgConnection,
    /// Of the lease, when the connection was opened.
    token: i64,
}

/// Why a statement has no answer.
enum Unanswered {
    /// It may still be done, or not.
    Late(Elapsed),
    Failed(sqlx::Error),
}

impl SessionWriter {
    /// Does one statement that begins with [`HELD`] and is given the token. `Deposed` where the lease is lost. `Unavailable`
    /// where no answer came within [`DOOR_ANSWER_LIMIT`]: then it may be done or not, but nothing of it comes after what is
    /// asked for next. It is done again on another connection where the one at hand proves dead.
    pub(crate) async fn change<'q>(
        &self,
        store: &PostgresStore,
        statement: impl Fn(i64) -> Query<'q, Postgres, PgArguments>,
    ) -> Result<()> {
        let mut place = self.open.lock().await;
        let mut open = match place.take() {
            Some(open) => open,
            None => self.open(store).await?,
        };
        let mut told = open.tell(statement(open.token)).await;
        if matches!(&told, Err(Unanswered::Failed(error)) if is_dead(error)) {
            found_dead();
            drop(open);
            open = self.open(store).await?;
            told = open.tell(statement(open.token)).await;
        }
        let row = match told {
            Ok(row) => row,
            // The connection goes with it.
            Err(Unanswered::Late(late)) => return Err(unavailable(late)),
            Err(Unanswered::Failed(error)) => {
                if !is_dead(&error) {
                    self.put_back(&mut place, open);
                }
                return Err(db(error));
            }
        };
        if !row.col::<bool>("held")? {
            // Tells everybody that the lease is lost.
            store.lease.fence(&mut open.conn).await?;
            return Err(StoreError::Deposed);
        }
        self.put_back(&mut place, open);
        Ok(())
    }

    /// Nothing is changed any more. A change that is under way ends first.
    pub(crate) async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        *self.open.lock().await = None;
    }

    fn put_back(&self, place: &mut Option<Open>, open: Open) {
        if !self.closed.load(Ordering::Acquire) {
            *place = Some(open);
        }
    }

    /// Ends the connection before, if the database still has it, and waits for that.
    async fn open(&self, store: &PostgresStore) -> Result<Open> {
        if self.closed.load(Ordering::Acquire) {
            return Err(unavailable(sqlx::Error::PoolClosed));
        }
        let mut conn = connect_at_the_door(&store.pool).await?;
        let opened = timeout(DOOR_ANSWER_LIMIT, async {
            let token = own_token(store, &mut conn).await?;
            end_others(&mut conn, token).await?;
            // Until their end. The limit for locks ends the wait.
            sqlx::query(&format!("select pg_advisory_lock({KEY})"))
                .bind(token)
                .execute(&mut conn)
                .await
                .map_err(db)?;
            Ok::<i64, StoreError>(token)
        });
        let token = opened.await.map_err(unavailable)??;
        Ok(Open { conn, token })
    }
}

impl Open {
    async fn tell(&mut self, statement: Query<'_, Postgres, PgArguments>) -> std::result::Result<PgRow, Unanswered> {
        let told = timeout(DOOR_ANSWER_LIMIT, statement.fetch_one(&mut self.conn)).await;
        told.map_err(Unanswered::Late)?.map_err(Unanswered::Failed)
    }
}

/// The token of the lease's row, while it is fenced and so this hub's.
async fn own_token(store: &PostgresStore, conn: &mut PgConnection) -> Result<i64> {
    let mut tx = conn.begin().await.map_err(db)?;
    store.lease.fence(&mut tx).await?;
    let token = sqlx::query_scalar("select token from lease where first = 0")
        .fetch_one(&mut *tx)
        .await
        .map_err(db)?;
    tx.commit().await.map_err(db)?;
    Ok(token)
}

/// Whoever has the lock is a connection that this hub gave up.
async fn end_others(conn: &mut PgConnection, token: i64) -> Result<()> {
    let end = format!(
        "select pg_terminate_backend(k.pid) from pg_locks k, (select {KEY} as number) n \
         where k.locktype = 'advisory' and k.granted and k.objsubid = 1 \
           and k.database = (select oid from pg_database where datname = current_database()) \
           and k.classid::bigint = (n.number >> 32) & 4294967295 and k.objid::bigint = n.number & 4294967295 \
           and k.pid <> pg_backend_pid()"
    );
    let ended = sqlx::query(&end).bind(token).fetch_all(conn).await.map_err(db)?;
    if !ended.is_empty() {
        tracing::info!("a connection that changed sessions and did not answer any more is ended");
    }
    Ok(())
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}
