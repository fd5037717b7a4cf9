//! Readings for people and programs. Each query goes by an index of the weeks that it names; none reads the
//! whole table, however long its history is.

mod bucket;
mod catalog;
mod latest;
mod subject;
mod window;

pub(crate) use catalog::{Catalog, Versions, version};

use crate::store::PostgresStore;
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::id::{ApplianceId, TenantId};
use hub_store::error::Result;
use hub_store::reading::{Bucket, Latest, ReadingStore, Series, Window};
use jiff::Timestamp;

#[async_trait]
impl ReadingStore for PostgresStore {
    async fn window(&self, actor: &Actor, appliance: ApplianceId, window: &Window) -> Result<Vec<Series>> {
        actor.may(Act::ReadReadings)?;
        window::window(self, actor, appliance, window).await
    }

    async fn latest(&self, actor: &Actor, appliance: ApplianceId) -> Result<Vec<Latest>> {
        actor.may(Act::ReadReadings)?;
        latest::latest(self, actor, appliance).await
    }

    async fn fleet_hourly(
        &self,
        actor: &Actor,
        tenant: &TenantId,
        profile: &str,
        channel: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Bucket>> {
        actor.may(Act::ReadFleet)?;
        bucket::fleet_hourly(self, actor, tenant, profile, channel, (from, to)).await
    }

    async fn device_daily(
        &self,
        actor: &Actor,
        appliance: ApplianceId,
        channel: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Bucket>> {
        actor.may(Act::ReadReadings)?;
        bucket::device_daily(self, actor, appliance, channel, (from, to)).await
    }
}

/// The text of the queries, for tests.
pub mod statement {
    /// The appliance in scope, which is asked for before a window and before newest values: appliance, tenant or null, service points or null.
    pub const SUBJECT: &str = super::subject::SUBJECT;
    /// Newest values: appliance, from, samples.
    pub const LATEST: &str = super::latest::LATEST;
    /// Hours of a fleet: tenant, versions, the channel in each, from, to, limit for each.
    pub const FLEET_HOURLY: &str = super::bucket::FLEET_HOURLY;
    /// Days of an appliance: appliance, versions, channels, from, to, limit.
    pub const DEVICE_DAILY: &str = super::bucket::DEVICE_DAILY;

    /// A window of the first channels of a profile: appliance, from, to, microseconds of a stretch and of a unit.
    pub fn window(channels: u8) -> String {
        let channels: Vec<super::catalog::VersionedChannel> = (1..=channels)
            .map(|id| super::catalog::VersionedChannel {
                name: id.to_string(),
                unit: String::new(),
                versions: [(1, channel(id))].into(),
            })
            .collect();
        super::window::window_sql(&channels)
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
