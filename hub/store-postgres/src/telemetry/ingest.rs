//! One batch, one transaction: what is new of it is stored, what is a repeat is counted, and the number of statements
//! does not depend on the number of messages.

use super::copy::{COPY_TELEMETRY, CopyRow, CopyRows};
use super::guard::{self, GuardKey, Guards};
use super::quarantine;
use crate::row::{Columns, db, sql, sql_maybe, without_nul};
use crate::store::PostgresStore;
use hub_core::id::TenantId;
use hub_core::telemetry::{Identity, Seen, TelemetryMessage};
use hub_store::error::Result;
use hub_store::telemetry::{Ingest, Ingested};
use jiff::{SignedDuration, Timestamp};
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The same content of a device is a repeat within this time.
const CONTENT_REPEATS_WITHIN: SignedDuration = SignedDuration::from_mins(10);
/// Forgotten content rows removed with one batch.
const CONTENT_FORGOTTEN_MAX: i64 = 4_000;
/// Clock offsets kept for each appliance: those of its newest starts.
const OFFSETS_MAX: i64 = 16;

/// What a row needs to know of its appliance. Never changes once the appliance exists.
pub(super) struct Home {
    pub(super) tenant: TenantId,
    tenant_no: i32,
    partition: i16,
}

/// A sample that is to be stored: which item, which sample of it, its sequence number if it has one.
struct Fresh<'a> {
    message: &'a TelemetryMessage,
    index: usize,
    sequence: Option<(GuardKey, u64)>,
}

/// Stores the batch.
pub(super) async fn ingest(store: &PostgresStore, batch: &[Ingest]) -> Result<Vec<Ingested>> {
    let mut answers = vec![Ingested { stored: 0, repeated: 0 }; batch.len()];
    let mut tx = store.begin().await?;
    let homes = homes(&mut tx, batch).await?;
    let messages: Vec<(usize, &TelemetryMessage)> = batch
        .iter()
        .enumerate()
        .filter_map(|(at, item)| match item {
            Ingest::Telemetry(message) if homes.contains_key(&message.appliance.0) => Some((at, message)),
            _ => None,
        })
        .collect();
    lock_partitions(&mut tx, &messages, &homes).await?;
    let fresh = take_fresh(&mut tx, &messages, &mut answers).await?;
    write_rows(&mut tx, &fresh, &homes).await?;
    write_offsets(&mut tx, batch, &homes).await?;
    let quarantined = quarantine::write(&mut tx, batch, &homes).await?;
    for at in &quarantined {
        answers[*at].stored = 1;
    }
    update_status(&mut tx, batch, &answers, &homes).await?;
    tx.commit().await.map_err(db)?;
    if !fresh.is_empty() {
        store.signals.telemetry();
    }
    Ok(answers)
}

fn appliance_of(item: &Ingest) -> i64 {
    item.appliance().0
}

/// Items of appliances that do not exist are left out: one such item must not hold back the batch.
async fn homes(conn: &mut PgConnection, batch: &[Ingest]) -> Result<HashMap<i64, Home>> {
    let ids: BTreeSet<i64> = batch.iter().map(appliance_of).collect();
    let wanted: Vec<i64> = ids.into_iter().collect();
    let rows = sqlx::query("select id, tenant, tenant_no, partition from appliance where id = any($1)")
        .bind(&wanted)
        .fetch_all(conn)
        .await
        .map_err(db)?;
    let homes = rows
        .iter()
        .map(|row| {
            let home = Home {
                tenant: row.word("tenant")?,
                tenant_no: row.col("tenant_no")?,
                partition: row.col("partition")?,
            };
            Ok((row.col("id")?, home))
        })
        .collect::<Result<HashMap<i64, Home>>>()?;
    if homes.len() < wanted.len() {
        tracing::warn!(
            appliances = wanted.len() - homes.len(),
            "items of appliances that do not exist were not stored"
        );
    }
    Ok(homes)
}

/// In order, so that two batches never wait for each other in a circle. From here to the commit nobody else stores
/// anything for these appliances: guards can be read, changed and written.
async fn lock_partitions(
    conn: &mut PgConnection,
    messages: &[(usize, &TelemetryMessage)],
    homes: &HashMap<i64, Home>,
) -> Result<()> {
    let partitions: BTreeSet<i16> = messages
        .iter()
        .filter_map(|(_, message)| Some(homes.get(&message.appliance.0)?.partition))
        .collect();
    if partitions.is_empty() {
        return Ok(());
    }
    sqlx::query("select from partition where number = any($1) order by number for update")
        .bind(partitions.into_iter().collect::<Vec<i16>>())
        .execute(conn)
        .await
        .map_err(db)?;
    Ok(())
}

/// The samples that are not stored yet, in order; counts both kinds.
async fn take_fresh<'a>(
    conn: &mut PgConnection,
    messages: &[(usize, &'a TelemetryMessage)],
    answers: &mut [Ingested],
) -> Result<Vec<Fresh<'a>>> {
    let keys: HashSet<GuardKey> = messages.iter().filter_map(|(_, m)| Some(sequence(m)?.0)).collect();
    let mut guards = Guards::load(conn, keys).await?;
    let mut contents = Contents::load(conn, messages).await?;
    let mut fresh = Vec::new();
    let mut doubtful = Vec::new();
    let mut taken = HashSet::new();
    for (at, message) in messages {
        for index in 0..message.samples.len() {
            let number = sequence(message).map(|(key, first)| (key, first.wrapping_add(index as u64)));
            let seen = match (&message.identity, number) {
                (_, Some((key, seq))) => guards.take(key, seq),
                (Identity::Content(hashes), None) => contents.take(message, hashes.get(index)),
                (Identity::Sequence { .. }, None) => Seen::No,
            };
            let sample = Fresh {
                message,
                index,
                sequence: number,
            };
            match seen {
                Seen::Yes => answers[*at].repeated += 1,
                Seen::TooOld => doubtful.push((*at, sample)),
                Seen::No => {
                    answers[*at].stored += 1;
                    taken.extend(number);
                    fresh.push(sample);
                }
            }
        }
    }
    if !doubtful.is_empty() {
        let asked: Vec<(GuardKey, u64)> = doubtful.iter().filter_map(|(_, sample)| sample.sequence).collect();
        // Stored before, or taken from this very batch before the mark moved on.
        taken.extend(guard::stored(conn, &asked).await?);
        for (at, sample) in doubtful {
            let new = sample.sequence.is_some_and(|number| taken.insert(number));
            if new {
                answers[at].stored += 1;
                fresh.push(sample);
            } else {
                answers[at].repeated += 1;
            }
        }
    }
    if let Some(newest) = messages.iter().map(|(_, m)| m.received_at).max() {
        guards.save(conn, newest).await?;
        contents.save(conn, newest).await?;
    }
    Ok(fresh)
}

fn sequence(message: &TelemetryMessage) -> Option<(GuardKey, u64)> {
    match message.identity {
        Identity::Sequence { boot, lane, first } => Some((guard::key(message.appliance.0, boot, lane), first)),
        Identity::Content(_) => None,
    }
}

/// What was seen lately of messages without a sequence.
struct Contents {
    seen: HashMap<(i64, [u8; 32]), Timestamp>,
    new: Vec<(i64, [u8; 32], Timestamp)>,
}

impl Contents {
    async fn load(conn: &mut PgConnection, messages: &[(usize, &TelemetryMessage)]) -> Result<Self> {
        let mut asked = (Vec::new(), Vec::new());
        for (_, message) in messages {
            if let Identity::Content(hashes) = &message.identity {
                asked.0.extend(std::iter::repeat_n(message.appliance.0, hashes.len()));
                asked.1.extend(hashes.iter().map(|hash| hash.to_vec()));
            }
        }
        let mut seen = HashMap::new();
        if !asked.0.is_empty() {
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
                    seen.insert((row.col("appliance")?, hash), row.at("seen_at")?);
                }
            }
        }
        Ok(Self { seen, new: Vec::new() })
    }

    fn take(&mut self, message: &TelemetryMessage, hash: Option<&[u8; 32]>) -> Seen {
        let Some(hash) = hash else {
            return Seen::No;
        };
        let key = (message.appliance.0, *hash);
        let at = message.received_at;
        if let Some(before) = self.seen.get(&key)
            && at.duration_since(*before).abs() < CONTENT_REPEATS_WITHIN
        {
            return Seen::Yes;
        }
        self.seen.insert(key, at);
        self.new.push((key.0, key.1, at));
        Seen::No
    }

    async fn save(self, conn: &mut PgConnection, now: Timestamp) -> Result<()> {
        if self.new.is_empty() {
            return Ok(());
        }
        // The same content may come again within one batch only after ten minutes of its own time stamps; the last counts.
        let last: BTreeMap<(i64, [u8; 32]), Timestamp> = self.new.into_iter().map(|(a, h, at)| ((a, h), at)).collect();
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
        .bind(sql(now - CONTENT_REPEATS_WITHIN))
        .bind(CONTENT_FORGOTTEN_MAX)
        .execute(conn)
        .await
        .map_err(db)?;
        Ok(())
    }
}

async fn write_rows(conn: &mut PgConnection, fresh: &[Fresh<'_>], homes: &HashMap<i64, Home>) -> Result<()> {
    if fresh.is_empty() {
        return Ok(());
    }
    let mut next = allocate(conn, fresh, homes).await?;
    let mut rows = CopyRows::with_capacity(fresh.len());
    for sample in fresh {
        let message = sample.message;
        let (Some(home), Some(content)) = (homes.get(&message.appliance.0), message.samples.get(sample.index)) else {
            continue;
        };
        let number = next.entry(home.partition).or_default();
        *number += 1;
        let extra = content.extra.clone().map(|extra| without_nul(extra).to_string());
        rows.push(&CopyRow {
            appliance: message.appliance.0,
            tenant_no: home.tenant_no,
            partition: home.partition,
            ingest_no: *number,
            at: content.at,
            received_at: message.received_at,
            sequence: sample
                .sequence
                .map(|((_, boot, lane), seq)| (boot, lane, seq.cast_signed())),
            trace: message.trace,
            values: &content.values,
            extra,
        });
    }
    let mut copy = conn.copy_in_raw(COPY_TELEMETRY).await.map_err(db)?;
    copy.send(rows.finish()).await.map_err(db)?;
    copy.finish().await.map_err(db)?;
    Ok(())
}

/// Takes numbers for these samples; answers with the last number before them, by partition.
async fn allocate(
    conn: &mut PgConnection,
    fresh: &[Fresh<'_>],
    homes: &HashMap<i64, Home>,
) -> Result<HashMap<i16, i64>> {
    let mut counts: BTreeMap<i16, i64> = BTreeMap::new();
    for sample in fresh {
        if let Some(home) = homes.get(&sample.message.appliance.0) {
            *counts.entry(home.partition).or_default() += 1;
        }
    }
    let rows = sqlx::query(
        "update partition p set last = p.last + k.count \
         from unnest($1::smallint[], $2::bigint[]) as k (number, count) where p.number = k.number \
         returning p.number, p.last - k.count as before",
    )
    .bind(counts.keys().copied().collect::<Vec<i16>>())
    .bind(counts.values().copied().collect::<Vec<i64>>())
    .fetch_all(conn)
    .await
    .map_err(db)?;
    rows.iter()
        .map(|row| Ok((row.col("number")?, row.col("before")?)))
        .collect()
}

async fn write_offsets(conn: &mut PgConnection, batch: &[Ingest], homes: &HashMap<i64, Home>) -> Result<()> {
    let mut last = BTreeMap::new();
    for item in batch {
        if let Ingest::Clock {
            appliance,
            boot,
            offset_ms,
        } = item
            && homes.contains_key(&appliance.0)
        {
            last.insert((appliance.0, boot.cast_signed()), *offset_ms);
        }
    }
    if last.is_empty() {
        return Ok(());
    }
    let appliances: Vec<i64> = last.keys().map(|key| key.0).collect();
    sqlx::query(
        "insert into clock_offset (appliance, boot, offset_ms) select * from unnest($1::bigint[], $2::bigint[], $3::bigint[]) \
         on conflict (appliance, boot) do update set offset_ms = excluded.offset_ms",
    )
    .bind(&appliances)
    .bind(last.keys().map(|key| key.1).collect::<Vec<i64>>())
    .bind(last.values().copied().collect::<Vec<i64>>())
    .execute(&mut *conn)
    .await
    .map_err(db)?;
    sqlx::query(
        "delete from clock_offset o using ( \
           select appliance, boot, row_number() over (partition by appliance order by number desc) as place \
           from clock_offset where appliance = any($1)) as old \
         where old.place > $2 and o.appliance = old.appliance and o.boot = old.boot",
    )
    .bind(&appliances)
    .bind(OFFSETS_MAX)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// What a batch adds to one appliance's status.
#[derive(Default)]
struct Added {
    newest: Option<Timestamp>,
    samples: i64,
    quarantined: i64,
    skew_ms: Option<i64>,
}

async fn update_status(
    conn: &mut PgConnection,
    batch: &[Ingest],
    answers: &[Ingested],
    homes: &HashMap<i64, Home>,
) -> Result<()> {
    let mut added: BTreeMap<i64, Added> = BTreeMap::new();
    for (item, answer) in batch.iter().zip(answers) {
        let appliance = appliance_of(item);
        if answer.stored == 0 || !homes.contains_key(&appliance) {
            continue;
        }
        let entry = added.entry(appliance).or_default();
        match item {
            Ingest::Telemetry(message) => {
                entry.samples += i64::from(answer.stored);
                entry.newest = entry.newest.max(message.samples.iter().map(|sample| sample.at).max());
                entry.skew_ms = message.skew_ms.or(entry.skew_ms);
            }
            Ingest::Quarantine(_) => entry.quarantined += 1,
            _ => {}
        }
    }
    if added.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update appliance_status s set last_sample_at = greatest(s.last_sample_at, k.newest), \
           samples = s.samples + k.samples, quarantined = s.quarantined + k.quarantined, \
           skew_ms = coalesce(k.skew_ms, s.skew_ms) \
         from unnest($1::bigint[], $2::timestamptz[], $3::bigint[], $4::bigint[], $5::bigint[]) \
           as k (appliance, newest, samples, quarantined, skew_ms) \
         where s.appliance = k.appliance",
    )
    .bind(added.keys().copied().collect::<Vec<i64>>())
    .bind(added.values().map(|a| sql_maybe(a.newest)).collect::<Vec<_>>())
    .bind(added.values().map(|a| a.samples).collect::<Vec<i64>>())
    .bind(added.values().map(|a| a.quarantined).collect::<Vec<i64>>())
    .bind(added.values().map(|a| a.skew_ms).collect::<Vec<Option<i64>>>())
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}
