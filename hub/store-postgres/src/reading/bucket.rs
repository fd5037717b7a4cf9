//! Hours of a fleet and days of an appliance, from the aggregates.

use super::catalog::{VersionedChannel, versioned_channel};
use super::subject::subject;
use crate::row::{db, not_found, sql};
use crate::store::PostgresStore;
use hub_core::actor::Actor;
use hub_core::id::{ApplianceId, TenantId};
use hub_store::error::Result;
use hub_store::reading::{BUCKETS_MAX, Bucket, whole};
use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{Encode, FromRow, Postgres, Type};
use std::collections::BTreeSet;

/// Parameters: tenant, numbers of profile versions, id of the channel in each, from, to, limit for each. One look-up a version
/// and its channel: what it costs does not depend on what else the index holds.
pub(super) const FLEET_HOURLY: &str = "select f.* from unnest($2::smallint[], $3::smallint[]) as p (profile_no, channel) \
     cross join lateral (select h.profile_no, h.hour as starts, h.channel, h.count, h.sum, h.min, h.max from fleet_hourly h \
       where h.tenant_no = (select no from tenant where id = $1) and h.profile_no = p.profile_no and h.channel = p.channel \
         and h.hour >= $4 and h.hour < $5 order by h.hour limit $6) f order by f.starts";

/// Parameters: appliance, numbers of profile versions, ids of channels in them, from, to, limit.
pub(super) const DEVICE_DAILY: &str = "select profile_no, day as starts, channel, count, sum, min, max from device_daily \
     where appliance = $1 and profile_no = any($2) and channel = any($3) and day >= $4 and day < $5 order by day limit $6";

pub(super) async fn fleet_hourly(
    store: &PostgresStore,
    actor: &Actor,
    tenant: &TenantId,
    profile: &str,
    channel: &str,
    (from, to): (Timestamp, Timestamp),
) -> Result<Vec<Bucket>> {
    if !actor.includes(tenant) {
        return Err(not_found("tenant", tenant));
    }
    let channel = channel_of(store, profile, channel).await?;
    let buckets = buckets(store, FLEET_HOURLY, tenant.as_str(), &channel, (from, to)).await?;
    if buckets.is_empty() {
        is_tenant(store, tenant).await?;
    }
    Ok(buckets)
}

pub(super) async fn device_daily(
    store: &PostgresStore,
    actor: &Actor,
    appliance: ApplianceId,
    channel: &str,
    (from, to): (Timestamp, Timestamp),
) -> Result<Vec<Bucket>> {
    let subject = subject(store, actor, appliance).await?;
    let channel = channel_of(store, &subject.profile, channel).await?;
    buckets(store, DEVICE_DAILY, appliance.0, &channel, (from, to)).await
}

/// What a statement finds of a channel; `whose` is its first parameter.
async fn buckets<'q, T: Encode<'q, Postgres> + Type<Postgres> + Copy + 'q>(
    store: &PostgresStore,
    statement: &'static str,
    whose: T,
    channel: &VersionedChannel,
    (from, to): (Timestamp, Timestamp),
) -> Result<Vec<Bucket>> {
    let numbers: Vec<i16> = channel.versions.keys().copied().collect();
    let ids: Vec<i16> = channel.versions.values().map(|channel| i16::from(channel.id)).collect();
    // A bucket has a line of each version that was in use at the time, and of another channel that has its id in another
    // version. One more than is answered tells that there are more.
    let distinct: BTreeSet<&i16> = ids.iter().collect();
    let lines = (BUCKETS_MAX + 1) * numbers.len() * distinct.len();
    let query = || {
        let query = sqlx::query(statement)
            .bind(whose)
            .bind(numbers.clone())
            .bind(ids.clone());
        query
            .bind(sql(from))
            .bind(sql(to))
            .bind(i64::try_from(lines).unwrap_or(i64::MAX))
    };
    whole(merged(&store.readings.fetch(query).await?, channel)?)
}

async fn is_tenant(store: &PostgresStore, tenant: &TenantId) -> Result<()> {
    let query = || sqlx::query("select from tenant where id = $1").bind(tenant.as_str());
    let rows = store.readings.fetch(query).await?;
    rows.first().map(drop).ok_or_else(|| not_found("tenant", tenant))
}

async fn channel_of(store: &PostgresStore, profile: &str, channel: &str) -> Result<VersionedChannel> {
    let versions = store
        .catalog
        .find(store, |version| {
            version.name == profile && version.position(channel).is_some()
        })
        .await?;
    let own = versions.iter().filter(|(_, version)| version.name == profile);
    versioned_channel(own, channel).ok_or_else(|| not_found("channel", format!("{channel} of profile {profile}")))
}

/// Of one version and one channel: version, start, channel, count, sum, smallest, largest.
type Line = (i16, jiff_sqlx::Timestamp, i16, i64, i64, i32, i32);

/// One bucket for each time, over all versions of the profile. Lines come in order of time.
fn merged(rows: &[PgRow], channel: &VersionedChannel) -> Result<Vec<Bucket>> {
    let mut buckets: Vec<Bucket> = Vec::with_capacity(rows.len());
    for row in rows {
        let (profile_no, starts, id, count, sum, min, max) = Line::from_row(row).map_err(db)?;
        // Another channel of another version may have the same id.
        let channel = channel
            .versions
            .get(&profile_no)
            .filter(|channel| i16::from(channel.id) == id);
        let Some(channel) = channel else { continue };
        let new = Bucket {
            from: starts.to_jiff(),
            count,
            mean: sum as f64 / 10f64.powi(i32::from(channel.decimals)) / count as f64,
            min: channel.value(min),
            max: channel.value(max),
        };
        match buckets.last_mut().filter(|last| last.from == new.from) {
            Some(last) => add(last, &new),
            None => buckets.push(new),
        }
    }
    Ok(buckets)
}

fn add(bucket: &mut Bucket, other: &Bucket) {
    let sum = bucket.mean * bucket.count as f64 + other.mean * other.count as f64;
    bucket.count += other.count;
    bucket.mean = sum / bucket.count as f64;
    bucket.min = bucket.min.min(other.min);
    bucket.max = bucket.max.max(other.max);
}
