//! The newest value of each channel.

use super::catalog::version;
use super::subject::subject;
use crate::row::{Columns, sql};
use crate::store::PostgresStore;
use crate::telemetry::columns::values;
use hub_core::actor::Actor;
use hub_core::id::ApplianceId;
use hub_core::profile::Channel;
use hub_store::error::Result;
use hub_store::reading::{LATEST_DAYS, LATEST_SAMPLES, Latest, Point};
use jiff::{SignedDuration, Timestamp};

/// The newest samples of an appliance. Parameters: appliance, from, samples. The time is a parameter, so that the weeks before
/// it are left out of the plan.
pub(super) const LATEST: &str = concat!(
    "select profile_no, at, ",
    values!(),
    " as v from telemetry where appliance = $1 and at >= $2 order by at desc limit $3"
);

/// Devices mostly say all they have with each sample: so many samples are looked at first, not further back than this.
const FIRST_LOOK: (usize, i64) = (8, 1);

pub(super) async fn latest(store: &PostgresStore, actor: &Actor, appliance: ApplianceId) -> Result<Vec<Latest>> {
    let newest = subject(store, actor, appliance).await?.newest;
    let found = look(store, appliance, newest, FIRST_LOOK).await?;
    if found.is_whole {
        return Ok(found.channels);
    }
    let found = look(store, appliance, newest, (LATEST_SAMPLES, LATEST_DAYS)).await?;
    Ok(found.channels)
}

struct Found {
    channels: Vec<Latest>,
    /// Every channel has a value: there is nothing to be found further back.
    is_whole: bool,
}

/// Looks at so many samples, from so many days before the newest one that was rolled up.
async fn look(
    store: &PostgresStore,
    appliance: ApplianceId,
    rolled_up: Option<Timestamp>,
    (samples, days): (usize, i64),
) -> Result<Found> {
    let from = rolled_up.and_then(|at| at.checked_sub(SignedDuration::from_hours(24 * days)).ok());
    let query = || {
        sqlx::query(LATEST)
            .bind(appliance.0)
            .bind(sql(from.unwrap_or(Timestamp::UNIX_EPOCH)))
            .bind(i64::try_from(samples).unwrap_or(i64::MAX))
    };
    let rows = store.readings.fetch(query).await?;
    let Some(newest) = rows.first() else {
        return Ok(Found {
            channels: Vec::new(),
            is_whole: false,
        });
    };
    let newest: i16 = newest.col("profile_no")?;
    let numbers: Vec<i16> = rows.iter().map(|row| row.col("profile_no")).collect::<Result<_>>()?;
    let versions = store.catalog.with(store, numbers.iter().copied()).await?;
    let profile = version(&versions, newest)?;
    let mut channels: Vec<Option<Point>> = vec![None; profile.channels.len()];
    for (row, no) in rows.iter().zip(numbers) {
        if channels.iter().all(Option::is_some) {
            break;
        }
        let (at, of) = (row.at("at")?, version(&versions, no)?);
        let stored: Vec<Option<i32>> = row.col("v")?;
        for (channel, newest) in profile.channels.iter().zip(&mut channels) {
            let value = || of.value(&stored, &channel.name);
            *newest = newest.or_else(|| value().map(|value| Point { at, value }));
        }
    }
    let newest = |(channel, point): (&Channel, Option<Point>)| {
        point.map(|point| Latest {
            channel: channel.name.clone(),
            unit: channel.unit.clone(),
            point,
        })
    };
    let channels: Vec<Latest> = profile.channels.iter().zip(channels).filter_map(newest).collect();
    Ok(Found {
        is_whole: channels.len() == profile.channels.len(),
        channels,
    })
}
