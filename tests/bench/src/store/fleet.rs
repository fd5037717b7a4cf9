//! Devices that report once a minute, in turn: ten channels, a sine of the day with some noise, one digit behind the
//! point. The same values for the hub and for its peer.

use super::base::{CHANNELS, PROFILE, TENANT};
use anyhow::Result;
use hub_core::id::{ApplianceId, TraceId};
use hub_core::telemetry::{Identity, Lane, Sample, TelemetryMessage};
use hub_store::telemetry::Ingest;
use jiff::{SignedDuration, Timestamp};
use sqlx::PgConnection;
use std::fmt::Write;
use uuid::Uuid;

/// Minutes of a day.
const DAY: u64 = 1_440;
/// The first reading, in seconds of the epoch: 2026-01-01.
const START: i64 = 1_767_225_600;
const BOOT: u64 = 7;

/// Appliances by their ids.
#[derive(Debug, Clone)]
pub struct Fleet {
    ids: Vec<i64>,
}

impl Fleet {
    /// Makes so many in an empty database.
    ///
    /// # Errors
    /// The database does not take them.
    pub async fn make(sql: &mut PgConnection, devices: usize) -> Result<Self> {
        sqlx::query("insert into tenant (id, brand, call_rules, visit_price) values ($1, '{}', '{}', '{}')")
            .bind(TENANT)
            .execute(&mut *sql)
            .await?;
        sqlx::query(
            "insert into appliance (tenant, tenant_no, device, partition, profile, created_at) \
             select id, no, 'd' || n, n * 37 % 256, $1, '2026-01-01Z' from tenant, generate_series(1, $2) n",
        )
        .bind(PROFILE)
        .bind(i64::try_from(devices)?)
        .execute(&mut *sql)
        .await?;
        sqlx::query("insert into appliance_status (appliance) select id from appliance")
            .execute(&mut *sql)
            .await?;
        let ids = sqlx::query_scalar("select id from appliance order by id")
            .fetch_all(sql)
            .await?;
        Ok(Self { ids })
    }

    /// Their numbers in the store.
    pub fn ids(&self) -> Vec<i64> {
        self.ids.clone()
    }

    /// The first so many of them.
    pub fn first(&self, devices: usize) -> Self {
        let ids = self.ids.iter().take(devices).copied().collect();
        Self { ids }
    }

    /// The one that is looked at.
    pub fn some(&self) -> ApplianceId {
        ApplianceId(self.ids.get(self.ids.len() / 2).copied().unwrap_or_default())
    }

    /// When the fleet has sent so many messages, the newest is of this minute.
    pub fn minute(&self, messages: u64) -> Timestamp {
        at(messages.saturating_sub(1) / self.ids.len() as u64)
    }

    /// A message of the fleet by its number: the first of each device, then the second …
    pub fn message(&self, number: u64) -> Ingest {
        let devices = self.ids.len() as u64;
        let (device, minute) = (number % devices, number / devices);
        let at = at(minute);
        Ingest::Telemetry(TelemetryMessage {
            appliance: ApplianceId(self.ids.get(device as usize).copied().unwrap_or_default()),
            identity: Identity::Sequence {
                boot: BOOT,
                lane: Lane::Telemetry,
                first: minute,
            },
            samples: vec![Sample {
                at,
                values: (0..CHANNELS)
                    .map(|channel| Some(value(device, minute, channel)))
                    .collect(),
                extra: None,
            }],
            received_at: at + SignedDuration::from_millis(20 + (chance(device, minute) % 200) as i64),
            skew_ms: None,
            // As the front door counts them: from one that is drawn when the device connects.
            trace: TraceId(Uuid::from_u64_pair(
                chance(device, 0),
                (chance(0, device) >> 2).wrapping_add(minute),
            )),
        })
    }

    /// The same values as lines of the narrow table: device, metric, time, value.
    pub fn lines(&self, messages: std::ops::Range<u64>) -> String {
        let devices = self.ids.len() as u64;
        let mut text = String::new();
        for number in messages {
            let (device, minute) = (number % devices, number / devices);
            let id = self.ids.get(device as usize).copied().unwrap_or_default();
            let at = at(minute);
            for channel in 0..CHANNELS {
                let value = f64::from(value(device, minute, channel)) / 10.0;
                // Writing to a string does not fail.
                let _ = writeln!(text, "{id}\t{channel}\t{at}\t{value}");
            }
        }
        text
    }
}

fn at(minute: u64) -> Timestamp {
    let minute = i64::try_from(minute).unwrap_or(i64::MAX / 60);
    Timestamp::from_second(START.saturating_add(minute.saturating_mul(60))).unwrap_or(Timestamp::MAX)
}

/// The stored integer: tenths.
pub fn value(device: u64, minute: u64, channel: u8) -> i32 {
    let day = (minute + device * 7) % DAY;
    let phase = day as f64 / DAY as f64 * std::f64::consts::TAU + f64::from(channel);
    let noise = chance(device, minute ^ u64::from(channel) << 48);
    (200.0 + 50.0 * f64::from(channel) + 100.0 * phase.sin()) as i32 + ((noise >> 33) % 21) as i32
}

/// A number that looks like chance and is the same each time.
fn chance(one: u64, other: u64) -> u64 {
    let mixed = one.wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ other.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 29).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 32
}
