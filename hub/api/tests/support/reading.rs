//! The sample store's readings: two channels, two values each.

use super::sample;
use super::store::{SampleStore, not_found};
use async_trait::async_trait;
use hub_core::actor::Actor;
use hub_core::id::{ApplianceId, TenantId};
use hub_store::error::Result;
use hub_store::reading::{Bucket, Latest, Point, ReadingStore, Series, Window};
use hub_store::site::SiteStore;
use jiff::Timestamp;

fn known(channel: &str) -> Result<()> {
    let is_known = sample::latest().iter().any(|latest| latest.channel == channel);
    is_known.then_some(()).ok_or_else(|| not_found("channel", channel))
}

/// One that says what it was asked for.
fn bucket(from: Timestamp, to: Timestamp) -> Bucket {
    Bucket {
        from,
        count: to.as_second() - from.as_second(),
        mean: 2.0,
        min: 1.0,
        max: 3.0,
    }
}

#[async_trait]
impl ReadingStore for SampleStore {
    async fn window(&self, actor: &Actor, appliance: ApplianceId, window: &Window) -> Result<Vec<Series>> {
        self.appliance(actor, appliance).await?;
        window.channels.iter().try_for_each(|name| known(name))?;
        let is_asked = |latest: &Latest| window.channels.is_empty() || window.channels.contains(&latest.channel);
        let series = |latest: Latest| Series {
            channel: latest.channel,
            unit: latest.unit,
            // As many as were asked for.
            points: vec![
                Point {
                    at: window.from,
                    ..latest.point
                };
                window.points
            ],
        };
        Ok(sample::latest().into_iter().filter(is_asked).map(series).collect())
    }

    async fn latest(&self, actor: &Actor, appliance: ApplianceId) -> Result<Vec<Latest>> {
        self.appliance(actor, appliance).await?;
        Ok(sample::latest())
    }

    async fn fleet_hourly(
        &self,
        actor: &Actor,
        tenant: &TenantId,
        _profile: &str,
        channel: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Bucket>> {
        if !actor.includes(tenant) {
            return Err(not_found("tenant", tenant));
        }
        known(channel)?;
        Ok(vec![bucket(from, to)])
    }

    async fn device_daily(
        &self,
        actor: &Actor,
        appliance: ApplianceId,
        channel: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Bucket>> {
        self.appliance(actor, appliance).await?;
        known(channel)?;
        Ok(vec![bucket(from, to)])
    }
}
