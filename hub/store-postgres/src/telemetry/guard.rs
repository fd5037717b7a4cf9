//! Duplicate guards of a batch: loaded at once, rebuilt from the rows where missing, asked sample by sample, saved at
//! once. What is older than a guard's bitmap is looked up, never presumed.

use crate::row::{Columns, db, sql, unreadable};
use hub_core::telemetry::{Lane, Seen, SequenceGuard};
use hub_store::error::Result;
use jiff::Timestamp;
use sqlx::PgConnection;
use std::collections::{HashMap, HashSet};

/// Guards kept for each appliance and lane: its newest starts. Older ones are rebuilt from the rows when needed.
const GUARDS_MAX: i64 = 16;

/// Appliance, boot, lane; unsigned numbers are stored bit by bit.
pub(super) type GuardKey = (i64, i64, i16);

/// The key of a sequence.
pub(super) fn key(appliance: i64, boot: u64, lane: Lane) -> GuardKey {
    (appliance, boot.cast_signed(), lane as i16)
}

/// The guards of one batch.
pub(super) struct Guards {
    guards: HashMap<GuardKey, SequenceGuard>,
    new: HashSet<GuardKey>,
}

impl Guards {
    /// Loads them. The caller holds the partitions of these appliances locked.
    pub(super) async fn load(conn: &mut PgConnection, keys: HashSet<GuardKey>) -> Result<Self> {
        let mut guards = HashMap::with_capacity(keys.len());
        if keys.is_empty() {
            return Ok(Self { guards, new: keys });
        }
        let (appliances, boots, lanes) = columns(keys.iter().copied());
        let rows = sqlx::query(
            "select g.appliance, g.boot, g.lane, g.mark, g.bits \
             from unnest($1::bigint[], $2::bigint[], $3::smallint[]) as k (appliance, boot, lane) \
             join seq_guard g using (appliance, boot, lane)",
        )
        .bind(appliances)
        .bind(boots)
        .bind(lanes)
        .fetch_all(&mut *conn)
        .await
        .map_err(db)?;
        for row in &rows {
            let guard = SequenceGuard {
                mark: row.col::<i64>("mark")?.cast_unsigned(),
                bits: bits(row.col("bits")?)?,
            };
            guards.insert((row.col("appliance")?, row.col("boot")?, row.col("lane")?), guard);
        }
        let new: HashSet<GuardKey> = keys.into_iter().filter(|key| !guards.contains_key(key)).collect();
        rebuild(conn, &new, &mut guards).await?;
        Ok(Self { guards, new })
    }

    /// Whether a sample has been stored; notes it if not.
    pub(super) fn take(&mut self, key: GuardKey, seq: u64) -> Seen {
        let guard = self.guards.entry(key).or_default();
        let seen = guard.seen(seq);
        if seen == Seen::No {
            guard.note(seq);
        }
        seen
    }

    /// Saves all of them, and drops the oldest of appliances that started anew.
    pub(super) async fn save(self, conn: &mut PgConnection, now: Timestamp) -> Result<()> {
        if self.guards.is_empty() {
            return Ok(());
        }
        let (appliances, boots, lanes) = columns(self.guards.keys().copied());
        let marks: Vec<i64> = self.guards.values().map(|g| g.mark.cast_signed()).collect();
        let bits: Vec<Vec<u8>> = self
            .guards
            .values()
            .map(|g| g.bits.iter().flat_map(|word| word.to_be_bytes()).collect())
            .collect();
        sqlx::query(
            "insert into seq_guard (appliance, boot, lane, mark, bits, used_at) \
             select appliance, boot, lane, mark, bits, $6 \
             from unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::bigint[], $5::bytea[]) \
               as k (appliance, boot, lane, mark, bits) \
             on conflict (appliance, boot, lane) do update \
             set mark = excluded.mark, bits = excluded.bits, used_at = excluded.used_at",
        )
        .bind(appliances)
        .bind(boots)
        .bind(lanes)
        .bind(marks)
        .bind(bits)
        .bind(sql(now))
        .execute(&mut *conn)
        .await
        .map_err(db)?;
        if self.new.is_empty() {
            return Ok(());
        }
        let started: Vec<i64> = self.new.iter().map(|key| key.0).collect();
        sqlx::query(
            "delete from seq_guard g using ( \
               select appliance, boot, lane, \
                      row_number() over (partition by appliance, lane order by used_at desc, boot) as place \
               from seq_guard where appliance = any($1)) as old \
             where old.place > $2 and g.appliance = old.appliance and g.boot = old.boot and g.lane = old.lane",
        )
        .bind(started)
        .bind(GUARDS_MAX)
        .execute(conn)
        .await
        .map_err(db)?;
        Ok(())
    }
}

/// The newest stored numbers of sequences without a guard: none for a new start, some where the guard was dropped.
async fn rebuild(
    conn: &mut PgConnection,
    keys: &HashSet<GuardKey>,
    guards: &mut HashMap<GuardKey, SequenceGuard>,
) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let (appliances, boots, lanes) = columns(keys.iter().copied());
    let rows = sqlx::query(
        "select k.appliance, k.boot, k.lane, t.seq \
         from unnest($1::bigint[], $2::bigint[], $3::smallint[]) as k (appliance, boot, lane) \
         cross join lateral ( \
           select t.seq from telemetry t \
           where t.appliance = k.appliance and t.boot = k.boot and t.lane = k.lane and t.seq is not null \
           order by t.seq desc limit $4) t",
    )
    .bind(appliances)
    .bind(boots)
    .bind(lanes)
    .bind(SequenceGuard::REACH.cast_signed())
    .fetch_all(conn)
    .await
    .map_err(db)?;
    for row in &rows {
        let key = (row.col("appliance")?, row.col("boot")?, row.col("lane")?);
        guards
            .entry(key)
            .or_default()
            .note(row.col::<i64>("seq")?.cast_unsigned());
    }
    Ok(())
}

/// Which of these samples are stored.
pub(super) async fn stored(conn: &mut PgConnection, doubtful: &[(GuardKey, u64)]) -> Result<HashSet<(GuardKey, u64)>> {
    let (appliances, boots, lanes) = columns(doubtful.iter().map(|(key, _)| *key));
    let seqs: Vec<i64> = doubtful.iter().map(|(_, seq)| seq.cast_signed()).collect();
    let rows = sqlx::query(
        "select k.appliance, k.boot, k.lane, k.seq \
         from unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::bigint[]) as k (appliance, boot, lane, seq) \
         where exists (select from telemetry t where t.appliance = k.appliance and t.boot = k.boot \
                       and t.lane = k.lane and t.seq = k.seq and t.seq is not null)",
    )
    .bind(appliances)
    .bind(boots)
    .bind(lanes)
    .bind(seqs)
    .fetch_all(conn)
    .await
    .map_err(db)?;
    rows.iter()
        .map(|row| {
            let key = (row.col("appliance")?, row.col("boot")?, row.col("lane")?);
            Ok((key, row.col::<i64>("seq")?.cast_unsigned()))
        })
        .collect()
}

fn columns(keys: impl Iterator<Item = GuardKey>) -> (Vec<i64>, Vec<i64>, Vec<i16>) {
    let mut split = (Vec::new(), Vec::new(), Vec::new());
    for (appliance, boot, lane) in keys {
        split.0.push(appliance);
        split.1.push(boot);
        split.2.push(lane);
    }
    split
}

fn bits(stored: Vec<u8>) -> Result<[u64; 4]> {
    let bytes: [u8; 32] = stored
        .try_into()
        .map_err(|_| unreadable("bits")("a guard's bitmap is not 32 bytes".into()))?;
    let mut words = [0; 4];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    }
    Ok(words)
}
