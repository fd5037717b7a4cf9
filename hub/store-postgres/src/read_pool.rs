//! Connections for what may be asked twice: queries that change nothing, and the one by which offsets move, which only move
//! forward. The pool takes the one that lay idle longest and asks
//! it before and after whether it lives, which takes longer than some of these queries do. Here the one that was used last
//! comes first, still warm, and is asked nothing; where it proves dead, or does not answer in time, the question is asked again
//! on another. Readings of people, the front door's questions and the scorer's have places of their own, so that they wait
//! neither for each other nor for a write.

use crate::layout::Layout;
use crate::life::{found_dead, is_dead, is_starting};
use crate::row::db;
use hub_store::error::{Result, StoreError};
use sqlx::postgres::{PgArguments, PgConnection, PgPool, PgRow};
use sqlx::query::Query;
use sqlx::{ConnectOptions, Postgres};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep, timeout};

/// Most connections that read readings at a time.
const READINGS_MAX: usize = 4;
/// Most connections on which the front door asks at a time: two batches of log-ins, one of clocks, one of commands.
const DOOR_MAX: usize = 4;
/// The scorer asks one question at a time.
const SCORER_MAX: usize = 1;
/// A place among them is found within this time.
const WAIT_LIMIT: Duration = Duration::from_secs(10);
/// The server ends a query sooner by itself; one that is not answered by then has a network that swallows it.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
/// A device that waits at the door is refused soon after: where an old connection is silent, a new one may still be in time.
pub(crate) const DOOR_ANSWER_LIMIT: Duration = Duration::from_secs(3);
/// What the door asks looks up a row or a few by their keys, whatever is known of the tables: plans are made once, and never of
/// whole tables, also where a table was empty when the plan was made. Who waits for a lock is told so by the server within
/// [`DOOR_ANSWER_LIMIT`]: only a network is silent for longer.
pub(crate) const DOOR_SETTINGS: [(&str, &str); 3] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("lock_timeout", "2s"),
];
/// The scorer asks for the same many times a second. Made each time, the plan of its look at all weeks takes longer than the look. Not
/// on a hypertable: a plan that is kept locks every week when it is used, and would wait for one that is being compressed.
pub(crate) const SCORER_SETTINGS: [(&str, &str); 1] = [("plan_cache_mode", "force_generic_plan")];
/// Pause between two tries to reach a server that is just starting.
const OPEN_PAUSE: Duration = Duration::from_millis(50);
/// A connection is used for so long: the server's memory of every week that it has read from grows with it.
const LIFE: Duration = Duration::from_mins(30);

/// See the module.
#[derive(Debug)]
pub(crate) struct ReadPool {
    /// New ones are taken out of it …
    pool: PgPool,
    /// … or opened with these settings.
    settings: &'static [(&'static str, &'static str)],
    places: Semaphore,
    answer_limit: Duration,
    /// What a failure means to the caller.
    failed: fn(sqlx::Error) -> StoreError,
    /// The one that was used last is last.
    idle: Mutex<Vec<ReadConnection>>,
}

#[derive(Debug)]
struct ReadConnection {
    conn: PgConnection,
    since: Instant,
}

/// Why a question has no answer.
enum Unanswered {
    /// Its connection was slow, which says nothing about the others.
    Late(Elapsed),
    Failed(sqlx::Error),
}

impl ReadPool {
    /// For people's readings. None is open yet.
    pub(crate) fn of_readings(pool: PgPool) -> Self {
        Self {
            pool,
            settings: &[],
            places: Semaphore::new(READINGS_MAX),
            answer_limit: ANSWER_LIMIT,
            failed: too_long,
            idle: Mutex::default(),
        }
    }

    /// For the front door. None is open yet.
    pub(crate) fn of_the_door(pool: PgPool) -> Self {
        Self {
            pool,
            settings: &DOOR_SETTINGS,
            places: Semaphore::new(DOOR_MAX),
            answer_limit: DOOR_ANSWER_LIMIT,
            failed: db,
            idle: Mutex::default(),
        }
    }

    /// For the scorer. None is open yet.
    pub(crate) fn of_the_scorer(pool: PgPool, layout: Layout) -> Self {
        Self {
            pool,
            settings: match layout {
                Layout::Partitions => &SCORER_SETTINGS,
                Layout::Hypertable => &[],
            },
            places: Semaphore::new(SCORER_MAX),
            answer_limit: ANSWER_LIMIT,
            failed: db,
            idle: Mutex::default(),
        }
    }

    /// Rows of a query that may be asked twice. Where the connection proves dead, or does not answer in time, it is asked again
    /// on another.
    pub(crate) async fn fetch<'q>(&self, query: impl Fn() -> Query<'q, Postgres, PgArguments>) -> Result<Vec<PgRow>> {
        let place = timeout(WAIT_LIMIT, self.places.acquire()).await;
        let _place = place.map_err(unavailable)?.map_err(unavailable)?;
        let other = match self.ask(self.connection().await?, query()).await {
            Ok(rows) => return Ok(rows),
            // Given up alone. Where it was the network, those that lie idle may be silent too: a new one is asked.
            Err(Unanswered::Late(_)) => {
                tracing::debug!("a connection of the database did not answer in time");
                self.new_connection().await?
            }
            Err(Unanswered::Failed(error)) if is_dead(&error) => {
                self.forget_idle();
                self.connection().await?
            }
            Err(Unanswered::Failed(error)) => return Err((self.failed)(error)),
        };
        self.ask(other, query()).await.map_err(|unanswered| match unanswered {
            Unanswered::Late(late) => unavailable(late),
            Unanswered::Failed(error) => (self.failed)(error),
        })
    }

    /// Nothing is asked any more. Connections end without a last word, for which a silent network would let us wait.
    pub(crate) fn close(&self) {
        self.places.close();
        self.idle().clear();
    }

    /// Only a connection whose answer was read to the end comes back: a caller that stops waiting takes it along.
    async fn ask<'q>(
        &self,
        mut connection: ReadConnection,
        query: Query<'q, Postgres, PgArguments>,
    ) -> std::result::Result<Vec<PgRow>, Unanswered> {
        let rows = timeout(self.answer_limit, query.fetch_all(&mut connection.conn)).await;
        let rows = rows.map_err(Unanswered::Late)?.map_err(Unanswered::Failed)?;
        if !self.places.is_closed() {
            self.idle().push(connection);
        }
        Ok(rows)
    }

    /// One that lies idle, or a new one.
    async fn connection(&self) -> Result<ReadConnection> {
        let idle = self.idle().pop().filter(|connection| connection.since.elapsed() < LIFE);
        match idle {
            Some(connection) => Ok(connection),
            None => self.new_connection().await,
        }
    }

    async fn new_connection(&self) -> Result<ReadConnection> {
        let conn = if self.settings.is_empty() {
            self.pool.acquire().await.map_err(db)?.detach()
        } else {
            connect(&self.pool, self.settings).await?
        };
        let since = Instant::now();
        Ok(ReadConnection { conn, since })
    }

    /// Those of the pool are asked before they are used.
    fn forget_idle(&self) {
        tracing::debug!("a connection of the database was dead");
        found_dead();
        self.idle().clear();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<ReadConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A new connection of this pool's server, outside of the pool and with these settings, within [`WAIT_LIMIT`].
pub(crate) async fn connect(pool: &PgPool, settings: &[(&'static str, &'static str)]) -> Result<PgConnection> {
    let options = (*pool.connect_options()).clone();
    // The last word on a setting counts, so these override those of the pool.
    let options = options.options(settings.iter().copied());
    // As the pool does.
    let opened = async {
        loop {
            match options.connect().await {
                Err(error) if is_starting(&error) => sleep(OPEN_PAUSE).await,
                opened => return opened.map_err(db),
            }
        }
    };
    timeout(WAIT_LIMIT, opened).await.map_err(unavailable)?
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}

/// What the server ended for its length (SQLSTATE 57014) takes as long again: it is no failure of the database.
fn too_long(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Database(cause) if cause.code().as_deref() == Some("57014") => {
            StoreError::Refused("that is more than is read at a time; ask for a shorter stretch of time".to_owned())
        }
        _ => db(error),
    }
}
