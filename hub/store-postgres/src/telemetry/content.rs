//! Messages without a sequence (JSON): the same content of an appliance under the same stated time is a repeat within ten
//! minutes.
//!
//! The rows themselves tell. What is later than every reading that is known of its appliance is new; the rest is looked up
//! by its time. So nothing is written for it, and nothing has to be forgotten.

use super::columns::values;
use crate::row::{Columns, db, sql, without_nul};
use hub_core::telemetry::{REPEATS_WITHIN, Sample, TelemetryMessage, kept};
use hub_store::error::Result;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound;

/// Readings of one appliance under one time that are compared at most: a device whose clock stands still must not keep the
/// others waiting. Beyond it, a repeat is stored again.
const COMPARED_MAX: usize = 1_000;
/// Readings that are compared with one batch: where it names so many times that each has less than its most, each has the
/// same share, and a few in any case.
const COMPARED_WITH_A_BATCH: usize = 50_000;
const COMPARED_MIN: usize = 16;

/// See [`newest`].
const LOOKED_THROUGH: SignedDuration = SignedDuration::from_mins(1);

/// One sample that may be stored already.
#[derive(Clone, Copy)]
pub(super) struct Content<'a> {
    pub(super) message: &'a TelemetryMessage,
    pub(super) sample: &'a Sample,
}

/// A device, and a time that it stated.
type DeviceTime = (i64, Timestamp);

impl<'a> Content<'a> {
    fn device_time(&self) -> DeviceTime {
        (self.message.appliance.0, self.sample.at)
    }

    fn values(&self) -> Vec<Option<i32>> {
        kept(self.sample.values.clone())
    }

    fn extra(&self) -> Option<&'a Value> {
        self.sample.extra.as_ref()
    }

    fn received_at(&self) -> Timestamp {
        self.message.received_at
    }
}

/// When one content was received.
#[derive(Debug, Default)]
struct Received(BTreeSet<Timestamp>);

impl Received {
    fn note(&mut self, at: Timestamp) {
        self.0.insert(at);
    }

    /// Whether the same content, received at this time, is a repeat.
    fn is_repeated(&self, at: Timestamp) -> bool {
        let within = (Bound::Excluded(earliest(at)), Bound::Excluded(latest(at)));
        self.0.range(within).next().is_some()
    }
}

/// What was received at this time or before is not repeated at `at`.
fn earliest(at: Timestamp) -> Timestamp {
    at.checked_sub(REPEATS_WITHIN).unwrap_or(Timestamp::MIN)
}

/// What was received at this time or after it is not repeated at `at`.
fn latest(at: Timestamp) -> Timestamp {
    at.checked_add(REPEATS_WITHIN).unwrap_or(Timestamp::MAX)
}

/// A time for each of these appliances that none of its readings is later than: that of its newest one, if it lies
/// [`LOOKED_THROUGH`] before `received_at` or later, or else the beginning of that stretch. It is kept so short that it holds
/// few rows, and an earlier beginning is as true.
pub(super) async fn newest(
    conn: &mut PgConnection,
    appliances: &[i64],
    received_at: Timestamp,
) -> Result<Vec<(i64, Timestamp)>> {
    let floor = received_at.checked_sub(LOOKED_THROUGH).unwrap_or(Timestamp::MIN);
    let rows = sqlx::query(
        "select k.appliance, (select t.at from telemetry t where t.appliance = k.appliance and t.at >= $2 \
           order by t.at desc limit 1) as at from unnest($1::bigint[]) as k (appliance)",
    )
    .bind(appliances)
    .bind(sql(floor))
    .fetch_all(conn)
    .await
    .map_err(db)?;
    rows.iter()
        .map(|row| Ok((row.col("appliance")?, row.maybe_at("at")?.unwrap_or(floor))))
        .collect()
}

/// Which of these samples are repeats, by their places in the list: of a row that is stored, of one among `taken`, which
/// will be, or of one before them in the list. The work grows with the samples, also where all of them are under one time.
pub(super) async fn repeats<'a>(
    conn: &mut PgConnection,
    asked: &[Content<'a>],
    taken: impl Iterator<Item = Content<'a>>,
) -> Result<HashSet<usize>> {
    let mut repeats = stored(conn, asked).await?;
    let places: HashSet<DeviceTime> = asked.iter().map(Content::device_time).collect();
    let key = |content: &Content<'a>| (content.device_time(), content.values(), content.extra());
    let mut known: HashMap<_, Received> = HashMap::new();
    for content in taken.filter(|content| places.contains(&content.device_time())) {
        known.entry(key(&content)).or_default().note(content.received_at());
    }
    for (number, content) in asked.iter().enumerate() {
        if repeats.contains(&number) {
            continue;
        }
        let received = known.entry(key(content)).or_default();
        if received.is_repeated(content.received_at()) {
            repeats.insert(number);
        } else {
            received.note(content.received_at());
        }
    }
    Ok(repeats)
}

/// Rows that the samples are compared with, and the extras of the samples: both with a number that is the same where the
/// database takes extras for equal (1 and 1.0 are), and 0 where there are none. Parameters: of each place the appliance, the
/// time, and between which times its samples were received; how many rows of a place are looked at; extras of samples. No
/// more rows than that are looked at, whenever they were received.
const COMPARED: &str = concat!(
    "select is_stored, place, received_at, v, \
       case when extra is null then 0::bigint else dense_rank() over (order by extra) end as extra_no \
     from ( \
       select true as is_stored, k.place, t.received_at, t.v, t.extra \
       from unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[]) \
         with ordinality as k (appliance, at, earliest, latest, place) \
       cross join lateral (select received_at, ",
    values!(),
    " as v, extra from telemetry where appliance = k.appliance and at = k.at and boot is null limit $5) t \
       where t.received_at >= k.earliest and t.received_at <= k.latest \
       union all \
       select false, a.place, null::timestamptz, null::integer[], a.extra::jsonb \
       from unnest($6::text[]) with ordinality as a (extra, place)) r"
);

/// Which of the samples are repeats of rows that are stored. Each appliance and time is looked up once.
async fn stored(conn: &mut PgConnection, asked: &[Content<'_>]) -> Result<HashSet<usize>> {
    let mut spans: BTreeMap<DeviceTime, (Timestamp, Timestamp)> = BTreeMap::new();
    for content in asked {
        let at = content.received_at();
        let (first, last) = spans.entry(content.device_time()).or_insert((at, at));
        (*first, *last) = (at.min(*first), at.max(*last));
    }
    let places: Vec<DeviceTime> = spans.keys().copied().collect();
    let most = (COMPARED_WITH_A_BATCH / places.len().max(1)).clamp(COMPARED_MIN, COMPARED_MAX);
    let (with_extra, extras): (Vec<usize>, Vec<String>) = asked
        .iter()
        .enumerate()
        .filter_map(|(number, content)| Some((number, without_nul(content.extra()?.clone()).to_string())))
        .unzip();
    let rows = sqlx::query(COMPARED)
        .bind(places.iter().map(|(appliance, _)| *appliance).collect::<Vec<i64>>())
        .bind(places.iter().map(|(_, at)| sql(*at)).collect::<Vec<_>>())
        .bind(
            spans
                .values()
                .map(|(first, _)| sql(earliest(*first)))
                .collect::<Vec<_>>(),
        )
        .bind(spans.values().map(|(_, last)| sql(latest(*last))).collect::<Vec<_>>())
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .bind(extras)
        .fetch_all(conn)
        .await
        .map_err(db)?;
    let mut found: HashMap<(DeviceTime, Vec<Option<i32>>, i64), Received> = HashMap::new();
    let mut extra_numbers = vec![0; asked.len()];
    for row in &rows {
        let (place, extra) = (row.col::<i64>("place")? - 1, row.col::<i64>("extra_no")?);
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        if row.col("is_stored")? {
            let Some(at) = places.get(place) else { continue };
            let key = (*at, kept(row.col("v")?), extra);
            found.entry(key).or_default().note(row.at("received_at")?);
        } else if let Some(own) = with_extra.get(place).and_then(|number| extra_numbers.get_mut(*number)) {
            *own = extra;
        }
    }
    let is_stored = |(content, extra): &(&Content<'_>, i64)| {
        let found = found.get(&(content.device_time(), content.values(), *extra));
        found.is_some_and(|received| received.is_repeated(content.received_at()))
    };
    let numbered = asked.iter().zip(extra_numbers).enumerate();
    Ok(numbered
        .filter(|(_, asked)| is_stored(asked))
        .map(|(number, _)| number)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_content_is_a_repeat_for_less_than_ten_minutes_either_way() {
        let mut received = Received::default();
        let at = |seconds| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds);
        assert!(!received.is_repeated(at(0)));
        received.note(at(0));
        received.note(at(5_000));
        let is_repeated = |seconds| received.is_repeated(at(seconds));
        assert_eq!([-599, 0, 599, 4_401, 5_599].map(is_repeated), [true; 5]);
        assert_eq!([-600, 600, 4_400, 5_600].map(is_repeated), [false; 4]);
        assert!(!received.is_repeated(Timestamp::MIN) && !received.is_repeated(Timestamp::MAX));
    }
}
