//! Messages without a sequence (JSON): the same content of a device within ten minutes is a repeat.

use crate::row::{Columns, db, sql};
use hub_core::telemetry::{Identity, Seen, TelemetryMessage};
use hub_store::error::Result;
use jiff::{SignedDuration, Timestamp};
use sqlx::PgConnection;
use std::collections::{BTreeMap, HashMap};

/// The same content of a device is a repeat within this time.
const REPEATS_WITHIN: SignedDuration = SignedDuration::from_mins(10);
/// Forgotten content rows removed with one batch.
const FORGOTTEN_MAX: i64 = 4_000;

/// What was seen lately of the contents of a batch.
#[derive(Default)]
pub(super) struct Contents {
    seen: HashMap<(i64, [u8; 32]), Timestamp>,
    new: Vec<(i64, [u8; 32], Timestamp)>,
}

impl Contents {
    pub(super) async fn load<'a>(
        conn: &mut PgConnection,
        messages: impl Iterator<Item = &'a TelemetryMessage>,
    ) -> Result<Self> {
        let mut asked = (Vec::new(), Vec::new());
        for message in messages {
            if let Identity::Content(hashes) = &message.identity {
                asked.0.extend(std::iter::repeat_n(message.appliance.0, hashes.len()));
                asked.1.extend(hashes.iter().map(|hash| hash.to_vec()));
            }
        }
        let mut contents = Self::default();
        if asked.0.is_empty() {
            return Ok(contents);
        }
        let rows = sqlx::query(
            "select c.appliance, c.hash, c.seen_at \
             from unnest($1::bigint[], $2::bytea[]) as k (appliance, hash) \
             join content_seen c using (appliance, hash)",
        )
        .bind(asked.0)
        .bind(asked.1)
        .fetch_all(conn)
        .await
        .map_err(db)?;
        for row in &rows {
            if let Ok(hash) = <[u8; 32]>::try_from(row.col::<Vec<u8>>("hash")?) {
                contents.seen.insert((row.col("appliance")?, hash), row.at("seen_at")?);
            }
        }
        Ok(contents)
    }

    /// Whether a sample has been stored; notes it if not.
    pub(super) fn take(&mut self, message: &TelemetryMessage, hash: Option<&[u8; 32]>) -> Seen {
        let Some(hash) = hash else {
            return Seen::No;
        };
        let key = (message.appliance.0, *hash);
        let at = message.received_at;
        if let Some(before) = self.seen.get(&key)
            && at.duration_since(*before).abs() < REPEATS_WITHIN
        {
            return Seen::Yes;
        }
        self.seen.insert(key, at);
        self.new.push((key.0, key.1, at));
        Seen::No
    }

    /// Saves what is new, and removes some of what is forgotten.
    pub(super) async fn save(self, conn: &mut PgConnection) -> Result<()> {
        // The same content may come again within one batch only after ten minutes of its own time stamps; the last counts.
        let last: BTreeMap<(i64, [u8; 32]), Timestamp> = self.new.into_iter().map(|(a, h, at)| ((a, h), at)).collect();
        let Some(now) = last.values().max().copied() else {
            return Ok(());
        };
        let appliances: Vec<i64> = last.keys().map(|key| key.0).collect();
        let hashes: Vec<Vec<u8>> = last.keys().map(|key| key.1.to_vec()).collect();
        let times: Vec<jiff_sqlx::Timestamp> = last.values().map(|at| sql(*at)).collect();
        sqlx::query(
            "insert into content_seen (appliance, hash, seen_at) \
             select * from unnest($1::bigint[], $2::bytea[], $3::timestamptz[]) \
             on conflict (appliance, hash) do update set seen_at = excluded.seen_at",
        )
        .bind(appliances)
        .bind(hashes)
        .bind(times)
        .execute(&mut *conn)
        .await
        .map_err(db)?;
        sqlx::query(
            "delete from content_seen where (appliance, hash) in ( \
               select appliance, hash from content_seen where seen_at < $1 order by seen_at limit $2 \
               for update skip locked)",
        )
        .bind(sql(now - REPEATS_WITHIN))
        .bind(FORGOTTEN_MAX)
        .execute(conn)
        .await
        .map_err(db)?;
        Ok(())
    }
}
