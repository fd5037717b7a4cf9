//! What keeps readers' looks short: late rows that every reader has passed are taken out of their list, and where nothing
//! waits, `seen_at` follows the writer, so that a partition that is seldom used does not make readers look far back. And what
//! nobody needs any more goes: sequences that ended long ago, checkpoints of models that were replaced.

use crate::pace::{Pace, is_too_long};
use crate::row::{Columns, db, sql};
use crate::store::PostgresStore;
use hub_core::partition::PARTITIONS;
use hub_core::telemetry::BEHIND_MAX;
use hub_store::error::Result;
use hub_store::lease::LeaseStore;
use jiff::{SignedDuration, Timestamp};
use sqlx::Executor;
use std::ops::Range;
use std::time::Duration;
use tokio::time::Instant;

/// How often late rows are taken out …
const LATE_EVERY: Duration = Duration::from_secs(60);
/// … and for how long at a time: after the outage of a fleet there may be millions, and the roll-up waits meanwhile.
const LATE_FOR: Duration = Duration::from_secs(5);
/// Late rows taken out with one statement, of all partitions that it looks at and of each.
const LATE_ROWS: i64 = 10_000;
const LATE_ROWS_OF_EACH: i64 = 1_000;
/// How often `seen_at` follows; and for so long, at most, it may be behind.
const FOLLOW_EVERY: Duration = Duration::from_secs(600);
/// Numbers of a sequence are kept for so long after its last row: no device may send again what is older, also if the
/// hub's clock has been a year ahead.
const SEQUENCES_FOR: SignedDuration = SignedDuration::from_hours(2 * BEHIND_MAX.as_hours() + 24 * 30);
/// Sequences looked at with each round.
const SEQUENCES: i64 = 5_000;

/// Checkpoints looked at with each round.
const CHECKPOINTS: i64 = 1_000;

/// When it was done last, and how far it has come.
#[derive(Debug)]
pub(crate) struct Upkeep {
    late: Option<Instant>,
    /// Late rows up to these numbers are taken out.
    late_gone: [i64; PARTITIONS],
    /// The partition that is looked at next.
    late_from: usize,
    /// How many partitions are looked at with one statement.
    late_pace: Pace,
    followed: Option<Instant>,
    sequence: Option<(i64, i64, i16)>,
    checkpoint: Option<(i64, String)>,
}

impl Default for Upkeep {
    fn default() -> Self {
        Self {
            late: None,
            late_gone: [0; PARTITIONS],
            late_from: 0,
            late_pace: Pace::default(),
            followed: None,
            sequence: None,
            checkpoint: None,
        }
    }
}

/// Does what is due at `now`. Only for who holds the lease: others do nothing.
pub(super) async fn keep(store: &PostgresStore, now: Instant) -> Result<()> {
    let mut upkeep = store.writer.upkeep.lock().await;
    let is_due = |last: Option<Instant>, every| last.is_none_or(|last| now.duration_since(last) >= every);
    if !store.has_lease() {
        return Ok(());
    }
    if is_due(upkeep.late, LATE_EVERY) {
        forget_late(store, &mut upkeep).await?;
        upkeep.sequence = forget_sequences(store, upkeep.sequence).await?;
        upkeep.checkpoint = forget_checkpoints(store, upkeep.checkpoint.take()).await?;
        upkeep.late = Some(now);
    }
    if is_due(upkeep.followed, FOLLOW_EVERY) && follow(store).await? {
        upkeep.followed = Some(now);
    }
    Ok(())
}

/// Takes late rows out that all readers have passed and that no restart reads again, some at a time. What was taken out lies
/// in the index until it is vacuumed: after a restart, when nobody knows how far this had come, a statement may not end in
/// time. Then it is tried with fewer partitions, and the roll-up goes on meanwhile.
async fn forget_late(store: &PostgresStore, upkeep: &mut Upkeep) -> Result<()> {
    let until = Instant::now() + LATE_FOR;
    while upkeep.late_from < PARTITIONS {
        let from = upkeep.late_from;
        let step = upkeep.late_pace.step("list of late rows", PARTITIONS, 1);
        let to = PARTITIONS.min(from + step.size);
        let gone = forget_late_of(store, from..to, &mut upkeep.late_gone).await;
        step.end(&gone);
        match gone {
            Ok(0) => upkeep.late_from = to,
            Ok(_) => {}
            // Of a single partition it is tried again when the others have had their turn.
            Err(error) if is_too_long(&error) && to - from == 1 => upkeep.late_from = to,
            Err(error) if is_too_long(&error) => {}
            Err(error) => return Err(error),
        }
        if Instant::now() >= until {
            return Ok(());
        }
    }
    upkeep.late_from = 0;
    Ok(())
}

/// Takes some out of these partitions; answers with how many. `gone` is how far it has come in each.
async fn forget_late_of(store: &PostgresStore, of: Range<usize>, gone: &mut [i64; PARTITIONS]) -> Result<usize> {
    let partitions: Vec<i16> = of.clone().filter_map(|number| i16::try_from(number).ok()).collect();
    // Nobody changes such a row, so it stays where it was found.
    let rows = sqlx::query(
        "delete from late where ctid = any(array( \
           select l.place from unnest($3::smallint[], $4::bigint[]) as k (partition, gone) \
             join scored s on s.partition = k.partition join rolled r on r.partition = k.partition \
             join aggregated a on a.partition = k.partition cross join lateral ( \
               select ctid as place from late where partition = k.partition and ingest_no > k.gone \
                 and ingest_no <= least(s.kept_no, r.ingest_no, a.ingest_no) order by ingest_no limit $1) l \
           limit $2)) returning partition, ingest_no",
    )
    .bind(LATE_ROWS_OF_EACH)
    .bind(LATE_ROWS)
    .bind(partitions)
    .bind(gone.get(of).unwrap_or_default())
    .fetch_all(&store.pool)
    .await
    .map_err(db)?;
    for row in &rows {
        let partition: i16 = row.col("partition")?;
        if let Some(gone) = gone.get_mut(usize::from(partition.cast_unsigned())) {
            *gone = row.col::<i64>("ingest_no")?.max(*gone);
        }
    }
    Ok(rows.len())
}

/// Moves `seen_at` on where all rows have been read; false if the writer does not know what is stored yet.
async fn follow(store: &PostgresStore) -> Result<bool> {
    let Some((heads, newest)) = store.writer.stored().await else {
        return Ok(false);
    };
    let partitions: Vec<i16> = (0..256).collect();
    // Whoever takes over afterwards reads what is written here before it writes anything.
    let mut tx = store.begin_fenced().await?;
    for table in ["scored", "rolled", "aggregated"] {
        sqlx::query(&format!(
            "update {table} r set seen_at = $3 from unnest($1::smallint[], $2::bigint[]) as k (partition, head) \
             where r.partition = k.partition and r.ingest_no >= k.head and r.seen_at < $3"
        ))
        .bind(&partitions)
        .bind(&heads)
        .bind(sql(newest))
        .execute(&mut *tx)
        .await
        .map_err(db)?;
    }
    tx.commit().await.map_err(db)?;
    Ok(true)
}

/// Forgets some sequences that ended long ago; answers with where to go on.
async fn forget_sequences(store: &PostgresStore, from: Option<(i64, i64, i16)>) -> Result<Option<(i64, i64, i16)>> {
    let Some(now) = store.writer.at_least().await else {
        return Ok(from);
    };
    let before = now.checked_sub(SEQUENCES_FOR).unwrap_or(Timestamp::MIN);
    let (appliance, boot, lane) = from.unwrap_or((i64::MIN, i64::MIN, i16::MIN));
    let last = sqlx::query(
        "with page as materialized ( \
           select appliance, boot, lane, used_at, ctid as place from sequence where (appliance, boot, lane) > ($1, $2, $3) \
           order by appliance, boot, lane limit $4), \
         gone as (delete from sequence where ctid = any(array(select place from page where used_at < $5)) and used_at < $5) \
         select appliance, boot, lane from page order by appliance desc, boot desc, lane desc limit 1",
    )
    .bind(appliance)
    .bind(boot)
    .bind(lane)
    .bind(SEQUENCES)
    .bind(sql(before))
    .fetch_optional(&store.pool)
    .await
    .map_err(db)?;
    last.map(|row| Ok((row.col("appliance")?, row.col("boot")?, row.col("lane")?)))
        .transpose()
}

/// Forgets checkpoints of some appliances where one of another model was saved 30 days later; answers with where to go on. A
/// model that watches an appliance is saved at least as often as it is given rows, so another one has watched it since. The
/// last checkpoint of an appliance stays, however old it is, and a model that is served again within that time finds its own.
async fn forget_checkpoints(store: &PostgresStore, from: Option<(i64, String)>) -> Result<Option<(i64, String)>> {
    let (appliance, model) = from.unwrap_or((i64::MIN, String::new()));
    let mut tx = store.begin().await?;
    // While there are few of them, the planner would read all of them for each.
    tx.execute("set local enable_seqscan = off").await.map_err(db)?;
    // Rows without a model say when a baseline was restarted. One that is saved meanwhile is as new as the newest of the page.
    let last = sqlx::query(
        "with page as materialized ( \
           select appliance, model, saved_at, ctid as place from checkpoint where (appliance, model) > ($1, $2) \
           order by appliance, model limit $3), \
         gone as (delete from checkpoint where ctid = any(array( \
           select p.place from page p cross join lateral ( \
             select max(c.saved_at) as newest from checkpoint c where c.appliance = p.appliance and c.model <> '' offset 0) n \
           where p.model <> '' and p.saved_at < n.newest - interval '720 hours')) \
           and saved_at < (select max(saved_at) from page) - interval '720 hours') \
         select appliance, model from page order by appliance desc, model desc limit 1",
    )
    .bind(appliance)
    .bind(model)
    .bind(CHECKPOINTS)
    .fetch_optional(&mut *tx)
    .await
    .map_err(db)?;
    tx.commit().await.map_err(db)?;
    last.map(|row| Ok((row.col("appliance")?, row.col("model")?)))
        .transpose()
}
