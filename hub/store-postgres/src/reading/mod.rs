//! Readings for people, integrators and detectors. Each query goes by an index of the weeks that it names; none reads the
//! whole table, however long its history is.

mod bucket;
mod catalog;
mod latest;
mod rows;
mod subject;
mod window;

pub(crate) use catalog::{Catalog, Versions, version};

use crate::row::db;
use crate::store::PostgresStore;
use async_trait::async_trait;
use hub_core::id::{ApplianceId, TenantId};
use hub_store::Scope;
use hub_store::error::Result;
use hub_store::reading::{Bucket, Latest, ReadingRow, ReadingStore, Series, Window};
use jiff::Timestamp;

#[async_trait]
impl ReadingStore for PostgresStore {
    async fn window(&self, scope: &Scope, appliance: ApplianceId, window: &Window) -> Result<Vec<Series>> {
        window::window(self, scope, appliance, window).await
    }

    async fn latest(&self, scope: &Scope, appliance: ApplianceId) -> Result<Vec<Latest>> {
        latest::latest(self, scope, appliance).await
    }

    async fn fleet_hourly(
        &self,
        scope: &Scope,
        tenant: &TenantId,
        profile: &str,
        channel: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Bucket>> {
        bucket::fleet_hourly(self, scope, tenant, profile, channel, (from, to)).await
    }

    async fn device_daily(
        &self,
        scope: &Scope,
        appliance: ApplianceId,
        channel: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Bucket>> {
        bucket::device_daily(self, scope, appliance, channel, (from, to)).await
    }

    async fn rows(
        &self,
        scope: &Scope,
        appliance: ApplianceId,
        from: Timestamp,
        to: Timestamp,
        as_of: Option<i64>,
        limit: usize,
    ) -> Result<Vec<ReadingRow>> {
        rows::rows(self, scope, appliance, (from, to), as_of, limit).await
    }

    async fn rows_since(
        &self,
        scope: &Scope,
        appliance: ApplianceId,
        from: Timestamp,
        after: i64,
        limit: usize,
    ) -> Result<Vec<ReadingRow>> {
        rows::rows_since(self, scope, appliance, from, after, limit).await
    }
}

/// Rows of a query that changes nothing. The pool asks a connection whether it lives before each use, which takes as long
/// as some of these queries do: one that lies ready is used without, and where it proves dead the query is asked again of
/// one that has answered.
async fn fetch<'q>(
    store: &PostgresStore,
    query: impl Fn() -> sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>,
) -> Result<Vec<sqlx::postgres::PgRow>> {
    if let Some(mut conn) = store.pool.try_acquire() {
        match query().fetch_all(&mut *conn).await {
            Err(error) if is_dead(&error) => tracing::debug!("a connection of the database was dead"),
            rows => return rows.map_err(db),
        }
    }
    query().fetch_all(&store.pool).await.map_err(db)
}

/// The connection has ended, by itself or by the server's word (SQLSTATE class 57P).
fn is_dead(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(cause) => cause.code().is_some_and(|code| code.starts_with("57P")),
        _ => false,
    }
}

/// The text of the queries, so that what they cost can be compared with the same text elsewhere, and their plans looked
/// at. Not for use besides.
#[doc(hidden)]
pub mod statement {
    /// Newest values: appliance, tenant or null, samples, days.
    pub const LATEST: &str = super::latest::LATEST;
    /// Hours of a fleet: tenant, versions, channels, from, to, limit.
    pub const FLEET_HOURLY: &str = super::bucket::FLEET_HOURLY;
    /// Days of an appliance: appliance, versions, channels, from, to, limit.
    pub const DEVICE_DAILY: &str = super::bucket::DEVICE_DAILY;
    /// Rows: appliance, from, to, last number or null, limit.
    pub const ROWS: &str = super::rows::ROWS;
    /// Rows in the order of commits: appliance, from, number, limit.
    pub const ROWS_SINCE: &str = super::rows::ROWS_SINCE;

    /// Quarantine: tenant or null, number, appliance or null, part of the reason or null, limit.
    pub fn quarantine() -> String {
        crate::desk::quarantine::list_sql()
    }

    /// A window of the first channels of a profile: appliance, from, to, microseconds of a stretch and of a unit.
    pub fn window(channels: u8) -> String {
        let places: Vec<super::catalog::Place> = (1..=channels)
            .map(|id| super::catalog::Place {
                name: id.to_string(),
                unit: String::new(),
                at: [(1, channel(id))].into(),
            })
            .collect();
        super::window::window_sql(&places)
    }

    fn channel(id: u8) -> hub_core::profile::Channel {
        hub_core::profile::Channel {
            id,
            name: id.to_string(),
            unit: String::new(),
            decimals: 0,
            min: 0.0,
            max: 1.0,
        }
    }
}
