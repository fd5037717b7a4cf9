//! The newest value of each channel.

use super::catalog::version;
use crate::row::{Columns, db, not_found};
use crate::store::PostgresStore;
use crate::telemetry::columns::values;
use hub_core::id::ApplianceId;
use hub_store::Scope;
use hub_store::error::Result;
use hub_store::reading::{LATEST_DAYS, LATEST_SAMPLES, Latest, Point};
use sqlx::postgres::PgRow;

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

/// Devices mostly say all they have with each sample.
const FIRST_LOOK: usize = 8;

pub(super) async fn latest(store: &PostgresStore, scope: &Scope, appliance: ApplianceId) -> Result<Vec<Latest>> {
    let found = look(store, scope, appliance, FIRST_LOOK).await?;
    if found.is_whole {
        return Ok(found.channels);
    }
    Ok(look(store, scope, appliance, LATEST_SAMPLES).await?.channels)
}

struct Found {
    channels: Vec<Latest>,
    /// There is nothing to be found further back.
    is_whole: bool,
}

async fn look(store: &PostgresStore, scope: &Scope, appliance: ApplianceId, samples: usize) -> Result<Found> {
    let rows: Vec<PgRow> = sqlx::query(LATEST)
        .bind(appliance.0)
        .bind(scope.tenant())
        .bind(i64::try_from(samples).unwrap_or(i64::MAX))
        .bind(i32::try_from(LATEST_DAYS).unwrap_or(i32::MAX))
        .fetch_all(&store.pool)
        .await
        .map_err(db)?;
    let Some(newest) = rows.first() else {
        return Err(not_found("appliance", appliance));
    };
    let Some(newest) = newest.col::<Option<i16>>("profile_no")? else {
        return Ok(Found {
            channels: Vec::new(),
            is_whole: true,
        });
    };
    let mut numbers = Vec::with_capacity(rows.len());
    for row in &rows {
        numbers.push(row.col::<i16>("profile_no")?);
    }
    let versions = store.catalog.with(store, numbers.iter().copied()).await?;
    let profile = version(&versions, newest)?;
    let mut channels = Vec::with_capacity(profile.channels.len());
    for channel in &profile.channels {
        for (row, no) in rows.iter().zip(&numbers) {
            let stored: Vec<Option<i32>> = row.col("v")?;
            if let Some(value) = version(&versions, *no)?.value(&stored, &channel.name) {
                channels.push(Latest {
                    channel: channel.name.clone(),
                    unit: channel.unit.clone(),
                    point: Point {
                        at: row.at("at")?,
                        value,
                    },
                });
                break;
            }
        }
    }
    Ok(Found {
        is_whole: channels.len() == profile.channels.len() || rows.len() < samples,
        channels,
    })
}
