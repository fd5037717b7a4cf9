//! Which samples of a batch are new, and their rows.

use super::content::{self, Content};
use super::copy;
use super::gauge::Gauges;
use super::guard::{self, Doubt, Found, GuardKey};
use super::late::Late;
use super::quarantine;
use super::row::CopyRow;
use super::writer_cache::{Home, WriterCache};
use crate::row::{db, without_nul};
use hub_core::telemetry::{Identity, Seen, TelemetryMessage};
use hub_store::error::{Result, StoreError};
use hub_store::telemetry::{Ingested, Quarantined};
use sqlx::{Executor, PgConnection};
use std::collections::HashSet;

/// SQLSTATE of a row without a partition.
const CHECK_VIOLATION: &str = "23514";

/// A sample that is to be stored.
struct Fresh<'a> {
    message: &'a TelemetryMessage,
    /// Place of the message in the batch, and of the sample in the message: the order in which they came.
    at: usize,
    index: usize,
    sequence: Option<(GuardKey, u64)>,
    home: Home,
}

/// A message of an appliance that exists, with its place in the batch.
pub(super) type Placed<'a> = (usize, &'a TelemetryMessage, Home);

/// What a batch adds to the readings.
pub(super) struct New<'a> {
    rows: Vec<CopyRow<'a>>,
    late: Late,
    /// Samples of which nobody can say whether they are stored.
    aside: Vec<Quarantined>,
}

/// The samples that are not stored yet, with the next numbers of their partitions; counts both kinds. Only reads, so that
/// no transaction is needed: nobody else writes readings.
pub(super) async fn take<'a>(
    conn: &mut PgConnection,
    cache: &mut WriterCache,
    messages: &[Placed<'a>],
    answers: &mut [Ingested],
    gauges: &mut Gauges,
) -> Result<New<'a>> {
    let keys = messages.iter().filter_map(|(_, m, _)| Some(sequence(m)?.0));
    cache.load_guards(conn, keys).await?;
    let unnumbered = messages.iter().filter(|(_, message, _)| states_a_time(message));
    cache
        .load_newest(conn, unnumbered.map(|(_, message, _)| message.appliance.0))
        .await?;
    let mut fresh = Vec::with_capacity(messages.len());
    let mut doubtful = Vec::new();
    for (at, message, home) in messages {
        let mut gap = 0;
        let numbers = sequence(message);
        for index in 0..message.samples.len() {
            let sample = Fresh {
                message,
                at: *at,
                index,
                sequence: numbers.map(|(key, first)| (key, first.wrapping_add(index as u64))),
                home: *home,
            };
            match sample.seen(cache, &mut gap) {
                Seen::Yes => answers[*at].repeated += 1,
                Seen::TooOld => doubtful.push(sample),
                Seen::No => {
                    answers[*at].stored += 1;
                    fresh.push(sample);
                }
            }
        }
        gauges.telemetry(message, gap);
    }
    let (numbered, unnumbered): (Vec<_>, Vec<_>) = doubtful.into_iter().partition(|s| s.sequence.is_some());
    let aside = look_up(conn, cache, numbered, &mut fresh, answers, gauges).await?;
    look_up_contents(conn, unnumbered, &mut fresh, answers).await?;
    for (at, message, _) in messages {
        gauges.repeated(message.appliance, answers[*at].repeated);
    }
    New::of(cache, fresh, aside)
}

/// Decides on samples of which the guards know nothing; answers with those that are put aside.
async fn look_up<'a>(
    conn: &mut PgConnection,
    cache: &mut WriterCache,
    doubtful: Vec<Fresh<'a>>,
    fresh: &mut Vec<Fresh<'a>>,
    answers: &mut [Ingested],
    gauges: &mut Gauges,
) -> Result<Vec<Quarantined>> {
    if doubtful.is_empty() {
        return Ok(Vec::new());
    }
    let asked: Vec<Doubt> = doubtful.iter().filter_map(Fresh::doubt).collect();
    let Found {
        stored: mut taken,
        forgotten,
    } = guard::look_up(conn, &asked).await?;
    let mut aside = Vec::new();
    // Taken from this very batch before the mark moved on.
    taken.extend(fresh.iter().filter_map(|sample| sample.sequence));
    for sample in doubtful {
        let Some((key, seq)) = sample.sequence.filter(|number| taken.insert(*number)) else {
            answers[sample.at].repeated += 1;
            continue;
        };
        if forgotten.contains(&(key, seq)) {
            aside.push(sample.aside(key, seq));
            continue;
        }
        answers[sample.at].stored += 1;
        if let Some(guard) = cache.guard(key) {
            gauges.gap(sample.message.appliance, guard.gap(seq));
        }
        fresh.push(sample);
    }
    Ok(aside)
}

/// Decides on samples without a number that are not later than all that is known of their appliance.
async fn look_up_contents<'a>(
    conn: &mut PgConnection,
    doubtful: Vec<Fresh<'a>>,
    fresh: &mut Vec<Fresh<'a>>,
    answers: &mut [Ingested],
) -> Result<()> {
    if doubtful.is_empty() {
        return Ok(());
    }
    let asked: Vec<Content<'a>> = doubtful.iter().filter_map(Fresh::content).collect();
    let taken = fresh.iter().filter(|sample| sample.sequence.is_none());
    let repeats = content::repeats(conn, &asked, taken.filter_map(Fresh::content)).await?;
    for (place, sample) in doubtful.into_iter().enumerate() {
        if repeats.contains(&place) {
            answers[sample.at].repeated += 1;
        } else {
            answers[sample.at].stored += 1;
            fresh.push(sample);
        }
    }
    Ok(())
}

impl<'a> Fresh<'a> {
    fn content(&self) -> Option<Content<'a>> {
        let message = self.message;
        let sample = message.samples.get(self.index)?;
        Some(Content { message, sample })
    }
}

impl Fresh<'_> {
    /// What is kept of a sample of which nobody can say whether it is stored.
    fn aside(&self, (_, boot, lane): GuardKey, seq: u64) -> Quarantined {
        let sample = self.message.samples.get(self.index);
        let payload = serde_json::json!({
            "boot": boot.cast_unsigned(),
            "lane": lane,
            "seq": seq,
            "at": sample.map(|sample| sample.at),
            "stored_integers": sample.map(|sample| &sample.values),
            "extra": sample.and_then(|sample| sample.extra.as_ref()),
        });
        Quarantined {
            appliance: self.message.appliance,
            topic: "a reading".to_owned(),
            payload: payload.to_string().into_bytes(),
            reason: format!(
                "number {seq} of its boot is older than what the hub still knows of a sequence with more than a thousand holes: \
                 whether it is stored already cannot be told"
            ),
            received_at: self.message.received_at,
        }
    }

    fn doubt(&self) -> Option<Doubt> {
        let (key, seq) = self.sequence?;
        let partition = self.home.partition;
        Some(Doubt { key, seq, partition })
    }

    fn seen(&self, cache: &mut WriterCache, gap: &mut i64) -> Seen {
        match (&self.message.identity, self.sequence) {
            (Identity::Content(stated), _) => match (stated.get(self.index), self.message.samples.get(self.index)) {
                (Some(true), Some(sample)) => cache.is_later(self.message.appliance.0, sample.at),
                _ => Seen::No,
            },
            (Identity::Sequence { .. }, None) => Seen::TooOld,
            (Identity::Sequence { .. }, Some((key, seq))) => {
                // Loaded with the batch; without it, nothing is presumed.
                let Some(guard) = cache.guard(key) else {
                    return Seen::TooOld;
                };
                let missing = guard.gap(seq);
                let seen = guard.take(seq);
                if seen == Seen::No {
                    *gap += missing;
                }
                seen
            }
        }
    }
}

fn states_a_time(message: &TelemetryMessage) -> bool {
    matches!(&message.identity, Identity::Content(stated) if stated.contains(&true))
}

fn sequence(message: &TelemetryMessage) -> Option<(GuardKey, u64)> {
    match message.identity {
        Identity::Sequence { boot, lane, first } => Some((guard::key(message.appliance.0, boot, lane), first)),
        Identity::Content(_) => None,
    }
}

impl<'a> New<'a> {
    /// By partition and by appliance, which is how the indexes lie; of an appliance in the order in which they came, also those that had
    /// to be looked up first: who reads in the order of the numbers takes what comes behind a later time for too old.
    fn of(cache: &mut WriterCache, mut fresh: Vec<Fresh<'a>>, aside: Vec<Quarantined>) -> Result<Self> {
        fresh.sort_unstable_by_key(|sample| {
            let Fresh {
                home,
                message,
                at,
                index,
                ..
            } = *sample;
            (home.partition, message.appliance, at, index)
        });
        let mut rows = Vec::with_capacity(fresh.len());
        let mut late = Late::after(cache.newest());
        for sample in &fresh {
            let message = sample.message;
            let Some(content) = message.samples.get(sample.index) else {
                continue;
            };
            let ingest_no = cache.next_number(sample.home.partition)?;
            let sequence = sample
                .sequence
                .map(|((_, boot, lane), seq)| (boot, lane, seq.cast_signed()));
            late.note((sample.home.partition, ingest_no), message.appliance.0, content.at);
            let extra = content.extra.clone().map(|extra| without_nul(extra).to_string());
            rows.push(CopyRow {
                appliance: message.appliance.0,
                tenant_no: sample.home.tenant_no,
                partition: sample.home.partition,
                profile_no: sample.home.profile_no,
                ingest_no,
                at: content.at,
                received_at: message.received_at,
                sequence,
                trace: message.trace,
                values: &content.values,
                extra,
            });
        }
        Ok(Self { rows, late, aside })
    }

    /// Where rows are added.
    pub(super) fn partitions(&self) -> HashSet<i16> {
        self.rows.iter().map(|row| row.partition).collect()
    }

    /// Stores them for good. Rows alone are one statement, which needs no transaction around it.
    pub(super) async fn commit(self, conn: &mut PgConnection) -> Result<()> {
        if self.late.is_empty() && self.aside.is_empty() {
            return self.write(conn).await;
        }
        conn.execute("BEGIN").await.map_err(db)?;
        self.write(conn).await?;
        conn.execute("COMMIT").await.map_err(db)?;
        Ok(())
    }

    /// Stores them, within a transaction if there is one.
    pub(super) async fn write(self, conn: &mut PgConnection) -> Result<()> {
        quarantine::keep(conn, &self.aside.iter().collect::<Vec<_>>()).await?;
        if !self.rows.is_empty() {
            copy::store(conn, &self.rows).await.map_err(no_partition)?;
        }
        self.late.save(conn).await
    }
}

/// A check that has no name is that of the partition. Somebody has dropped it: it is made when the batch is decided again.
fn no_partition(error: sqlx::Error) -> StoreError {
    let is_missing = |error: &dyn sqlx::error::DatabaseError| {
        error.code().as_deref() == Some(CHECK_VIOLATION) && error.constraint().is_none()
    };
    if error.as_database_error().is_some_and(is_missing) {
        return StoreError::Conflict("a partition of the readings was dropped meanwhile; look again".to_owned());
    }
    db(error)
}
