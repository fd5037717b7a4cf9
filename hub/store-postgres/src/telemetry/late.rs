//! Rows that were measured long before they were written, for readers that do not look at history.

use super::window;
use crate::row::{db, sql};
use hub_store::error::Result;
use jiff::Timestamp;
use sqlx::PgConnection;

/// Late rows of one batch, by columns.
pub(super) struct Late {
    before: Timestamp,
    partitions: Vec<i16>,
    numbers: Vec<i64>,
    appliances: Vec<i64>,
    times: Vec<jiff_sqlx::Timestamp>,
}

impl Late {
    /// None yet; `newest` is the newest receipt of all rows so far, this batch included.
    pub(super) fn after(newest: Timestamp) -> Self {
        Self {
            before: window::before(newest),
            partitions: Vec::new(),
            numbers: Vec::new(),
            appliances: Vec::new(),
            times: Vec::new(),
        }
    }

    /// Notes a row if it is late: its place, its appliance and its time.
    pub(super) fn note(&mut self, (partition, ingest_no): (i16, i64), appliance: i64, at: Timestamp) {
        if at >= self.before {
            return;
        }
        self.partitions.push(partition);
        self.numbers.push(ingest_no);
        self.appliances.push(appliance);
        self.times.push(sql(at));
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// Writes them, in the transaction of the rows.
    pub(super) async fn save(self, conn: &mut PgConnection) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into late (partition, ingest_no, appliance, at) \
             select * from unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::timestamptz[])",
        )
        .bind(self.partitions)
        .bind(self.numbers)
        .bind(self.appliances)
        .bind(self.times)
        .execute(conn)
        .await
        .map_err(db)?;
        Ok(())
    }
}
