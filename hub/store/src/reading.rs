//! Readings as people and programs ask for them. Stored integers leave the store as values: each row by the
//! profile version that it was written by.

use crate::error::{Result, StoreError};
use async_trait::async_trait;
use hub_core::actor::Actor;
use hub_core::id::{ApplianceId, TenantId};
use jiff::Timestamp;

/// Most points of one channel in a window.
pub const POINTS_MAX: usize = 2_000;
/// Most channels in one window.
pub const CHANNELS_MAX: usize = 64;
/// Most hours or days of one look at aggregates: more than a year of hours.
pub const BUCKETS_MAX: usize = 10_000;
/// The newest value of a channel is looked for in the newest samples, as many …
pub const LATEST_SAMPLES: usize = 300;
/// … and so many days back from the newest one.
pub const LATEST_DAYS: i64 = 31;

/// As many buckets as are answered at a time, or a refusal.
///
/// # Errors
/// `Refused` where there are more than [`BUCKETS_MAX`].
pub fn whole(buckets: Vec<Bucket>) -> Result<Vec<Bucket>> {
    if buckets.len() > BUCKETS_MAX {
        return Err(StoreError::Refused(format!(
            "that is more than {BUCKETS_MAX} hours or days; ask for a shorter stretch of time"
        )));
    }
    Ok(buckets)
}

/// What of an appliance's readings is to be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Names of channels; without any, all that the appliance's profile has. At most [`CHANNELS_MAX`].
    pub channels: Vec<String>,
    /// From this event time …
    pub from: Timestamp,
    /// … up to but without this one.
    pub to: Timestamp,
    /// At most so many points of each channel, 2 to [`POINTS_MAX`].
    pub points: usize,
}

/// One value at its time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Event time, to the millisecond where a point stands for more than half an hour.
    pub at: Timestamp,
    /// In the channel's unit.
    pub value: f64,
}

/// A channel's values in a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Name of the channel.
    pub channel: String,
    /// Unit as in SenML.
    pub unit: String,
    /// In order of time. Where there were more readings than points: of each of half as many equal stretches of time the
    /// smallest and the largest reading, each at its own time.
    pub points: Vec<Point>,
}

/// The newest value of a channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Latest {
    /// Name of the channel.
    pub channel: String,
    /// Unit as in SenML.
    pub unit: String,
    /// The value at its event time.
    pub point: Point,
}

/// An hour of a fleet, or a day of an appliance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// When it starts, UTC.
    pub from: Timestamp,
    /// Readings.
    pub count: i64,
    /// Their mean.
    pub mean: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

/// Readings, in scope: an appliance or a tenant outside it is `NotFound`.
#[async_trait]
pub trait ReadingStore: Send + Sync {
    /// What a chart shows. Channels come in the order of the profile, those that nobody asked for not at all; `NotFound`
    /// for a name that no version of the appliance's profile has, `Refused` if `from` is not before `to`.
    async fn window(&self, actor: &Actor, appliance: ApplianceId, window: &Window) -> Result<Vec<Series>>;

    /// The newest value of each channel, among the newest [`LATEST_SAMPLES`] samples of the [`LATEST_DAYS`] days before the
    /// newest one. A channel without a value there is not named.
    async fn latest(&self, actor: &Actor, appliance: ApplianceId) -> Result<Vec<Latest>>;

    /// A channel over all of a tenant's appliances of a profile, by hours that start from `from` and before `to`. Readings
    /// are in it some minutes after they were stored; the hour that runs may be incomplete or missing. `Refused` where there are
    /// more than [`BUCKETS_MAX`].
    async fn fleet_hourly(
        &self,
        actor: &Actor,
        tenant: &TenantId,
        profile: &str,
        channel: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Bucket>>;

    /// A channel of an appliance by days (UTC) that start from `from` and before `to`; some minutes behind. `Refused` where
    /// there are more than [`BUCKETS_MAX`].
    async fn device_daily(
        &self,
        actor: &Actor,
        appliance: ApplianceId,
        channel: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Bucket>>;
}
