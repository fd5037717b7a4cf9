//! What keeps readers' looks short: late rows that every reader has passed are taken out of their list, and where nothing
//! waits, `seen_at` follows the writer, so that a partition that is seldom used does not make readers look far back. And what
//! nobody needs any more goes: sequences that ended long ago, checkpoints of models that were replaced. After a start it looks for
//! free room once.

use crate::life::is_dead;
use crate::pace::{Pace, is_too_long};
use crate::row::{Columns, db, sql, sql_maybe};
use crate::store::PostgresStore;
use hub_core::partition::PARTITIONS;
use hub_core::telemetry::BEHIND_MAX;
use hub_store::error::{Result, StoreError};
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
const SEQUENCES: usize = 5_000;
/// Checkpoints looked at with each round.
const CHECKPOINTS: usize = 1_000;
/// Pages of them are not halved below this …
const PAGE_MIN: usize = 50;
/// … and one that has failed so often is passed over, until the table is looked through again.
const TRIES_MAX: u32 = 3;

/// When it was done last, and how far it has come.
#[derive(Debug)]
pub(crate) struct Upkeep {
    /// Free room was looked for.
    has_room: bool,
    late: Option<Instant>,
    /// Late rows up to these numbers are taken out.
    late_gone: [i64; PARTITIONS],
    /// The partition that is looked at next.
    late_from: usize,
    /// How many partitions are looked at with one statement.
    late_pace: Pace,
    followed: Option<Instant>,
    sequences: Walk<(i64, i64, i16)>,
    checkpoints: Walk<(i64, String)>,
}

impl Default for Upkeep {
    fn default() -> Self {
        Self {
            has_room: false,
            late: None,
            late_gone: [0; PARTITIONS],
            late_from: 0,
            late_pace: Pace::default(),
            followed: None,
            sequences: Walk::default(),
            checkpoints: Walk::default(),
        }
    }
}

/// How far a table has been looked through, a page at a time and from the beginning again.
#[derive(Debug)]
struct Walk<P> {
    /// The last key of the page before.
    after: Option<P>,
    pace: Pace,
    /// How often the page behind that has failed, although it was as short as pages get.
    failed: u32,
}

impl<P> Default for Walk<P> {
    fn default() -> Self {
        Self {
            after: None,
            pace: Pace::default(),
            failed: 0,
        }
    }
}

impl<P> Walk<P> {
    /// Whether the page that is due is passed over: nothing of it goes.
    fn is_passed(&self) -> bool {
        self.failed >= TRIES_MAX
    }

    /// A page of so many rows was looked at, and this is the last key of it. What failed stays due.
    fn go_on(&mut self, rows: usize, page: Result<Option<P>>) -> Result<()> {
        match page {
            Ok(last) => {
                self.after = last;
                self.failed = 0;
                Ok(())
            }
            Err(error) => {
                let goes_shorter = is_too_long(&error) && rows > PAGE_MIN;
                if !goes_shorter && !is_away(&error) {
                    self.failed += 1;
                }
                Err(error)
            }
        }
    }
}

/// Looks through the table whose rows come and go by the second. What a database knows of free room goes with its violent end,
/// and a vacuum passes over pages that have been empty for long: so the table would grow by some each time.
async fn find_room(store: &PostgresStore) -> Result<()> {
    let vacuum = "vacuum (disable_page_skipping) inbound_packet";
    store.pool.execute(vacuum).await.map_err(db)?;
    Ok(())
}

/// Does what is due at `now`. Only for who holds the lease: others do nothing. What fails is told here and is due again at its
/// own pace: the rows are counted all the same.
///
/// # Errors
/// Where the store is away, or the lease is lost.
pub(super) async fn keep(store: &PostgresStore, now: Instant) -> Result<()> {
    let mut upkeep = store.writer.upkeep.lock().await;
    let is_due = |last: Option<Instant>, every| last.is_none_or(|last| now.duration_since(last) >= every);
    if !store.has_lease() {
        return Ok(());
    }
    if !upkeep.has_room {
        upkeep.has_room = true;
        tolerate("free room", find_room(store).await)?;
    }
    if is_due(upkeep.late, LATE_EVERY) {
        // First, so that what fails, or is given up, is not tried again with every round.
        upkeep.late = Some(now);
        tolerate("list of late rows", forget_late(store, &mut upkeep).await)?;
        tolerate("sequences", forget_sequences(store, &mut upkeep.sequences).await)?;
        tolerate("checkpoints", forget_checkpoints(store, &mut upkeep.checkpoints).await)?;
    }
    if is_due(upkeep.followed, FOLLOW_EVERY) {
        match follow(store).await {
            // The writer does not know yet; nothing was asked.
            Ok(false) => {}
            followed => {
                upkeep.followed = Some(now);
                tolerate("marks of readers", followed.map(drop))?;
            }
        }
    }
    Ok(())
}

/// Tells what has failed of upkeep alone, which is no failure of the roll-up.
fn tolerate(what: &'static str, outcome: Result<()>) -> Result<()> {
    match outcome {
        Err(error) if !is_away(&error) => {
            tracing::warn!(
                what,
                error = &error as &dyn std::error::Error,
                "upkeep step failed: counting goes on, the step is tried again"
            );
            Ok(())
        }
        told => told,
    }
}

/// Whether the store is away, or the lease is lost: then it is not upkeep alone that has failed.
fn is_away(error: &StoreError) -> bool {
    match error {
        StoreError::Deposed => true,
        StoreError::Unavailable(source) => match source.downcast_ref::<sqlx::Error>() {
            // The database has answered, if only that it ends.
            Some(error) => error.as_database_error().is_none() || is_dead(error),
            None => !is_too_long(error),
        },
        StoreError::NotFound { .. }
        | StoreError::Conflict(_)
        | StoreError::NotAllowed(_)
        | StoreError::Account(_)
        | StoreError::Ticket(_)
        | StoreError::Attempt(_)
        | StoreError::Unreadable { .. }
        | StoreError::Refused(_) => false,
    }
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
    // The hub that takes over afterwards reads what is written here before it writes anything.
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

/// Forgets some sequences that ended long ago, as far as deletion by age may go.
async fn forget_sequences(store: &PostgresStore, walk: &mut Walk<(i64, i64, i16)>) -> Result<()> {
    let Some(now) = store.writer.at_least().await else {
        return Ok(());
    };
    let before = store
        .gate
        .as_of(now)
        .and_then(|until| until.checked_sub(SEQUENCES_FOR).ok());
    let before = before.filter(|_| !walk.is_passed());
    let step = walk.pace.step("sequences", SEQUENCES, PAGE_MIN);
    let rows = step.size;
    let page = sequences(store, walk.after, rows, before).await;
    step.end(&page);
    walk.go_on(rows, page)
}

/// Forgets what was used last before that time of a page of sequences, nothing without a time; answers with the last one of
/// the page.
async fn sequences(
    store: &PostgresStore,
    after: Option<(i64, i64, i16)>,
    rows: usize,
    before: Option<Timestamp>,
) -> Result<Option<(i64, i64, i16)>> {
    let (appliance, boot, lane) = after.unwrap_or((i64::MIN, i64::MIN, i16::MIN));
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
    .bind(i64::try_from(rows).unwrap_or(i64::MAX))
    .bind(sql_maybe(before))
    .fetch_optional(&store.pool)
    .await
    .map_err(db)?;
    last.map(|row| Ok((row.col("appliance")?, row.col("boot")?, row.col("lane")?)))
        .transpose()
}

/// Forgets checkpoints of some appliances where one of another model was saved 30 days later. A model that watches an
/// appliance is saved at least as often as it is given rows, so another one has watched it since. The last checkpoint of an
/// appliance stays, however old it is, and a model that is served again within that time finds its own. The time that the other
/// one was saved at is the hub's own word: it counts as far as deletion by age may go.
async fn forget_checkpoints(store: &PostgresStore, walk: &mut Walk<(i64, String)>) -> Result<()> {
    let until = store.gate.as_of(Timestamp::MAX).filter(|_| !walk.is_passed());
    let step = walk.pace.step("checkpoints", CHECKPOINTS, PAGE_MIN);
    let rows = step.size;
    let page = checkpoints(store, walk.after.clone(), rows, until).await;
    step.end(&page);
    walk.go_on(rows, page)
}

/// Forgets what is due of a page of checkpoints as of that time, nothing without a time; answers with the last one of the page.
async fn checkpoints(
    store: &PostgresStore,
    after: Option<(i64, String)>,
    rows: usize,
    until: Option<Timestamp>,
) -> Result<Option<(i64, String)>> {
    let (appliance, model) = after.unwrap_or((i64::MIN, String::new()));
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
           where p.model <> '' and p.saved_at < least(n.newest, $4::timestamptz) - interval '720 hours' \
             and $4::timestamptz is not null)) \
           and saved_at < (select max(saved_at) from page) - interval '720 hours') \
         select appliance, model from page order by appliance desc, model desc limit 1",
    )
    .bind(appliance)
    .bind(model)
    .bind(i64::try_from(rows).unwrap_or(i64::MAX))
    .bind(sql_maybe(until))
    .fetch_optional(&mut *tx)
    .await
    .map_err(db)?;
    tx.commit().await.map_err(db)?;
    last.map(|row| Ok((row.col("appliance")?, row.col("model")?)))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn failed(error: sqlx::Error) -> StoreError {
        StoreError::Unavailable(Box::new(error))
    }

    #[test]
    fn a_page_that_fails_stays_due_and_is_passed_over_after_some_tries() {
        let mut walk = Walk::default();
        walk.go_on(PAGE_MIN, Ok(Some(7))).unwrap();
        let refused = || StoreError::Refused("a trigger".to_owned());
        for _ in 0..TRIES_MAX {
            assert!(!walk.is_passed());
            walk.go_on(PAGE_MIN, Err(refused())).unwrap_err();
            assert_eq!(walk.after, Some(7), "nothing is skipped");
        }
        assert!(walk.is_passed());
        walk.go_on(PAGE_MIN, Ok(Some(9))).unwrap();
        assert!(!walk.is_passed(), "the next page is not");
        // A store that is away says nothing of the page.
        for _ in 0..=TRIES_MAX {
            let away = failed(sqlx::Error::Io(io::ErrorKind::TimedOut.into()));
            walk.go_on(PAGE_MIN, Err(away)).unwrap_err();
        }
        assert!(!walk.is_passed());
    }

    #[tokio::test]
    async fn a_page_that_takes_too_long_goes_shorter_before_it_is_passed_over() {
        let mut walk = Walk::<i64>::default();
        for _ in 0..=TRIES_MAX {
            let late = tokio::time::timeout(Duration::ZERO, std::future::pending::<()>()).await;
            let late = late.map_err(|late| StoreError::Unavailable(Box::new(late)));
            walk.go_on(PAGE_MIN + 1, late.map(|()| None)).unwrap_err();
        }
        assert!(!walk.is_passed());
    }

    #[test]
    fn only_a_store_that_is_away_fails_the_roll_up() {
        for away in [
            failed(sqlx::Error::Io(io::ErrorKind::ConnectionReset.into())),
            failed(sqlx::Error::PoolTimedOut),
            StoreError::Deposed,
        ] {
            assert!(tolerate("test", Err(away)).is_err());
        }
        let own = StoreError::Refused("a trigger".to_owned());
        assert!(tolerate("test", Err(own)).is_ok());
    }
}
