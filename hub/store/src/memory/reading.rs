//! Readings for people and programs, read straight from the rows.

use super::readings::Row;
use super::state::{Appliance, State};
use super::{MemoryStore, not_found};
use crate::error::{Result, StoreError};
use crate::reading::{
    Bucket, CHANNELS_MAX, LATEST_DAYS, LATEST_SAMPLES, Latest, POINTS_MAX, Point, ReadingStore, Series, Window, whole,
};
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::id::{ApplianceId, TenantId};
use hub_core::profile::ApplianceProfile;
use hub_core::retention::DAY_S;
use jiff::{SignedDuration, Timestamp};
use std::cmp::Reverse;
use std::collections::BTreeMap;

const HOUR_S: i64 = 3_600;

#[async_trait]
impl ReadingStore for MemoryStore {
    async fn window(&self, actor: &Actor, appliance: ApplianceId, window: &Window) -> Result<Vec<Series>> {
        actor.may(Act::ReadReadings)?;
        let length = window.to.as_microsecond() - window.from.as_microsecond();
        if length <= 0 {
            return Err(StoreError::Refused("from must be before to".to_owned()));
        }
        if window.channels.len() > CHANNELS_MAX {
            return Err(StoreError::Refused(format!(
                "at most {CHANNELS_MAX} channels at a time"
            )));
        }
        let state = self.state();
        let profile = self.profile_of(state.seen(actor, appliance)?)?;
        for name in &window.channels {
            if profile.position(name).is_none() {
                return Err(not_found("channel", format!("{name} of appliance {appliance}")));
            }
        }
        let mut rows = state.readings(appliance, window.from, window.to);
        rows.sort_by_key(|row| (row.stored.at, row.stored.ingest_no));
        let points = window.points.clamp(2, POINTS_MAX);
        let stretches = i64::try_from(points / 2).unwrap_or(1);
        let stretch_us = length / stretches + i64::from(length % stretches != 0);
        let stretch = |at: Timestamp| (at.as_microsecond() - window.from.as_microsecond()) / stretch_us;
        let wanted = |name: &String| window.channels.is_empty() || window.channels.contains(name);
        let channels = profile.channels.iter().filter(|channel| wanted(&channel.name));
        Ok(channels
            .take(CHANNELS_MAX)
            .map(|channel| {
                let all: Vec<Point> = rows.iter().filter_map(|row| point(row, &channel.name)).collect();
                Series {
                    channel: channel.name.clone(),
                    unit: channel.unit.clone(),
                    points: if rows.len() <= points {
                        all
                    } else {
                        thinned(all, stretch)
                    },
                }
            })
            .collect())
    }

    async fn latest(&self, actor: &Actor, appliance: ApplianceId) -> Result<Vec<Latest>> {
        actor.may(Act::ReadReadings)?;
        let state = self.state();
        let profile = self.profile_of(state.seen(actor, appliance)?)?;
        let mut rows = state.readings(appliance, Timestamp::MIN, Timestamp::MAX);
        rows.sort_by_key(|row| Reverse((row.stored.at, row.stored.ingest_no)));
        rows.truncate(LATEST_SAMPLES);
        let newest = rows.first().map(|row| row.stored.at);
        rows.retain(|row| {
            newest.is_some_and(|at| at.duration_since(row.stored.at) <= SignedDuration::from_hours(24 * LATEST_DAYS))
        });
        let channels = profile.channels.iter();
        Ok(channels
            .filter_map(|channel| {
                let point = rows.iter().find_map(|row| point(row, &channel.name))?;
                Some(Latest {
                    channel: channel.name.clone(),
                    unit: channel.unit.clone(),
                    point,
                })
            })
            .collect())
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
        let state = self.state();
        if !actor.includes(tenant) {
            return Err(not_found("tenant", tenant));
        }
        let known = self.shared.profiles.get(profile);
        if known.and_then(|profile| profile.position(channel)).is_none() {
            return Err(not_found("channel", format!("{channel} of profile {profile}")));
        }
        state.tenant(tenant)?;
        let fleet = state.appliances.values().filter(|a| a.tenant == *tenant);
        let rows = fleet.flat_map(|a| state.rows_of(a.id));
        let own = rows.filter(|row| row.stored.profile.name == profile);
        buckets(own, channel, HOUR_S, from, to)
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
        let state = self.state();
        let profile = self.profile_of(state.seen(actor, appliance)?)?;
        if profile.position(channel).is_none() {
            return Err(not_found("channel", format!("{channel} of profile {}", profile.name)));
        }
        let rows = state.rows_of(appliance);
        let own = rows.filter(|row| row.stored.profile.name == profile.name);
        buckets(own, channel, DAY_S, from, to)
    }
}

impl MemoryStore {
    /// The profile that an appliance reports by.
    fn profile_of(&self, appliance: &Appliance) -> Result<&ApplianceProfile> {
        let profile = self.shared.profiles.get(&appliance.profile);
        profile
            .map(|profile| &**profile)
            .ok_or_else(|| not_found("appliance profile", &appliance.profile))
    }
}

impl State {
    /// In the order of commits.
    fn readings(&self, appliance: ApplianceId, from: Timestamp, to: Timestamp) -> Vec<&Row> {
        let rows = self.rows_of(appliance);
        rows.filter(|row| !row.swept && row.stored.at >= from && row.stored.at < to)
            .collect()
    }
}

/// A channel's value in its unit, if the row has one.
fn point(row: &Row, channel: &str) -> Option<Point> {
    let stored = &row.stored;
    let value = stored.profile.value(&stored.values, channel)?;
    Some(Point { at: stored.at, value })
}

/// Of each stretch the smallest and the largest, each at its own time: the first of equal small ones, the last of equal
/// large ones.
fn thinned(points: Vec<Point>, stretch: impl Fn(Timestamp) -> i64) -> Vec<Point> {
    let mut extremes: BTreeMap<i64, (Point, Point)> = BTreeMap::new();
    for point in points {
        let (low, high) = extremes.entry(stretch(point.at)).or_insert((point, point));
        if point.value < low.value {
            *low = point;
        }
        if point.value >= high.value {
            *high = point;
        }
    }
    let mut kept = Vec::new();
    for (low, high) in extremes.into_values() {
        let mut both = [low, high];
        both.sort_by_key(|point| point.at);
        kept.extend(both.into_iter().take(if low == high { 1 } else { 2 }));
    }
    kept
}

fn buckets<'a>(
    rows: impl Iterator<Item = &'a Row>,
    channel: &str,
    length_s: i64,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Bucket>> {
    let mut found: BTreeMap<Timestamp, Bucket> = BTreeMap::new();
    for Point { at, value } in rows.filter_map(|row| point(row, channel)) {
        let second = at.as_second();
        let starts = Timestamp::from_second(second - second.rem_euclid(length_s)).unwrap_or(Timestamp::MIN);
        if starts < from || starts >= to {
            continue;
        }
        let bucket = found.entry(starts).or_insert(Bucket {
            from: starts,
            count: 0,
            mean: 0.0,
            min: value,
            max: value,
        });
        bucket.mean = (bucket.mean * bucket.count as f64 + value) / (bucket.count + 1) as f64;
        bucket.count += 1;
        bucket.min = bucket.min.min(value);
        bucket.max = bucket.max.max(value);
    }
    whole(found.into_values().collect())
}
