//! What this process has of the lease, and looking after it.

use super::{count_up, fence, is_held_by, lock, vouched_before};
use crate::event;
use crate::row::db;
use hub_store::error::{Result, StoreError};
use hub_store::lease::Lease;
use jiff::Timestamp;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, PgPool};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

/// Taking the lease may wait this long for what is under way of the holder before.
const TAKE_LIMIT: Duration = Duration::from_secs(15);
/// One look at the lease.
const LOOK_LIMIT: Duration = Duration::from_secs(3);
/// How often it is looked at.
const LOOK_PAUSE: Duration = Duration::from_secs(1);
/// The token of nobody.
const NONE: i64 = 0;

/// See the module.
#[derive(Debug)]
pub(crate) struct Keeper {
    /// This process, in the row.
    holder: Uuid,
    /// [`NONE`] until the lease is taken, and again when it is lost.
    token: AtomicI64,
    /// What was vouched for when the lease was taken.
    vouched_before: std::sync::Mutex<Option<Timestamp>>,
    lost: AtomicBool,
    told: Notify,
    conn: Mutex<Option<PgConnection>>,
}

impl Keeper {
    /// Without the lease; `holder` names this program among those that may want it.
    pub(crate) fn new(holder: Uuid) -> Self {
        Self {
            holder,
            token: AtomicI64::new(NONE),
            vouched_before: std::sync::Mutex::default(),
            lost: AtomicBool::new(false),
            told: Notify::new(),
            conn: Mutex::new(None),
        }
    }
}

impl Keeper {
    /// The token of the lease, if this process has it.
    pub(crate) fn token(&self) -> Option<i64> {
        Some(self.token.load(Ordering::Acquire)).filter(|token| *token != NONE)
    }

    /// Sees to it that nobody takes over before this transaction has ended.
    pub(crate) async fn fence(&self, conn: &mut PgConnection) -> Result<()> {
        let token = self.token().ok_or(StoreError::Deposed)?;
        let fenced = fence(conn, token).await;
        if matches!(fenced, Err(StoreError::Deposed)) {
            self.depose();
        }
        fenced
    }

    pub(super) async fn take(&self, pool: &PgPool, now: Timestamp) -> Result<Option<Lease>> {
        let mut held = self.conn.lock().await;
        if self.lost.load(Ordering::Acquire) {
            return Err(StoreError::Deposed);
        }
        if let Some(token) = self.token() {
            return Ok(Some(self.lease(token, now)));
        }
        let taken = timeout(TAKE_LIMIT, self.take_free(pool, now)).await.map_err(late)??;
        Ok(taken.map(|(conn, token, vouched)| {
            *held = Some(conn);
            *self.vouched_before.lock().unwrap_or_else(PoisonError::into_inner) = vouched;
            self.token.store(token, Ordering::Release);
            self.lease(token, now)
        }))
    }

    fn lease(&self, token: i64, taken_at: Timestamp) -> Lease {
        Lease {
            token,
            taken_at,
            vouched_at: *self.vouched_before.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    async fn take_free(&self, pool: &PgPool, now: Timestamp) -> Result<Option<(PgConnection, i64, Option<Timestamp>)>> {
        let mut conn = connect(pool).await?;
        if !lock(&mut conn).await? {
            conn.close().await.map_err(db)?;
            return Ok(None);
        }
        // Before this holder stamps anything.
        let vouched = vouched_before(&mut conn, now).await?;
        let token = count_up(&mut conn, self.holder, now).await?;
        event::renew_epoch(&mut conn, now).await?;
        Ok(Some((conn, token, vouched)))
    }

    pub(super) async fn lost(&self, pool: &PgPool, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        loop {
            self.look(pool).await;
            let told = self.told.notified();
            if self.lost.load(Ordering::Acquire) {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            // A batch that was refused tells at once.
            let _ = timeout(left.min(LOOK_PAUSE), told).await;
        }
    }

    /// Looks whether the lease is still ours, and takes the lock up again if it fell.
    async fn look(&self, pool: &PgPool) {
        let mut held = self.conn.lock().await;
        let Some(token) = self.token() else { return };
        let looked = match held.take() {
            Some(conn) => timeout(LOOK_LIMIT, self.ask(conn, token)).await,
            None => timeout(LOOK_LIMIT, self.take_up(pool, token)).await,
        };
        match looked.map_err(late) {
            Ok(Ok(conn)) => *held = conn,
            Ok(Err(StoreError::Deposed)) => self.depose(),
            Ok(Err(error)) | Err(error) => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "the lease cannot be looked at"
                );
            }
        }
    }

    async fn ask(&self, mut conn: PgConnection, token: i64) -> Result<Option<PgConnection>> {
        match is_held_by(&mut conn, self.holder, token).await? {
            true => Ok(Some(conn)),
            false => Err(StoreError::Deposed),
        }
    }

    /// The lock may still be with our own lost connection, or already with another hub that is about to write its name
    /// into the row: the row decides.
    async fn take_up(&self, pool: &PgPool, token: i64) -> Result<Option<PgConnection>> {
        let mut conn = connect(pool).await?;
        let locked = lock(&mut conn).await?;
        let conn = self.ask(conn, token).await?;
        if locked {
            tracing::info!("lock of the lease taken again");
            return Ok(conn);
        }
        if let Some(conn) = conn {
            conn.close().await.map_err(db)?;
        }
        Ok(None)
    }

    fn depose(&self) {
        self.token.store(NONE, Ordering::Release);
        self.lost.store(true, Ordering::Release);
        self.told.notify_waiters();
        self.told.notify_one();
    }

    /// Lets the lease go, for the next hub to take it at once.
    pub(crate) async fn close(&self) {
        let conn = self.conn.lock().await.take();
        self.token.store(NONE, Ordering::Release);
        if let Some(mut conn) = conn {
            // The server ends a session some time after its goodbye; the lock is free when this is answered. What does not
            // answer in time is closed by dropping it.
            let closed = async {
                conn.execute("select pg_advisory_unlock_all()").await?;
                conn.close().await
            };
            let _ = timeout(LOOK_LIMIT, closed).await;
        }
    }
}

async fn connect(pool: &PgPool) -> Result<PgConnection> {
    let options = pool.connect_options();
    timeout(LOOK_LIMIT, options.connect()).await.map_err(late)?.map_err(db)
}

fn late(late: tokio::time::error::Elapsed) -> StoreError {
    StoreError::Unavailable(Box::new(late))
}
