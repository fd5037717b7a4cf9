//! The newest value of each channel.

use super::catalog::version;
use super::fetch;
use crate::row::{Columns, not_found};
use crate::store::PostgresStore;
use crate::telemetry::columns::values;
use hub_core::id::ApplianceId;
use hub_core::profile::Channel;
use hub_store::Scope;
use hub_store::error::Result;
use hub_store::reading::{LATEST_DAYS, LATEST_SAMPLES, Latest, Point};

/// The newest samples of an appliance in scope; a line without a sample if it has none. Parameters: appliance, tenant or
/// null, samples, days. How far back it is looked is known from the newest sample that was rolled up, so that no old week
/// is touched.
pub(super) const LATEST: &str = concat!(
    "select t.profile_no, t.at, t.v from appliance a join appliance_status s on s.appliance = a.id \
     left join lateral ( \
       select profile_no, at, ",
    values!(),
    " as v from telemetry where appliance = a.id \
         and at >= coalesce(s.last_sample_at, '-infinity') - make_interval(days => $4) order by at desc limit $3) t on true \
     where a.id = $1 and ($2::text is null or a.tenant = $2)"
);

/// Devices mostly say all they have with each sample: so many samples are looked at first, not further back than this.
const FIRST_LOOK: (usize, i64) = (8, 1);

pub(super) async fn latest(store: &PostgresStore, scope: &Scope, appliance: ApplianceId) -> Result<Vec<Latest>> {
    let found = look(store, scope, appliance, FIRST_LOOK).await?;
    if found.is_whole {
        return Ok(found.channels);
    }
    let found = look(store, scope, appliance, (LATEST_SAMPLES, LATEST_DAYS)).await?;
    Ok(found.channels)
}

struct Found {
    channels: Vec<Latest>,
    /// Every channel has a value: there is nothing to be found further back.
    is_whole: bool,
}

/// Looks at so many samples of so many days.
async fn look(
    store: &PostgresStore,
    scope: &Scope,
    appliance: ApplianceId,
    (samples, days): (usize, i64),
) -> Result<Found> {
    let query = || {
        sqlx::query(LATEST)
            .bind(appliance.0)
            .bind(scope.tenant())
            .bind(i64::try_from(samples).unwrap_or(i64::MAX))
            .bind(i32::try_from(days).unwrap_or(i32::MAX))
    };
    let rows = fetch(store, query).await?;
    let Some(newest) = rows.first() else {
        return Err(not_found("appliance", appliance));
    };
    let Some(newest) = newest.col::<Option<i16>>("profile_no")? else {
        return Ok(Found {
            channels: Vec::new(),
            is_whole: false,
        });
    };
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
