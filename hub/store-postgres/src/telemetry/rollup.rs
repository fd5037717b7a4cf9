//! What is shown of an appliance's readings — how many, and the time of the newest — is counted from the rows after they
//! are committed, up to an offset of each partition that moves in the same transaction: whatever happens at whatever
//! moment, every row is counted once.

use super::gauge::Gauges;
use super::guard::{GuardKey, SIGN};
use super::partition_set::share;
use super::upkeep;
use super::window;
use crate::row::{Columns, db, sql, sql_maybe};
use crate::store::PostgresStore;
use hub_store::error::Result;
use jiff::Timestamp;
use sqlx::PgConnection;
use std::collections::BTreeMap;
use tokio::time::Instant;

/// A round under way: of each partition that it has to do with, the last number that was stored when the round began. What
/// comes later waits for the next round, so that a round ends under any load.
pub(crate) type Round = BTreeMap<i16, i64>;

/// Rows in a step are not halved below this. Each partition has its share in any case.
const ROWS_MIN: usize = 100;

/// Rolls up at most about `limit` rows of the round under way; answers with how many it were. 0 ends the round.
pub(super) async fn roll_up(store: &PostgresStore, limit: usize) -> Result<usize> {
    let mut under_way = store.writer.round.lock().await;
    let mut round = match under_way.take() {
        Some(round) => round,
        None => begin(store).await?,
    };
    let gauges = Pending::take(store);
    let mut rows = 0;
    if !round.is_empty() || !gauges.counts.is_empty() {
        // Kept meanwhile: a caller that gives this step up has not lost what was due.
        *under_way = Some(round.clone());
        let step = store.writer.rollup_pace.step("roll-up", limit, ROWS_MIN);
        let done = add(store, &round, step.size, &gauges.counts).await;
        step.end(&done);
        let done = done?;
        rows = done.rows;
        gauges.written();
        leave(store, &mut round, &done.offsets, &done.spans);
        *under_way = Some(round);
    }
    if rows == 0 {
        *under_way = None;
        upkeep::keep(store, Instant::now()).await?;
    }
    Ok(rows)
}

/// A step that is committed.
struct Done {
    offsets: Vec<Offset>,
    spans: Vec<Span>,
    rows: usize,
}

async fn add(store: &PostgresStore, round: &Round, limit: usize, gauges: &Gauges) -> Result<Done> {
    let mut tx = store.begin().await?;
    let offsets = lock(&mut tx, round).await?;
    let spans = spans(&offsets, round, limit);
    let rows = write(&mut tx, &spans, gauges).await?;
    tx.commit().await.map_err(db)?;
    Ok(Done { offsets, spans, rows })
}

/// What is stored of the partitions that have something to do.
async fn begin(store: &PostgresStore) -> Result<Round> {
    let due = store.writer.unrolled.take(Instant::now());
    if due.numbers.is_empty() {
        return Ok(Round::new());
    }
    // The writer knows, unless it has not written yet.
    let heads = match store.writer.stored().await {
        Some((heads, _)) => heads,
        None => {
            let mut conn = store.pool.acquire().await.map_err(db)?;
            window::heads(&mut conn).await?
        }
    };
    let head = |partition: &i16| Some((*partition, *heads.get(usize::from(partition.cast_unsigned()))?));
    let round = due.numbers.iter().filter_map(head).collect();
    // They are the round's now.
    due.settle(|_| true);
    Ok(round)
}

/// Takes out of the round what it has reached, and what somebody else is rolling up, which is looked at again with the next.
fn leave(store: &PostgresStore, round: &mut Round, offsets: &[Offset], spans: &[Span]) {
    round.retain(|partition, mark| {
        let Some(offset) = offsets.iter().find(|offset| offset.partition == *partition) else {
            store.writer.unrolled.insert(*partition);
            return false;
        };
        let reached = spans
            .iter()
            .find(|span| span.partition == *partition)
            .map(|span| span.high);
        reached.unwrap_or(offset.ingest_no) < *mark
    });
}

/// Counts taken for a roll-up; they wait for the next one unless they were written.
struct Pending<'a> {
    store: &'a PostgresStore,
    counts: Gauges,
}

impl<'a> Pending<'a> {
    fn take(store: &'a PostgresStore) -> Self {
        let counts = std::mem::take(&mut *store.writer.gauges());
        Self { store, counts }
    }

    fn written(mut self) {
        self.counts = Gauges::default();
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if !self.counts.is_empty() {
            let mut waiting = self.store.writer.gauges();
            // What came meanwhile is newer.
            let newer = std::mem::replace(&mut *waiting, std::mem::take(&mut self.counts));
            waiting.add(newer);
        }
    }
}

/// How far a partition is rolled up.
struct Offset {
    partition: i16,
    ingest_no: i64,
    /// What lies above was measured at this time or later, or is in `late`.
    from: Timestamp,
}

/// Rows of one partition: those above `low`, up to `high`.
struct Span {
    partition: i16,
    low: i64,
    high: i64,
    /// See [`Offset::from`].
    from: Timestamp,
}

/// Locks the offsets of the round's partitions. Those that somebody else is rolling up are left to them.
async fn lock(conn: &mut PgConnection, round: &Round) -> Result<Vec<Offset>> {
    let rows = sqlx::query(
        "select partition, ingest_no, seen_at from rolled where partition = any($1) order by partition \
         for no key update skip locked",
    )
    .bind(round.keys().copied().collect::<Vec<i16>>())
    .fetch_all(conn)
    .await
    .map_err(db)?;
    rows.iter()
        .map(|row| {
            Ok(Offset {
                partition: row.col("partition")?,
                ingest_no: row.col("ingest_no")?,
                from: window::before(row.at("seen_at")?),
            })
        })
        .collect()
}

/// What to roll up of the partitions that are locked: about `limit` rows, of each the same share.
fn spans(offsets: &[Offset], round: &Round, limit: usize) -> Vec<Span> {
    let waiting = offsets.iter().filter_map(|offset| {
        let mark = *round.get(&offset.partition)?;
        (offset.ingest_no < mark).then_some((offset, mark))
    });
    let share = share(limit, waiting.clone().count());
    waiting
        .map(|(offset, mark)| Span {
            partition: offset.partition,
            low: offset.ingest_no,
            high: mark.min(offset.ingest_no.saturating_add(share)),
            from: offset.from,
        })
        .collect()
}

/// Rows of these spans: of the newest weeks, and of those that came late. Looked up span by span, so that no statistics can
/// make the planner read a week for a handful of rows.
const ROWS: &str = "select t.* from unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::timestamptz[]) \
       as k (partition, low, high, starts) cross join lateral ( \
         select partition, appliance, boot, lane, seq, at, received_at from telemetry \
         where partition = k.partition and ingest_no > k.low and ingest_no <= k.high and at >= k.starts and at >= $5 offset 0) t \
     union all \
     select t.* from unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::timestamptz[]) \
       as k (partition, low, high, starts) cross join lateral ( \
         select appliance, at, ingest_no from late where partition = k.partition and ingest_no > k.low \
           and ingest_no <= k.high and at < k.starts offset 0) l \
       cross join lateral ( \
         select partition, appliance, boot, lane, seq, at, received_at from telemetry where appliance = l.appliance \
           and at = l.at and ingest_no = l.ingest_no and partition = k.partition offset 0) t";

/// What is added to one appliance.
#[derive(Default)]
struct Added {
    samples: i64,
    newest: Option<Timestamp>,
}

/// What the rows of some spans say.
#[derive(Default)]
struct Sums {
    appliances: BTreeMap<i64, Added>,
    /// Newest receipt of each partition.
    seen: BTreeMap<i16, Timestamp>,
    sequences: BTreeMap<GuardKey, Numbers>,
}

/// Numbers of one sequence, as the database writes a multirange without its braces, and when one of its rows was received
/// last.
struct Numbers {
    ranges: String,
    used_at: Timestamp,
}

impl Sums {
    /// Notes numbers of a sequence. Its rows may be of two partitions, where that of its appliance has changed.
    fn note(&mut self, key: GuardKey, ranges: &str, used_at: Timestamp) {
        let ranges = ranges.trim_matches(['{', '}']);
        let own = self.sequences.entry(key).or_insert(Numbers {
            ranges: String::new(),
            used_at,
        });
        if !own.ranges.is_empty() {
            own.ranges.push(',');
        }
        own.ranges.push_str(ranges);
        own.used_at = used_at.max(own.used_at);
    }
}

async fn write(conn: &mut PgConnection, spans: &[Span], gauges: &Gauges) -> Result<usize> {
    let mut sums = if spans.is_empty() {
        Sums::default()
    } else {
        sum(conn, spans).await?
    };
    advance(conn, spans, &sums.seen).await?;
    save_numbers(conn, &sums.sequences).await?;
    let counts: BTreeMap<i64, _> = gauges.sorted().into_iter().collect();
    for appliance in counts.keys() {
        sums.appliances.entry(*appliance).or_default();
    }
    status(conn, &sums.appliances, &counts).await?;
    // Numbers have no holes, so these are the rows, but for those that went for their age.
    let passed: i64 = spans.iter().map(|span| span.high - span.low).sum();
    Ok(usize::try_from(passed).unwrap_or(usize::MAX))
}

async fn sum(conn: &mut PgConnection, spans: &[Span]) -> Result<Sums> {
    // Told as one value, the earliest moment leaves out old weeks before the statement starts.
    let floor = spans.iter().map(|span| span.from).min().unwrap_or(Timestamp::MIN);
    let query = format!(
        "select partition, appliance, boot, lane, range_agg(int8range(seq # $6, nullif(seq # $6, 9223372036854775807) + 1)) \
           filter (where seq is not null)::text as numbers, count(*) as samples, max(at) as newest, \
           max(received_at) as seen from ({ROWS}) t group by partition, appliance, boot, lane \
         order by appliance, boot, lane"
    );
    let rows = sqlx::query(&query)
        .bind(spans.iter().map(|span| span.partition).collect::<Vec<i16>>())
        .bind(spans.iter().map(|span| span.low).collect::<Vec<i64>>())
        .bind(spans.iter().map(|span| span.high).collect::<Vec<i64>>())
        .bind(spans.iter().map(|span| sql(span.from)).collect::<Vec<_>>())
        .bind(sql(floor))
        .bind(SIGN)
        .fetch_all(conn)
        .await
        .map_err(db)?;
    let mut sums = Sums::default();
    for row in &rows {
        let (appliance, samples) = (row.col("appliance")?, row.col::<i64>("samples")?);
        let (newest, seen) = (row.at("newest")?, row.at("seen")?);
        let added = sums.appliances.entry(appliance).or_default();
        added.samples += samples;
        added.newest = added.newest.max(Some(newest));
        let partition = sums.seen.entry(row.col("partition")?).or_insert(seen);
        *partition = seen.max(*partition);
        if let (Some(boot), Some(lane), Some(numbers)) = (row.col("boot")?, row.col("lane")?, row.col("numbers")?) {
            sums.note((appliance, boot, lane), numbers, seen);
        }
    }
    Ok(sums)
}

async fn advance(conn: &mut PgConnection, spans: &[Span], seen: &BTreeMap<i16, Timestamp>) -> Result<()> {
    if spans.is_empty() {
        return Ok(());
    }
    let seen = |span: &Span| sql_maybe(seen.get(&span.partition).copied());
    sqlx::query(
        "update rolled r set ingest_no = k.high, seen_at = greatest(r.seen_at, k.seen) \
         from unnest($1::smallint[], $2::bigint[], $3::timestamptz[]) as k (partition, high, seen) \
         where r.partition = k.partition",
    )
    .bind(spans.iter().map(|span| span.partition).collect::<Vec<i16>>())
    .bind(spans.iter().map(|span| span.high).collect::<Vec<i64>>())
    .bind(spans.iter().map(seen).collect::<Vec<_>>())
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// A sequence's numbers occupy at most about this much, in bytes: some 1,100 ranges, one more than there are holes.
const NUMBERS_BYTES_MAX: i32 = 24_576;
/// Ranges that are left when it was more; what lies below them goes to quarantine unless it is noted again.
const RANGES_LEFT: i64 = 500;

/// Notes the numbers of each sequence, for guards that are rebuilt and for what is older than they know.
async fn save_numbers(conn: &mut PgConnection, sequences: &BTreeMap<GuardKey, Numbers>) -> Result<()> {
    if sequences.is_empty() {
        return Ok(());
    }
    let split = |at: fn(&GuardKey) -> i64| sequences.keys().map(at).collect::<Vec<i64>>();
    let (appliances, boots) = (split(|key| key.0), split(|key| key.1));
    let lanes: Vec<i16> = sequences.keys().map(|key| key.2).collect();
    let multirange = |numbers: &Numbers| format!("{{{}}}", numbers.ranges);
    let large = sqlx::query(
        "with noted as ( \
           insert into sequence as s (appliance, boot, lane, stored, used_at) \
           select appliance, boot, lane, stored::int8multirange, used_at \
           from unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::text[], $5::timestamptz[]) \
             as k (appliance, boot, lane, stored, used_at) \
           on conflict (appliance, boot, lane) do update set stored = s.stored + excluded.stored, \
             used_at = greatest(s.used_at, excluded.used_at) \
           returning appliance, boot, lane, pg_column_size(stored) as bytes) \
         select appliance, boot, lane from noted where bytes > $6",
    )
    .bind(&appliances)
    .bind(&boots)
    .bind(&lanes)
    .bind(sequences.values().map(multirange).collect::<Vec<String>>())
    .bind(
        sequences
            .values()
            .map(|numbers| sql(numbers.used_at))
            .collect::<Vec<_>>(),
    )
    .bind(NUMBERS_BYTES_MAX)
    .fetch_all(&mut *conn)
    .await
    .map_err(db)?;
    for row in &large {
        cut(conn, (row.col("appliance")?, row.col("boot")?, row.col("lane")?)).await?;
    }
    Ok(())
}

/// Forgets the lowest numbers of a sequence with very many holes.
async fn cut(conn: &mut PgConnection, (appliance, boot, lane): GuardKey) -> Result<()> {
    sqlx::query(
        "update sequence s set (stored, known_from) = ( \
           select range_agg(r), greatest(s.known_from, lower(range_agg(r))) from ( \
             select r from unnest(s.stored) r order by r desc limit $4) r) \
         where appliance = $1 and boot = $2 and lane = $3",
    )
    .bind(appliance)
    .bind(boot)
    .bind(lane)
    .bind(RANGES_LEFT)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

async fn status(
    conn: &mut PgConnection,
    added: &BTreeMap<i64, Added>,
    counts: &BTreeMap<i64, super::gauge::Gauge>,
) -> Result<()> {
    if added.is_empty() {
        return Ok(());
    }
    let appliances: Vec<i64> = added.keys().copied().collect();
    let gauge = |appliance: &i64| counts.get(appliance).copied().unwrap_or_default();
    // In the order of appliances, as quarantine locks them. An insert that always meets its row finds each by its key.
    sqlx::query(
        "insert into appliance_status as s (appliance, samples, last_sample_at, gaps, dropped, repeated, skew_ms) \
         select appliance, samples, newest, gaps, dropped, repeated, skew_ms \
         from unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[]) \
           as k (appliance, samples, newest, gaps, dropped, repeated, skew_ms) \
         where (select true from appliance_status where appliance = k.appliance) order by appliance \
         on conflict (appliance) do update set samples = s.samples + excluded.samples, \
           last_sample_at = greatest(s.last_sample_at, excluded.last_sample_at), \
           gaps = greatest(s.gaps + excluded.gaps, 0), dropped = s.dropped + excluded.dropped, \
           repeated = s.repeated + excluded.repeated, skew_ms = coalesce(excluded.skew_ms, s.skew_ms)",
    )
    .bind(&appliances)
    .bind(added.values().map(|a| a.samples).collect::<Vec<i64>>())
    .bind(added.values().map(|a| sql_maybe(a.newest)).collect::<Vec<_>>())
    .bind(appliances.iter().map(|a| gauge(a).gaps).collect::<Vec<i64>>())
    .bind(appliances.iter().map(|a| gauge(a).dropped).collect::<Vec<i64>>())
    .bind(appliances.iter().map(|a| gauge(a).repeated).collect::<Vec<i64>>())
    .bind(appliances.iter().map(|a| gauge(a).skew_ms).collect::<Vec<Option<i64>>>())
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}
