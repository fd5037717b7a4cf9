//! Connecting: time limits on every statement, migrations, and the keyring that this database was written with.

pub(crate) use crate::connect_error::ConnectError;
use crate::household;
use crate::keyring::{self, Keyring};
use crate::layout::{self, Layout};
use crate::lease::Keeper;
use crate::life::{answers, found_dead, is_dead, is_local, is_trusted};
use crate::profile_version::{self, CurrentVersions};
use crate::read_pool::ReadPool;
use crate::reading::Catalog;
use crate::row::db;
use crate::schema;
use crate::scoped;
use crate::session_writer::SessionWriter;
use crate::telemetry::Writer;
use crate::transaction::Transaction;
use crate::upgrade::Upgrade;
use hub_core::profile::ApplianceProfile;
use hub_store::error::{Result, StoreError};
use hub_store::retention::Gate;
use hub_store::signals::Signals;
use hub_store::site::TenantTally;
use jiff::Timestamp;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::query::Query;
use sqlx::{ConnectOptions, Connection, PgPool, Postgres};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::time::Instant;

/// Most connections of one hub, without those that only read readings, those of the front door and the scorer's.
const CONNECTIONS_MAX: u32 = 12;
/// A free connection is found within this time, or the operation fails.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(10);
/// Connections that answer are closed within this time; the others are given up.
pub const CLOSE_LIMIT: Duration = Duration::from_secs(10);
/// Settings of each session. The server ends what takes longer, so nothing waits without end on a lock.
const LIMITS: [(&str, &str); 9] = [
    // What a hub asks is short. A plan that is kept is costed over all weeks, and would be compiled each time it is used.
    ("jit", "off"),
    ("statement_timeout", "15s"),
    ("lock_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "30s"),
    // A hub whose machine has vanished holds its locks no longer than 5 s. Without meaning over a Unix socket.
    ("tcp_keepalives_idle", "2"),
    ("tcp_keepalives_interval", "1"),
    ("tcp_keepalives_count", "2"),
    ("tcp_user_timeout", "4s"),
    ("client_connection_check_interval", "1s"),
];

/// The store. Implements every trait of `hub-store`.
#[derive(Debug)]
pub struct PostgresStore {
    pub(crate) pool: PgPool,
    pub(crate) keyring: Keyring,
    /// No policy of the database holds for the hub itself.
    pub(crate) is_superuser: bool,
    /// Appliance profiles that exist, with the versions of them by which readings are written now.
    versions: RwLock<Arc<CurrentVersions>>,
    pub(crate) layout: Layout,
    /// What stored readings mean.
    pub(crate) catalog: Catalog,
    /// For readings of people and programs.
    pub(crate) readings: ReadPool,
    /// For devices that come in at the front door.
    pub(crate) door: ReadPool,
    /// For the scorer.
    pub(crate) scorer: ReadPool,
    /// For what is kept of their sessions.
    pub(crate) sessions: SessionWriter,
    pub(crate) signals: Signals,
    /// Events exist that another transaction still hides.
    pub(crate) events_hidden: AtomicBool,
    pub(crate) writer: Writer,
    pub(crate) lease: Keeper,
    /// How far deletion by age may go.
    pub(crate) gate: Gate,
    /// Numbers of the changes of access that were told last: taken out when the next ones are asked for.
    pub(crate) changes_told: std::sync::Mutex<Vec<i64>>,
    /// When tenants were counted last, and what came of it.
    pub(crate) tallies: tokio::sync::Mutex<Option<(Instant, Vec<TenantTally>)>>,
}

impl PostgresStore {
    /// Connects, checks durability, migrates where no hub runs on an older schema, checks the keyring, and gives households that
    /// have none a key of their own and numbers of before their one form. `profiles` are the appliance profiles that a site
    /// file may refer to; what they say is noted, so that readings can be read by it permanently.
    pub async fn connect(
        options: PgConnectOptions,
        keyring: Keyring,
        profiles: BTreeMap<String, ApplianceProfile>,
    ) -> std::result::Result<Self, ConnectError> {
        let pool = open_pool(options).await?;
        bring_up(&pool).await?;
        schema::check_is_whole(&pool).await?;
        scoped::prepare(&pool).await.map_err(ConnectError::Unreachable)?;
        let store = Self::with(pool, keyring, profiles).await?;
        household::key::give_all(&store).await.map_err(ConnectError::Start)?;
        household::joining::join_all(&store)
            .await
            .map_err(ConnectError::Start)?;
        Ok(store)
    }

    /// Whether a hub has written this database: then it is of no use without the keyring of that time. Changes nothing.
    pub async fn is_written(options: PgConnectOptions) -> std::result::Result<bool, ConnectError> {
        let look = async {
            let mut conn = options.application_name("forecall").options(LIMITS).connect().await?;
            let known: bool = sqlx::query_scalar("select to_regclass('keyring') is not null")
                .fetch_one(&mut conn)
                .await?;
            let written: bool = known
                && sqlx::query_scalar("select exists (select from keyring)")
                    .fetch_one(&mut conn)
                    .await?;
            conn.close().await?;
            Ok::<bool, sqlx::Error>(written)
        };
        let looked = tokio::time::timeout(ACQUIRE_LIMIT, look).await;
        looked
            .unwrap_or(Err(sqlx::Error::PoolTimedOut))
            .map_err(ConnectError::Unreachable)
    }

    /// As [`PostgresStore::connect`], for a caller that puts an export into the database: a part of one is let through.
    pub async fn connect_for_import(
        options: PgConnectOptions,
        keyring: Keyring,
    ) -> std::result::Result<Self, ConnectError> {
        let pool = open_pool(options).await?;
        if let Some(upgrade) = Upgrade::begin_on(&pool).await? {
            // A database of an earlier schema is somebody's, and is not migrated without a backup.
            if let Some(from) = upgrade.from() {
                return Err(ConnectError::Earlier(from));
            }
            upgrade.run().await?;
        }
        Self::with(pool, keyring, BTreeMap::new()).await
    }

    /// Connects to the database of a hub that runs: as [`PostgresStore::connect`], but another schema than this
    /// program's is refused instead of migrated. A hub that is still migrating is waited for.
    pub async fn connect_beside(
        options: PgConnectOptions,
        keyring: Keyring,
        profiles: BTreeMap<String, ApplianceProfile>,
    ) -> std::result::Result<Self, ConnectError> {
        let pool = open_pool(options).await?;
        schema::wait_for(&pool).await?;
        schema::check_is_whole(&pool).await?;
        Self::with(pool, keyring, profiles).await
    }

    async fn with(
        pool: PgPool,
        keyring: Keyring,
        profiles: BTreeMap<String, ApplianceProfile>,
    ) -> std::result::Result<Self, ConnectError> {
        check_keyring(&pool, &keyring).await?;
        let mut conn = pool.acquire().await.map_err(ConnectError::Unreachable)?;
        let layout = Layout::read(&mut conn).await.map_err(ConnectError::Start)?;
        let versions = profile_version::register(&mut conn, &profiles)
            .await
            .map_err(ConnectError::Start)?;
        let is_superuser = scoped::is_superuser(&mut conn)
            .await
            .map_err(ConnectError::Unreachable)?;
        drop(conn);
        let holder = uuid::Uuid::from_bytes(keyring::random().map_err(ConnectError::Random)?);
        Ok(Self {
            readings: ReadPool::of_readings(pool.clone()),
            door: ReadPool::of_the_door(pool.clone()),
            scorer: ReadPool::of_the_scorer(pool.clone(), layout),
            sessions: SessionWriter::default(),
            pool,
            keyring,
            is_superuser,
            versions: RwLock::new(Arc::new(versions)),
            layout,
            catalog: Catalog::default(),
            signals: Signals::default(),
            events_hidden: AtomicBool::new(false),
            writer: Writer::default(),
            lease: Keeper::new(holder),
            gate: Gate::default(),
            changes_told: std::sync::Mutex::default(),
            tallies: tokio::sync::Mutex::default(),
        })
    }

    /// Takes these appliance profiles in place of those before, and notes what they say. Readings that are stored from now on
    /// are read by them, and site files may refer to them.
    ///
    /// # Errors
    ///
    /// Where the database fails; those before then stay.
    pub async fn take_profiles(&self, profiles: &BTreeMap<String, ApplianceProfile>) -> Result<()> {
        let mut conn = self.pool.acquire().await.map_err(db)?;
        let versions = profile_version::register(&mut conn, profiles).await?;
        *self.versions.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(versions);
        self.catalog.forget();
        Ok(())
    }

    /// Appliance profiles that exist, with the versions of them by which readings are written now.
    pub(crate) fn versions(&self) -> Arc<CurrentVersions> {
        self.versions.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many sequences and appliances the writer remembers, so that a test need not send a million. Not for other use.
    #[doc(hidden)]
    pub async fn remember_at_most(&self, most: usize) {
        self.writer.remember_at_most(most).await;
    }

    /// How many waiting rows the writer looks through with each batch after a start, so that a test need not send very many. For
    /// tests alone.
    #[doc(hidden)]
    pub async fn look_through_at_most(&self, rows: i64) {
        self.writer.look_through_at_most(rows).await;
    }

    /// The keyring that this database was written with.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// How this store connects, limits of its sessions included, for a connection beside its pool.
    pub fn connect_options(&self) -> PgConnectOptions {
        self.pool.connect_options().as_ref().clone()
    }

    /// Which form the table of readings has in this database.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Makes the partitions for readings of a span, where they are missing and the layout has any. Ingest makes its own;
    /// this is for a caller that fills the table in another way.
    pub async fn make_partitions(&self, from: Timestamp, to: Timestamp) -> Result<()> {
        let mut conn = self.pool.acquire().await.map_err(db)?;
        layout::make_range(&mut conn, self.layout, from, to).await
    }

    /// Closes all connections; what is under way ends first, unless the network has swallowed it.
    pub async fn close(&self) {
        let closed = async {
            self.writer.close().await;
            self.sessions.close().await;
            self.readings.close();
            self.door.close();
            self.scorer.close();
            self.pool.close().await;
        };
        if tokio::time::timeout(CLOSE_LIMIT, closed).await.is_err() {
            tracing::warn!("connections to the database that do not answer are given up");
        }
        // Last: until everything is written nobody else takes over.
        self.lease.close().await;
    }

    /// A transaction. It is begun by a task that nobody gives up: where a beginning is given up half-way, as for a page that
    /// nobody waits for any more, the connection would go back into the pool with the server's transaction open, and what is
    /// said on it next would never be committed. The task ends by itself: see [`Transaction::begin`].
    pub(crate) async fn begin(&self) -> Result<Transaction> {
        let pool = self.pool.clone();
        let begun = tokio::spawn(async move {
            match Transaction::begin(&pool).await {
                // Nothing has been done yet.
                Err(error) if is_dead(&error) => {
                    found_dead();
                    Transaction::begin(&pool).await
                }
                begun => begun,
            }
        });
        begun
            .await
            .map_err(|ended| StoreError::Unavailable(Box::new(ended)))?
            .map_err(db)
    }

    /// Rows of one statement that may be done twice: a query, or one that says how things are to be, whatever was done of it.
    /// Where its connection proves dead it is done again on another: one that was just used is not asked whether it lives.
    pub(crate) async fn fetch<'q>(&self, query: impl Fn() -> Query<'q, Postgres, PgArguments>) -> Result<Vec<PgRow>> {
        match query().fetch_all(&self.pool).await {
            Err(error) if is_dead(&error) => {
                found_dead();
                query().fetch_all(&self.pool).await.map_err(db)
            }
            rows => rows.map_err(db),
        }
    }
}

/// Commits, then wakes the tasks that wait for events and contacts.
pub(crate) async fn commit(store: &PostgresStore, tx: Transaction) -> Result<()> {
    tx.commit().await.map_err(db)?;
    store.signals.event();
    store.signals.contact();
    Ok(())
}

/// A keyring failure on the way to or from a row.
pub(crate) fn sealed(what: &'static str) -> impl FnOnce(crate::keyring::KeyringError) -> StoreError {
    move |error| StoreError::Unreadable {
        what,
        source: Box::new(error),
    }
}

pub(crate) async fn open_pool(options: PgConnectOptions) -> std::result::Result<PgPool, ConnectError> {
    let options = options.application_name("forecall").options(LIMITS);
    let local = is_local(&options);
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .acquire_timeout(ACQUIRE_LIMIT)
        // The pool asks a connection whether it lives before and after its use, and would wait for the answer without end:
        // a network that swallows packets would take one connection after the other.
        .test_before_acquire(false)
        .before_acquire({
            let options = options.clone();
            move |conn, used| Box::pin(answers(conn, options.clone(), local && is_trusted(used.idle_for)))
        })
        // After its use the pool asks by itself, in any case.
        .after_release({
            let options = options.clone();
            move |conn, _| Box::pin(answers(conn, options.clone(), local))
        })
        .connect_with(options)
        .await
        .map_err(ConnectError::Unreachable)?;
    check_durability(&pool).await?;
    Ok(pool)
}

/// Migrates if the schema is an older one.
async fn bring_up(pool: &PgPool) -> std::result::Result<(), ConnectError> {
    match Upgrade::begin_on(pool).await? {
        Some(upgrade) => upgrade.run().await,
        None => Ok(()),
    }
}

async fn check_durability(pool: &PgPool) -> std::result::Result<(), ConnectError> {
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        let value: String = sqlx::query_scalar("select current_setting($1)")
            .bind(setting)
            .fetch_one(pool)
            .await
            .map_err(ConnectError::Unreachable)?;
        // Beyond `on`, `synchronous_commit` knows one stronger word; every other is weaker.
        if value != "on" && value != "remote_apply" {
            return Err(ConnectError::NotDurable { setting, value });
        }
    }
    Ok(())
}

async fn check_keyring(pool: &PgPool, keyring: &Keyring) -> std::result::Result<(), ConnectError> {
    let own = keyring.fingerprint();
    sqlx::query("insert into keyring (fingerprint) values ($1) on conflict do nothing")
        .bind(&own[..])
        .execute(pool)
        .await
        .map_err(ConnectError::Unreachable)?;
    let stored: Vec<u8> = sqlx::query_scalar("select fingerprint from keyring")
        .fetch_one(pool)
        .await
        .map_err(ConnectError::Unreachable)?;
    (stored == own).then_some(()).ok_or(ConnectError::WrongKeyring)
}
