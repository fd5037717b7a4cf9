//! Telemetry in and out, devices' credentials, presence, and commands.

mod command;
mod content;
mod copy;
mod fresh;
mod gauge;
mod guard;
mod ingest;
mod known;
mod packet;
mod partition_set;
mod quarantine;
mod rollup;
mod said;
mod unscored;
mod writer;

pub(crate) use writer::Writer;

use crate::keyring::sha256;
use crate::row::{Columns, db, sql, text};
use crate::store::PostgresStore;
use async_trait::async_trait;
use hub_core::id::{ApplianceId, DeviceId, TenantId};
use hub_store::error::Result;
use hub_store::telemetry::{Command, Device, Ingest, Ingested, StoredRow, TelemetryStore};
use jiff::Timestamp;
use sqlx::postgres::PgRow;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// Longest reason kept with a presence change, in characters.
const PRESENCE_REASON_MAX: usize = 200;

#[async_trait]
impl TelemetryStore for PostgresStore {
    async fn device_by_secret(&self, tenant: &TenantId, device: &DeviceId, secret: &str) -> Result<Option<Device>> {
        let row = sqlx::query(
            "select id, tenant, device, profile, secret_sha256 from appliance \
             where tenant = $1 and device = $2 and not revoked and secret_sha256 is not null",
        )
        .bind(tenant.as_str())
        .bind(device.as_str())
        .fetch_optional(&self.pool)
        .await
        .map_err(db)?;
        let Some(row) = row else { return Ok(None) };
        let stored: Vec<u8> = row.col("secret_sha256")?;
        if bool::from(stored.as_slice().ct_eq(&sha256(secret.as_bytes()))) {
            device_of(&row).map(Some)
        } else {
            Ok(None)
        }
    }

    /// A device's token is its secret. One that two devices share says nothing about which of them it is, and is refused.
    async fn device_by_token(&self, token: &str) -> Result<Option<Device>> {
        let rows = sqlx::query(
            "select id, tenant, device, profile from appliance where secret_sha256 = $1 and not revoked limit 2",
        )
        .bind(&sha256(token.as_bytes())[..])
        .fetch_all(&self.pool)
        .await
        .map_err(db)?;
        match rows.as_slice() {
            [row] => device_of(row).map(Some),
            _ => Ok(None),
        }
    }

    async fn ingest(&self, batch: &[Ingest]) -> Result<Vec<Ingested>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        ingest::ingest(self, batch).await
    }

    async fn clock_offset(&self, appliance: ApplianceId, boot: u64) -> Result<Option<i64>> {
        sqlx::query_scalar("select offset_ms from clock_offset where appliance = $1 and boot = $2")
            .bind(appliance.0)
            .bind(boot.cast_signed())
            .fetch_optional(&self.pool)
            .await
            .map_err(db)
    }

    async fn presence(&self, appliance: ApplianceId, online: bool, reason: &str, at: Timestamp) -> Result<()> {
        sqlx::query(
            "update appliance_status set online = $2, presence_reason = $3, presence_at = $4 where appliance = $1",
        )
        .bind(appliance.0)
        .bind(online)
        .bind(presence_reason(reason))
        .bind(sql(at))
        .execute(&self.pool)
        .await
        .map_err(db)?;
        Ok(())
    }

    async fn all_offline(&self, reason: &str, at: Timestamp) -> Result<()> {
        sqlx::query("update appliance_status set online = false, presence_reason = $1, presence_at = $2 where online")
            .bind(presence_reason(reason))
            .bind(sql(at))
            .execute(&self.pool)
            .await
            .map_err(db)?;
        Ok(())
    }

    async fn queue_command(&self, appliance: ApplianceId, command: &Command, now: Timestamp) -> Result<()> {
        command::queue(self, appliance, command, now).await
    }

    async fn commands_waiting(&self, appliance: ApplianceId, now: Timestamp) -> Result<Vec<Command>> {
        command::waiting(self, appliance, now).await
    }

    async fn command_replied(&self, appliance: ApplianceId, request: &str, reply: &[u8], now: Timestamp) -> Result<()> {
        command::replied(self, appliance, request, reply, now).await
    }

    async fn unscored(&self, limit: usize) -> Result<Vec<StoredRow>> {
        unscored::unscored(self, limit).await
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
        sqlx::query_scalar("select count(*) from telemetry")
            .fetch_one(&self.pool)
            .await
            .map_err(db)
    }
}

fn presence_reason(reason: &str) -> String {
    text(reason).chars().take(PRESENCE_REASON_MAX).collect()
}

fn device_of(row: &PgRow) -> Result<Device> {
    Ok(Device {
        appliance: ApplianceId(row.col("id")?),
        tenant: row.word("tenant")?,
        device: row.word("device")?,
        profile: row.col("profile")?,
    })
}
