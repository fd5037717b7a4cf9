//! Telemetry in and out, clocks of devices, presence, and commands on their way to devices.

mod birth;
mod clock;
pub(crate) mod columns;
mod command;
mod content;
mod copy;
mod copy_out;
mod fields;
mod fresh;
mod gauge;
mod give_way;
mod guard;
mod ingest;
mod insert;
mod late;
mod moved_row;
mod packet;
mod partition_set;
mod presence;
mod press;
mod quarantine;
mod rollup;
mod row;
mod said;
mod unscored;
mod upkeep;
mod window;
mod writer;
mod writer_cache;

pub use copy_out::TelemetryTuples;
pub use moved_row::TelemetryRow;
pub(crate) use unscored::again;
pub(crate) use writer::Writer;

use crate::row::db;
use crate::store::PostgresStore;
use async_trait::async_trait;
use hub_core::id::ApplianceId;
use hub_store::error::{Result, StoreError};
use hub_store::telemetry::{Command, Ingest, Ingested, PresenceChange, TelemetryStore, Unscored};
use jiff::Timestamp;
use std::time::Duration;

/// An item whose content is to be stored, with its place in the batch: no repeated packet.
type Item<'a> = (usize, &'a Ingest);

/// A batch that is dropped before it ends has failed.
struct Told<'a>(&'a Writer);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        self.0.ended(true);
    }
}

impl PostgresStore {
    /// Whether the database does not take readings just now, although it may answer: its disk is full, say.
    pub fn ingest_fails(&self) -> bool {
        self.writer.fails()
    }
}

#[async_trait]
impl TelemetryStore for PostgresStore {
    async fn ingest(&self, batch: &[Ingest]) -> Result<Vec<Ingested>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        // Told also where the caller gives the batch up.
        let told = Told(&self.writer);
        let ingested = ingest::ingest(self, batch).await;
        let failed = matches!(ingested, Err(StoreError::Unavailable(_) | StoreError::Deposed));
        drop(told);
        self.writer.ended(failed);
        ingested
    }

    async fn clock_offsets(&self, boots: &[(ApplianceId, u64)]) -> Result<Vec<Option<i64>>> {
        clock::offsets(self, boots).await
    }

    async fn presence(&self, changes: &[PresenceChange]) -> Result<()> {
        presence::note(self, changes).await
    }

    async fn all_offline(&self, reason: &str, at: Timestamp) -> Result<()> {
        presence::all_offline(self, reason, at).await
    }

    async fn queue_command(&self, appliance: ApplianceId, command: &Command, now: Timestamp) -> Result<()> {
        command::queue(self, appliance, command, now).await
    }

    async fn commands_waiting(
        &self,
        appliances: &[ApplianceId],
        now: Timestamp,
    ) -> Result<Vec<(ApplianceId, Command)>> {
        command::waiting(self, appliances, now).await
    }

    async fn unscored(&self, limit: usize, families: Option<&[String]>) -> Result<Unscored> {
        unscored::unscored(self, limit, families).await
    }

    async fn ingest_calm(&self, patience: Duration) {
        self.writer.calm(patience).await;
    }

    fn scoring_is_behind(&self, by: Duration) {
        self.writer.scoring_is_behind(by);
    }

    async fn ingest_turn(&self) {
        self.writer.give_way().await;
    }

    async fn roll_up(&self, limit: usize) -> Result<usize> {
        rollup::roll_up(self, limit).await
    }

    async fn telemetry_arrived(&self, patience: Duration) {
        self.signals.wait_telemetry(patience).await;
    }

    async fn command_queued(&self, patience: Duration) -> Vec<ApplianceId> {
        self.signals.wait_command(patience).await
    }

    async fn samples_stored(&self) -> Result<i64> {
        let mut conn = self.pool.acquire().await.map_err(db)?;
        Ok(window::heads(&mut conn).await?.iter().sum())
    }
}
