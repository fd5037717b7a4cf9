//! A window of readings, thinned out in the database: of each stretch of time the smallest and the largest reading of
//! each channel, at their own times.

use super::catalog::{VersionedChannel, version, versioned_channel};
use super::subject::{Subject, subject};
use crate::row::{Columns, not_found, sql};
use crate::store::PostgresStore;
use crate::telemetry::columns;
use hub_core::actor::Actor;
use hub_core::id::ApplianceId;
use hub_core::profile::ApplianceProfile;
use hub_store::error::{Result, StoreError};
use hub_store::reading::{CHANNELS_MAX, POINTS_MAX, Point, Series, Window};
use jiff::{SignedDuration, Timestamp};
use sqlx::Row;
use sqlx::postgres::PgRow;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

/// A reading and its place in its stretch of time travel as one number: the lower bits hold the place.
const OFFSET_BITS: u32 = 31;
/// The smallest and the largest.
const POINTS_A_STRETCH: usize = 2;

/// The query for these channels. Parameters: appliance, from, to, microseconds of a stretch, and of the unit in which places
/// in a stretch are told.
pub(super) fn window_sql(channels: &[VersionedChannel]) -> String {
    let (mut columns, mut read, mut values, mut extremes) =
        (String::new(), String::new(), String::new(), String::new());
    for (n, channel) in channels.iter().enumerate() {
        // Writing to a string does not fail.
        let _ = write!(columns, ", {} as v{n}", column(channel));
        let _ = write!(read, ", v{n}");
        let _ = write!(values, ", (v{n}::bigint << {OFFSET_BITS}) + o as x{n}");
        let _ = write!(extremes, ", min(x{n}) as low_{n}, max(x{n}) as high_{n}");
    }
    // `offset 0`: what is calculated once stays calculated.
    format!(
        "select profile_no, b, count(*) as rows{extremes} from ( \
           select profile_no, b{values} from ( \
             select profile_no{read}, e / $4 as b, (e % $4) / $5 as o from ( \
               select profile_no{columns}, round(date_part('epoch', at - $2) * 1000000)::bigint as e from telemetry \
               where appliance = $1 and at >= $2 and at < $3 offset 0) as since offset 0) as stretch offset 0) as reading \
         group by profile_no, b"
    )
}

/// Where a row has it; numbers are our own.
fn column(channel: &VersionedChannel) -> String {
    let ids: BTreeSet<u8> = channel.versions.values().map(|channel| channel.id).collect();
    if let (1, Some(id)) = (ids.len(), ids.first()) {
        return columns::value(*id);
    }
    let cases: String = channel
        .versions
        .iter()
        .map(|(no, channel)| format!(" when {no} then {}", columns::value(channel.id)))
        .collect();
    format!("case profile_no{cases} end")
}

pub(super) async fn window(
    store: &PostgresStore,
    actor: &Actor,
    appliance: ApplianceId,
    window: &Window,
) -> Result<Vec<Series>> {
    let cut = Cut::of(window)?;
    let subject = subject(store, actor, appliance).await?;
    let channels = channels(store, &subject, appliance, window).await?;
    if channels.is_empty() {
        return Ok(Vec::new());
    }
    let text = window_sql(&channels);
    let query = || {
        let query = sqlx::query(&text).bind(appliance.0);
        let query = query.bind(sql(window.from)).bind(sql(window.to));
        query.bind(cut.stretch_us).bind(cut.unit_us)
    };
    let rows = store.readings.fetch(query).await?;
    let mut stretches = rows.iter().map(Stretch::read).collect::<Result<Vec<_>>>()?;
    let all: i64 = stretches.iter().map(|stretch| stretch.rows).sum();
    // Few readings close together: all of them fit.
    if stretches.iter().any(|stretch| stretch.rows > 2) && usize::try_from(all).is_ok_and(|all| all <= cut.points) {
        return whole(store, appliance, window, &channels).await;
    }
    stretches.sort_by_key(|stretch| stretch.number);
    channels
        .iter()
        .enumerate()
        .map(|(n, channel)| {
            Ok(Series {
                channel: channel.name.clone(),
                unit: channel.unit.clone(),
                points: points(&stretches, n, channel, &cut)?,
            })
        })
        .collect()
}

/// What one profile version says of a stretch of time.
struct Stretch<'a> {
    profile_no: i16,
    number: i64,
    rows: i64,
    row: &'a PgRow,
}

impl<'a> Stretch<'a> {
    fn read(row: &'a PgRow) -> Result<Self> {
        Ok(Self {
            profile_no: row.col("profile_no")?,
            number: row.col("b")?,
            rows: row.col("rows")?,
            row,
        })
    }

    /// The smallest and the largest reading of the n-th channel, or the one that is both.
    fn extremes(&self, n: usize, channel: &VersionedChannel, cut: &Cut) -> Result<[Option<Point>; 2]> {
        let Some(channel) = channel.versions.get(&self.profile_no) else {
            return Ok([None; 2]);
        };
        let packed = |column: usize| -> Result<Option<i64>> {
            let read = self.row.try_get(column);
            read.map_err(|error| crate::row::unreadable("reading")(Box::new(error)))
        };
        // Behind profile_no, b and rows.
        let (low, high) = (packed(3 + 2 * n)?, packed(4 + 2 * n)?);
        let point = |packed: i64| {
            let (stored, at) = cut.unpack(self.number, packed)?;
            let value = channel.value(stored);
            Some(Point { at, value })
        };
        Ok([low.and_then(point), high.filter(|_| low != high).and_then(point)])
    }
}

/// Points of the n-th channel, in order of time.
fn points(stretches: &[Stretch<'_>], n: usize, channel: &VersionedChannel, cut: &Cut) -> Result<Vec<Point>> {
    let mut points = Vec::with_capacity(POINTS_A_STRETCH * stretches.len());
    for same in stretches.chunk_by(|a, b| a.number == b.number) {
        let from = points.len();
        for stretch in same {
            points.extend(stretch.extremes(n, channel, cut)?.into_iter().flatten());
        }
        keep_outermost(&mut points, from);
    }
    Ok(points)
}

/// How a window is cut into stretches.
struct Cut {
    from: Timestamp,
    points: usize,
    stretch_us: i64,
    unit_us: i64,
}

impl Cut {
    fn of(window: &Window) -> Result<Self> {
        let length = window.to.as_microsecond() - window.from.as_microsecond();
        if length <= 0 {
            return Err(StoreError::Refused("from must be before to".to_owned()));
        }
        let points = window.points.clamp(POINTS_A_STRETCH, POINTS_MAX);
        let stretches = i64::try_from(points / POINTS_A_STRETCH).unwrap_or(1);
        let stretch_us = length / stretches + i64::from(length % stretches != 0);
        let fits = |unit: &i64| stretch_us / unit < 1 << OFFSET_BITS;
        let unit_us = [1, 1_000, 1_000_000, 1_000_000_000].into_iter().find(fits);
        Ok(Self {
            from: window.from,
            points,
            stretch_us,
            unit_us: unit_us.unwrap_or(i64::MAX),
        })
    }

    /// A reading from its stretch and the number it travelled as.
    fn unpack(&self, stretch: i64, packed: i64) -> Option<(i32, Timestamp)> {
        let stored = i32::try_from(packed >> OFFSET_BITS).ok()?;
        let place = packed & ((1 << OFFSET_BITS) - 1);
        let since = SignedDuration::from_micros(stretch * self.stretch_us + place * self.unit_us);
        Some((stored, self.from.checked_add(since).ok()?))
    }
}

/// What is asked for, by the versions that the appliance may have reported by.
async fn channels(
    store: &PostgresStore,
    subject: &Subject,
    appliance: ApplianceId,
    window: &Window,
) -> Result<Vec<VersionedChannel>> {
    if window.channels.len() > CHANNELS_MAX {
        return Err(StoreError::Refused(format!(
            "at most {CHANNELS_MAX} channels at a time"
        )));
    }
    let own = |name: &str| name == subject.profile;
    let versions = store
        .catalog
        .find(store, |profile| own(&profile.name) && !profile.channels.is_empty())
        .await?;
    let newest = versions.values().rfind(|profile| own(&profile.name));
    let names: Vec<String> = match newest {
        Some(profile) if window.channels.is_empty() => profile
            .channels
            .iter()
            .take(CHANNELS_MAX)
            .map(|channel| channel.name.clone())
            .collect(),
        _ => window.channels.clone(),
    };
    let mut found = Vec::with_capacity(names.len());
    for name in &names {
        // Rows may be from before the appliance's profile became another: any version that has the name counts.
        // In its own profile's unit, though: a value in another one is another quantity.
        let of_profile = versions.iter().filter(|(_, profile)| own(&profile.name));
        let Some(own) = versioned_channel(of_profile, name) else {
            return Err(not_found("channel", format!("{name} of appliance {appliance}")));
        };
        let same_unit = |(_, profile): &(&i16, &Arc<ApplianceProfile>)| {
            let channel = profile.channels.iter().find(|channel| channel.name == *name);
            channel.is_some_and(|channel| channel.unit == own.unit)
        };
        found.extend(versioned_channel(versions.iter().filter(same_unit), name));
    }
    found.sort_by_key(|channel| names_order(newest, &channel.name));
    Ok(found)
}

fn names_order(newest: Option<&Arc<ApplianceProfile>>, name: &str) -> usize {
    newest.and_then(|profile| profile.position(name)).unwrap_or(usize::MAX)
}

/// Where two versions met in a stretch, there are more than two from `from` on; puts what is left in order of time.
fn keep_outermost(points: &mut Vec<Point>, from: usize) {
    let stretch = points.get_mut(from..).unwrap_or_default();
    if stretch.len() > POINTS_A_STRETCH {
        stretch.sort_by(|a, b| a.value.total_cmp(&b.value));
        let last = points.len() - 1;
        points.swap(from + 1, last);
        points.truncate(from + POINTS_A_STRETCH);
    }
    points.get_mut(from..).unwrap_or_default().sort_by_key(|point| point.at);
}

async fn whole(
    store: &PostgresStore,
    appliance: ApplianceId,
    window: &Window,
    channels: &[VersionedChannel],
) -> Result<Vec<Series>> {
    const WHOLE: &str = concat!(
        "select profile_no, at, ",
        columns::values!(),
        " as v from telemetry where appliance = $1 and at >= $2 and at < $3 order by at, ingest_no limit $4",
    );
    let query = || {
        let query = sqlx::query(WHOLE).bind(appliance.0);
        let query = query.bind(sql(window.from)).bind(sql(window.to));
        query.bind(i64::try_from(POINTS_MAX).unwrap_or(i64::MAX))
    };
    let rows = store.readings.fetch(query).await?;
    let numbers: Vec<i16> = rows.iter().map(|row| row.col("profile_no")).collect::<Result<_>>()?;
    let versions = store.catalog.with(store, numbers.iter().copied()).await?;
    let mut series: Vec<Series> = channels
        .iter()
        .map(|channel| Series {
            channel: channel.name.clone(),
            unit: channel.unit.clone(),
            points: Vec::new(),
        })
        .collect();
    for (row, no) in rows.iter().zip(numbers) {
        let (profile, at) = (version(&versions, no)?, row.at("at")?);
        let stored: Vec<Option<i32>> = row.col("v")?;
        for (series, _) in series
            .iter_mut()
            .zip(channels)
            .filter(|(_, channel)| channel.versions.contains_key(&no))
        {
            let value = profile.value(&stored, &series.channel);
            series.points.extend(value.map(|value| Point { at, value }));
        }
    }
    Ok(series)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_travels_with_its_time() {
        let from: Timestamp = "2026-03-02T00:00:00Z".parse().unwrap();
        for (days, points, unit) in [(1, 300, 1), (30, 4, 1_000), (36_500, 4, 1_000_000)] {
            let window = Window {
                channels: Vec::new(),
                from,
                to: from + SignedDuration::from_hours(24 * days),
                points,
            };
            let cut = Cut::of(&window).unwrap();
            assert_eq!(cut.unit_us, unit);
            for stored in [i32::MIN, -1, 0, 1, i32::MAX] {
                let place = (cut.stretch_us - 1) / unit;
                let packed = (i64::from(stored) << OFFSET_BITS) + place;
                let at = from + SignedDuration::from_micros(cut.stretch_us + place * unit);
                assert_eq!(cut.unpack(1, packed), Some((stored, at)));
            }
        }
    }

    #[test]
    fn where_versions_meet_the_outermost_stay() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let point = |second, value| Point { at: at(second), value };
        let before = point(0, 7.0);
        let mut kept = vec![before, point(1, 5.0), point(3, 9.0), point(2, 1.0), point(4, 2.0)];
        keep_outermost(&mut kept, 1);
        assert_eq!(kept, [before, point(2, 1.0), point(3, 9.0)]);
        let mut two = vec![before, point(3, 1.0), point(2, 9.0)];
        keep_outermost(&mut two, 1);
        assert_eq!(two, [before, point(2, 9.0), point(3, 1.0)]);
        keep_outermost(&mut two, 3);
        assert_eq!(two.len(), 3);
    }
}
