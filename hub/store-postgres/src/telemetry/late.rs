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
    boots: Vec<Option<i64>>,
    lanes: Vec<Option<i16>>,
    seqs: Vec<Option<i64>>,
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
            boots: Vec::new(),
            lanes: Vec::new(),
            seqs: Vec::new(),
        }
    }

    /// Notes a row if it is late: its place, its appliance, its time, and its boot, lane and number.
    pub(super) fn note(
        &mut self,
        (partition, ingest_no): (i16, i64),
        appliance: i64,
        at: Timestamp,
        sequence: Option<(i64, i16, i64)>,
    ) {
        if at >= self.before {
            return;
        }
        self.partitions.push(partition);
        self.numbers.push(ingest_no);
        self.appliances.push(appliance);
        self.times.push(sql(at));
        self.boots.push(sequence.map(|(boot, _, _)| boot));
        self.lanes.push(sequence.map(|(_, lane, _)| lane));
        self.seqs.push(sequence.map(|(_, _, seq)| seq));
    }

    /// Writes them, in the transaction of the rows.
    pub(super) async fn save(self, conn: &mut PgConnection) -> Result<()> {
        if self.numbers.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into late (partition, ingest_no, appliance, at, boot, lane, seq) \
             select * from unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::bigint[], \
               $6::smallint[], $7::bigint[])",
        )
        .bind(self.partitions)
        .bind(self.numbers)
        .bind(self.appliances)
        .bind(self.times)
        .bind(self.boots)
        .bind(self.lanes)
        .bind(self.seqs)
        .execute(conn)
        .await
        .map_err(db)?;
        Ok(())
    }
}
