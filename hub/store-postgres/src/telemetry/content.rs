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
use sqlx::PgConnection;
use std::collections::{HashMap, HashSet};

/// Readings of one appliance under one time that are compared at most: a device whose clock stands still must not keep the
/// others waiting. Beyond it, a repeat is stored again.
const COMPARED_MAX: i64 = 1_000;

/// See [`newest`].
const LOOKED_THROUGH: SignedDuration = SignedDuration::from_mins(1);

/// One sample that may be stored already.
#[derive(Clone, Copy)]
pub(super) struct Content<'a> {
    pub(super) message: &'a TelemetryMessage,
    pub(super) sample: &'a Sample,
}

impl Content<'_> {
    fn is_repeat_of(&self, other: &Self) -> bool {
        self.message.received_at.duration_since(other.message.received_at).abs() < REPEATS_WITHIN
            && kept(self.sample.values.clone()) == kept(other.sample.values.clone())
            && self.sample.extra == other.sample.extra
    }
}

/// A time for each of these appliances that none of its readings is later than: that of its newest one, if it lies within
/// [`LOOKED_THROUGH`] before `newest`, or else the beginning of that stretch, which is kept so short that it holds few rows.
pub(super) async fn newest(
    conn: &mut PgConnection,
    appliances: &[i64],
    newest: Timestamp,
) -> Result<Vec<(i64, Timestamp)>> {
    let floor = newest.checked_sub(LOOKED_THROUGH).unwrap_or(Timestamp::MIN);
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
/// will be, or of one before them in the list.
pub(super) async fn repeats<'a>(
    conn: &mut PgConnection,
    asked: &[Content<'a>],
    taken: impl Iterator<Item = Content<'a>>,
) -> Result<HashSet<usize>> {
    let mut repeats = stored(conn, asked).await?;
    let mut known: HashMap<(i64, Timestamp), Vec<Content<'a>>> = HashMap::new();
    for content in taken {
        known.entry(key(&content)).or_default().push(content);
    }
    for (place, content) in asked.iter().enumerate() {
        let same_time = known.entry(key(content)).or_default();
        if repeats.contains(&place) || same_time.iter().any(|before| content.is_repeat_of(before)) {
            repeats.insert(place);
        } else {
            same_time.push(*content);
        }
    }
    Ok(repeats)
}

fn key(content: &Content<'_>) -> (i64, Timestamp) {
    (content.message.appliance.0, content.sample.at)
}

async fn stored(conn: &mut PgConnection, asked: &[Content<'_>]) -> Result<HashSet<usize>> {
    let extra = |content: &Content<'_>| {
        let extra = content.sample.extra.clone();
        extra.map(|extra| without_nul(extra).to_string())
    };
    let rows = sqlx::query(concat!(
        "select k.place, t.received_at, t.v, t.extra is not distinct from k.extra::jsonb as is_extra_same \
         from unnest($1::bigint[], $2::timestamptz[], $3::text[]) with ordinality as k (appliance, at, extra, place) \
         cross join lateral (select received_at, ",
        values!(),
        " as v, extra from telemetry \
           where appliance = k.appliance and at = k.at and boot is null limit $4) t"
    ))
    .bind(
        asked
            .iter()
            .map(|content| content.message.appliance.0)
            .collect::<Vec<i64>>(),
    )
    .bind(asked.iter().map(|content| sql(content.sample.at)).collect::<Vec<_>>())
    .bind(asked.iter().map(extra).collect::<Vec<Option<String>>>())
    .bind(COMPARED_MAX)
    .fetch_all(conn)
    .await
    .map_err(db)?;
    let mut repeats = HashSet::new();
    for row in &rows {
        let place = usize::try_from(row.col::<i64>("place")? - 1).unwrap_or(usize::MAX);
        let Some(content) = asked.get(place) else { continue };
        let apart = content.message.received_at.duration_since(row.at("received_at")?).abs();
        if apart < REPEATS_WITHIN
            && row.col("is_extra_same")?
            && kept(row.col("v")?) == kept(content.sample.values.clone())
        {
            repeats.insert(place);
        }
    }
    Ok(repeats)
}
