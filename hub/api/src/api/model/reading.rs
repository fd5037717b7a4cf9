//! Readings: values in their units at their times.

use crate::error::{ApiError, Result};
use hub_store::reading;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// One value at its time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Point {
    /// Event time; to the millisecond where a point stands for more than half an hour, to the second beyond some weeks.
    at: Timestamp,
    /// In the channel's unit.
    value: f64,
}

impl From<reading::Point> for Point {
    fn from(point: reading::Point) -> Self {
        Self {
            at: point.at,
            value: point.value,
        }
    }
}

/// A channel's values in a stretch of time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Series {
    /// Name of the channel.
    channel: String,
    /// Unit as in SenML (RFC 8428 §12.1).
    unit: String,
    /// In order of time. Where there were more readings than points: of each of half as many equal stretches of time the
    /// smallest and the largest reading, each at its own time.
    points: Vec<Point>,
}

impl From<reading::Series> for Series {
    fn from(series: reading::Series) -> Self {
        Self {
            channel: series.channel,
            unit: series.unit,
            points: series.points.into_iter().map(Point::from).collect(),
        }
    }
}

/// The newest value of a channel.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Latest {
    /// Name of the channel.
    channel: String,
    /// Unit as in SenML (RFC 8428 §12.1).
    unit: String,
    #[serde(flatten)]
    point: Point,
}

impl From<reading::Latest> for Latest {
    fn from(latest: reading::Latest) -> Self {
        Self {
            channel: latest.channel,
            unit: latest.unit,
            point: latest.point.into(),
        }
    }
}

/// An hour of a fleet, or a day of an appliance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Bucket {
    /// When it starts, UTC.
    from: Timestamp,
    /// Readings.
    count: i64,
    /// Their mean.
    mean: f64,
    /// The smallest.
    min: f64,
    /// The largest.
    max: f64,
}

impl From<reading::Bucket> for Bucket {
    fn from(bucket: reading::Bucket) -> Self {
        Self {
            from: bucket.from,
            count: bucket.count,
            mean: bucket.mean,
            min: bucket.min,
            max: bucket.max,
        }
    }
}

/// A list that is whole: it has no further pages.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Whole<T> {
    /// All of it.
    items: Vec<T>,
}

impl<T> Whole<T> {
    pub(crate) fn of(items: Vec<impl Into<T>>) -> Self {
        Self {
            items: items.into_iter().map(Into::into).collect(),
        }
    }
}

/// From when to when, where the request leaves one of them open: until now, and `hours` long.
pub(crate) fn span(
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    hours: i64,
    now: Timestamp,
) -> Result<(Timestamp, Timestamp)> {
    let to = to.unwrap_or(now);
    let before = || {
        to.checked_sub(SignedDuration::from_hours(hours))
            .unwrap_or(Timestamp::MIN)
    };
    let from = from.unwrap_or_else(before);
    if from >= to {
        return Err(ApiError::BadRequest(format!(
            "from ({from}) must be before to ({to}), which is now unless it is given"
        )));
    }
    Ok((from, to))
}
