//! Telemetry in and out, devices' credentials, presence, and commands.

mod command;
mod copy;
mod guard;
mod ingest;
mod quarantine;

use crate::keyring::sha256;
use crate::row::{Columns, db, sql, text};
use crate::store::PostgresStore;
use async_trait::async_trait;
use hub_core::id::{ApplianceId, DeviceId, TenantId, TraceId};
use hub_core::telemetry::Lane;
use hub_store::error::Result;
use hub_store::telemetry::{Command, Device, Ingest, Ingested, StoredRow, TelemetryStore};
use jiff::Timestamp;
use sqlx::postgres::PgRow;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// Rows read from one partition at a time, at least.
const UNSCORED_SHARE_MIN: i64 = 16;
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

    /// Every partition with a backlog gets its share, so that one busy partition does not starve the others.
    async fn unscored(&self, limit: usize) -> Result<Vec<StoredRow>> {
        let rows = sqlx::query(
            "with backlog as materialized ( \
               select p.number, s.ingest_no from partition p join scored s on s.partition = p.number \
               where p.last > s.ingest_no), \
             share as (select greatest($2, $1 / greatest(count(*), 1)) as rows from backlog) \
             select t.* from backlog b cross join lateral ( \
               select appliance, partition, ingest_no, lane, at, v, trace from telemetry \
               where partition = b.number and ingest_no > b.ingest_no \
               order by ingest_no limit (select rows from share)) t \
             order by t.partition, t.ingest_no limit $1",
        )
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .bind(UNSCORED_SHARE_MIN)
        .fetch_all(&self.pool)
        .await
        .map_err(db)?;
        rows.iter().map(stored_row).collect()
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

fn stored_row(row: &PgRow) -> Result<StoredRow> {
    let partition: i16 = row.col("partition")?;
    let events = row.col::<Option<i16>>("lane")? == Some(Lane::Events as i16);
    Ok(StoredRow {
        appliance: ApplianceId(row.col("appliance")?),
        partition: u8::try_from(partition).map_err(|error| crate::row::unreadable("partition")(Box::new(error)))?,
        ingest_no: row.col("ingest_no")?,
        lane: if events { Lane::Events } else { Lane::Telemetry },
        at: row.at("at")?,
        values: row.col("v")?,
        trace: TraceId(row.col("trace")?),
    })
}
