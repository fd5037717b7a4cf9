//! The one connection on which sessions are changed. A change that got no answer may still be on its way and arrive when the
//! caller has long asked for something newer. So the connection has a place of its own ([`place`]): the next one changes nothing
//! before the one before has ended. Each statement also holds the lease's row and compares its token, so that a hub which was
//! taken over changes nothing.

use crate::lease::place;
use crate::life::{found_dead, is_dead};
use crate::read_pool::{DOOR_ANSWER_LIMIT, DOOR_SETTINGS};
use crate::row::{Columns, db};
use crate::store::PostgresStore;
use hub_store::error::{Result, StoreError};
use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Mutex;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

/// What a statement begins with. It does something only where `held` has a row, and answers whether there is one, as `held`.
/// `$1` is the token. For the fence: see the lease.
macro_rules! held {
    () => {
        "with held as materialized (select first from lease where first = 0 and token = $1 for share)"
    };
}
pub(crate) use held;
const PLACE: &str = "sessions";

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
    /// Does one statement that begins with [`held`] and is given the token. `Deposed` where the lease is lost. `Unavailable`
    /// where no answer came within [`DOOR_ANSWER_LIMIT`]: then it may be done or not, but nothing of it comes after what is
    /// asked for next. It is done again on another connection where the one at hand proves dead.
    pub(crate) async fn change<'q>(
        &self,
        store: &PostgresStore,
        statement: impl Fn(i64) -> Query<'q, Postgres, PgArguments>,
    ) -> Result<()> {
        let mut kept = self.open.lock().await;
        let mut open = match kept.take() {
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
                    self.put_back(&mut kept, open);
                }
                return Err(db(error));
            }
        };
        if !row.col::<bool>("held")? {
            // Tells everybody that the lease is lost.
            store.lease.fence(&mut open.conn).await?;
            return Err(StoreError::Deposed);
        }
        self.put_back(&mut kept, open);
        Ok(())
    }

    /// Nothing is changed any more. A change that is under way ends first.
    pub(crate) async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        *self.open.lock().await = None;
    }

    fn put_back(&self, kept: &mut Option<Open>, open: Open) {
        if !self.closed.load(Ordering::Acquire) {
            *kept = Some(open);
        }
    }

    async fn open(&self, store: &PostgresStore) -> Result<Open> {
        if self.closed.load(Ordering::Acquire) {
            return Err(unavailable(sqlx::Error::PoolClosed));
        }
        let token = store.lease.token().ok_or(StoreError::Deposed)?;
        let conn = place::take(&store.pool, &DOOR_SETTINGS, &store.lease, PLACE).await?;
        Ok(Open { conn, token })
    }
}

impl Open {
    async fn tell(&mut self, statement: Query<'_, Postgres, PgArguments>) -> std::result::Result<PgRow, Unanswered> {
        let told = timeout(DOOR_ANSWER_LIMIT, statement.fetch_one(&mut self.conn)).await;
        told.map_err(Unanswered::Late)?.map_err(Unanswered::Failed)
    }
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}
