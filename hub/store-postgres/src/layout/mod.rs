//! Which form the table of readings has, and its weeks: a hypertable makes its own, native partitions are made here, ahead
//! of time and for rows of any age.

use crate::row::db;
use hub_store::error::{Result, StoreError};
use jiff::Timestamp;
use jiff::tz::Offset;
use sqlx::{Executor, PgConnection};
use std::collections::BTreeSet;

/// Seconds of one partition. Weeks count from the Unix epoch, so they start on Thursdays at 00:00 UTC.
const WEEK_S: i64 = 7 * 24 * 3600;
/// Partitions made ahead of the newest reading: long before they are needed.
const AHEAD: i64 = 2;
/// Held while a partition is made, so that two programs do not make the same one.
const LOCK: i64 = 0x666f_7265_0006;

/// The form of the table of readings, chosen by its migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// A hypertable of TimescaleDB.
    Hypertable,
    /// Native partitions by week.
    Partitions,
}

impl Layout {
    /// Reads what was chosen.
    pub(crate) async fn read(conn: &mut PgConnection) -> Result<Self> {
        let word: String = sqlx::query_scalar("select telemetry from layout")
            .fetch_one(conn)
            .await
            .map_err(db)?;
        match word.as_str() {
            "hypertable" => Ok(Self::Hypertable),
            "partitions" => Ok(Self::Partitions),
            other => Err(StoreError::Unreadable {
                what: "layout",
                source: format!("there is no layout {other}").into(),
            }),
        }
    }
}

/// A partition's week, counted from the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Week(i64);

impl Week {
    /// The week of a moment.
    pub(crate) fn of(at: Timestamp) -> Self {
        Self(at.as_second().div_euclid(WEEK_S))
    }

    /// When it starts. Weeks of moments that exist start at moments that exist, but for the very first.
    pub(crate) fn start(self) -> Timestamp {
        Timestamp::from_second(self.0.saturating_mul(WEEK_S)).unwrap_or(Timestamp::MIN)
    }

    fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Name of its partition: by the day on which it starts.
    fn table(self) -> String {
        let day = Offset::UTC.to_datetime(self.start());
        format!("telemetry_{:04}{:02}{:02}", day.year(), day.month(), day.day())
    }
}

/// Weeks of which the partition is known to be there.
#[derive(Debug, Default)]
pub(crate) struct Weeks {
    made: BTreeSet<Week>,
}

impl Weeks {
    /// Of these moments, and of some weeks ahead of `newest`, those of which the partition may be missing.
    pub(crate) fn missing(
        &self,
        layout: Layout,
        times: impl Iterator<Item = Timestamp>,
        newest: Timestamp,
    ) -> BTreeSet<Week> {
        let mut missing = BTreeSet::new();
        if layout == Layout::Hypertable {
            return missing;
        }
        let now = Week::of(newest);
        let ahead = (1..=AHEAD).map(|n| Week(now.0 + n));
        let mut last = None;
        for week in times.map(Week::of).chain(ahead) {
            // Readings that follow each other are of the same week.
            if last.replace(week) != Some(week) && !self.made.contains(&week) {
                missing.insert(week);
            }
        }
        missing
    }

    /// Makes these partitions where they are missing. Each is a transaction of its own, to be done before the one that
    /// fills it; nobody who reads or writes waits for it.
    pub(crate) async fn make(&mut self, conn: &mut PgConnection, missing: BTreeSet<Week>) -> Result<()> {
        for week in missing {
            make(conn, week).await?;
            self.made.insert(week);
        }
        Ok(())
    }

    /// Nothing is known: somebody may have dropped partitions.
    pub(crate) fn forget(&mut self) {
        self.made.clear();
    }
}

/// Makes the partitions of everything from `from` to `to`, where they are missing and the layout has any.
pub(crate) async fn make_range(conn: &mut PgConnection, layout: Layout, from: Timestamp, to: Timestamp) -> Result<()> {
    if layout == Layout::Partitions {
        for week in Week::of(from).0..=Week::of(to).0 {
            make(conn, Week(week)).await?;
        }
    }
    Ok(())
}

/// Attached when it is complete: that takes no lock for which readers or writers would have to wait.
async fn make(conn: &mut PgConnection, week: Week) -> Result<()> {
    let (table, from, to) = (week.table(), week.start(), week.next().start());
    let statement = format!(
        "do $$ begin perform pg_advisory_xact_lock({LOCK}); \
         if to_regclass('{table}') is null then \
           create table {table} (like telemetry including all); \
           alter table telemetry attach partition {table} for values from ('{from}') to ('{to}'); \
         end if; end $$"
    );
    conn.execute(statement.as_str()).await.map_err(db)?;
    tracing::info!(table, "partition created");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_start_on_thursdays_and_meet() {
        let at: Timestamp = "2026-03-04T23:59:59.999999Z".parse().unwrap();
        let week = Week::of(at);
        assert_eq!(week.table(), "telemetry_20260226");
        assert_eq!(week.next().start(), "2026-03-05T00:00:00Z".parse().unwrap());
        assert_eq!(Week::of(week.next().start()), week.next());
        let early: Timestamp = "1969-12-31T23:59:59Z".parse().unwrap();
        assert_eq!(Week::of(early), Week(-1));
        assert_eq!(Week(-1).table(), "telemetry_19691225");
    }
}
