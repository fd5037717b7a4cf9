//! What the one writer of this process knows of the database, so that a batch of readings is one COPY: where appliances
//! belong, the last number of each partition, and the duplicate guards.
//!
//! All of it can be read again from the rows. It is true as long as nobody else writes, which the lease sees to. It is
//! forgotten whenever the outcome of a commit is not known.

use super::content;
use super::guard::{self, Guard, GuardKey};
use super::window::{self, Unread};
use crate::layout::{Layout, Week, Weeks};
use crate::lease::{Keeper, place};
use crate::profile_version::{self, CurrentVersions};
use crate::row::{Columns, db};
use hashlink::LruCache;
use hub_core::telemetry::{Seen, TelemetryMessage};
use hub_store::error::{Result, StoreError};
use jiff::{SignedDuration, Timestamp};
use sqlx::{PgConnection, PgPool};
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use tokio::time::Instant;

/// Sequences and appliances remembered: about 150 bytes for each sequence and 50 for each appliance.
const REMEMBERED_MAX: usize = 1_048_576;

/// A transaction that was given up behind a silent network ends by itself. What a batch asks looks up a row or a few by their
/// keys: plans are made once, but on a hypertable, where a plan that is kept would wait for a week that is being compressed.
const SETTINGS: [(&str, &str); 2] = [
    ("idle_in_transaction_session_timeout", "10s"),
    ("plan_cache_mode", "force_generic_plan"),
];
/// Also of builds that held it for a batch only.
const PLACE: &str = "ingest";

/// What a row needs to know of its appliance. Tenant and partition never change once the appliance exists; of a change of
/// the profile, the writer is told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Home {
    pub(super) tenant_no: i32,
    pub(super) partition: i16,
    pub(super) profile_no: i16,
}

/// See the module.
pub(crate) struct WriterCache {
    /// The writer's own, with its place: see [`place`].
    conn: Option<PgConnection>,
    /// Set while something is written. Still set at the next batch, the outcome of the last one is unknown.
    in_doubt: bool,
    /// How many sequences and appliances are remembered.
    pub(super) most: usize,
    homes: LruCache<i64, Home>,
    /// Profile versions that the homes name.
    versions: Arc<CurrentVersions>,
    /// Last number of each partition; empty until it is read.
    heads: Vec<i64>,
    guards: LruCache<GuardKey, Guard>,
    /// Of appliances that send readings without a sequence: none of their readings is of a later time.
    newest_at: LruCache<i64, Timestamp>,
    /// Every sequence that has rows which are not rolled up yet is among the guards.
    is_covered: bool,
    weeks: Weeks,
    /// The newest `received_at` of all rows and batches so far, the `unread` ones aside, whatever the clock did since. Never
    /// goes back.
    newest: Timestamp,
    /// Rows of which it is not known yet when they were received.
    unread: Unread,
    /// How many of them are looked through with each batch.
    pub(super) looked_through: i64,
    /// When the first batch of this process was received, by its clock and by one that is never set.
    first: Option<(Timestamp, Instant)>,
    /// When the last batch was received, the one under way included; never after `newest`.
    last: Timestamp,
}

impl Default for WriterCache {
    fn default() -> Self {
        Self {
            conn: None,
            in_doubt: false,
            most: REMEMBERED_MAX,
            homes: LruCache::new_unbounded(),
            versions: Arc::default(),
            heads: Vec::new(),
            guards: LruCache::new_unbounded(),
            newest_at: LruCache::new_unbounded(),
            is_covered: false,
            weeks: Weeks::default(),
            newest: Timestamp::UNIX_EPOCH,
            unread: Unread::default(),
            looked_through: window::LOOKED_THROUGH,
            first: None,
            last: Timestamp::UNIX_EPOCH,
        }
    }
}

impl std::fmt::Debug for WriterCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriterCache")
            .field("guards", &self.guards.len())
            .finish_non_exhaustive()
    }
}

impl WriterCache {
    /// The connection, for one batch. What is known is in doubt until it comes back by [`WriterCache::commit_seen`].
    ///
    /// # Errors
    /// [`StoreError::Deposed`] without the lease.
    pub(super) async fn start(&mut self, pool: &PgPool, lease: &Keeper, layout: Layout) -> Result<PgConnection> {
        if lease.token().is_none() {
            return Err(StoreError::Deposed);
        }
        if self.in_doubt {
            self.heads.clear();
            self.guards.clear();
            self.newest_at.clear();
            self.weeks.forget();
        }
        let conn = match self.conn.take() {
            Some(conn) => conn,
            None => take_place(pool, lease, layout).await?,
        };
        self.in_doubt = true;
        Ok(conn)
    }

    /// Has the connection, and with it the writer's place.
    pub(super) async fn connect(&mut self, pool: &PgPool, lease: &Keeper, layout: Layout) -> Result<()> {
        if self.conn.is_none() {
            self.conn = Some(take_place(pool, lease, layout).await?);
        }
        Ok(())
    }

    /// The batch is committed: what was noted with it is true.
    pub(super) fn commit_seen(&mut self, conn: PgConnection) {
        self.conn = Some(conn);
        self.in_doubt = false;
        trim(&mut self.homes, self.most);
        trim(&mut self.newest_at, self.most);
        if trim(&mut self.guards, self.most) > 0 {
            self.is_covered = false;
        }
    }

    /// Somebody else may have written: everything is read again with the next batch.
    pub(crate) fn forget(&mut self) {
        self.in_doubt = true;
    }

    /// Gives the connection up; the next batch opens a new one.
    pub(crate) fn take_connection(&mut self) -> Option<PgConnection> {
        self.conn.take()
    }

    /// Learns where these appliances belong; those that do not exist stay unknown.
    pub(super) async fn load_homes(
        &mut self,
        conn: &mut PgConnection,
        versions: &Arc<CurrentVersions>,
        appliances: impl Iterator<Item = i64>,
    ) -> Result<()> {
        if !Arc::ptr_eq(&self.versions, versions) {
            self.homes.clear();
            self.versions = Arc::clone(versions);
        }
        let missing: HashSet<i64> = appliances.filter(|id| self.homes.get(id).is_none()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let missing: Vec<i64> = missing.into_iter().collect();
        let rows = sqlx::query(
            "select a.* from unnest($1::bigint[]) as k (id) cross join lateral ( \
               select id, tenant_no, partition, profile from appliance where id = k.id offset 0) a",
        )
        .bind(&missing)
        .fetch_all(&mut *conn)
        .await
        .map_err(db)?;
        for row in &rows {
            let profile: &str = row.col("profile")?;
            let profile_no = match versions.get(profile) {
                Some(no) => *no,
                None => profile_version::unknown(conn, profile).await?,
            };
            let home = Home {
                tenant_no: row.col("tenant_no")?,
                partition: row.col("partition")?,
                profile_no,
            };
            self.homes.insert(row.col("id")?, home);
        }
        Ok(())
    }

    /// These appliances may report by another profile now.
    pub(super) fn forget_homes(&mut self, appliances: &[i64]) {
        for appliance in appliances {
            self.homes.remove(appliance);
        }
    }

    /// Where an appliance belongs, if it exists.
    pub(super) fn home(&self, appliance: i64) -> Option<Home> {
        self.homes.peek(&appliance).copied()
    }

    /// Has the guards of these sequences in memory.
    pub(super) async fn load_guards(
        &mut self,
        conn: &mut PgConnection,
        keys: impl Iterator<Item = GuardKey>,
    ) -> Result<()> {
        let missing: HashSet<GuardKey> = keys.filter(|key| self.guards.get(key).is_none()).collect();
        if !missing.is_empty() {
            // Where rows may wait for the roll-up whose guard is not in memory.
            let partition = |key: &GuardKey| self.home(key.0).filter(|_| !self.is_covered).map(|home| home.partition);
            let partitions: BTreeSet<i16> = missing.iter().filter_map(partition).collect();
            let partitions: Vec<i16> = partitions.into_iter().collect();
            for (key, guard) in guard::rebuild(conn, &missing, &partitions).await? {
                self.guards.insert(key, guard);
            }
        }
        Ok(())
    }

    /// The guard of a sequence that was loaded with this batch.
    pub(super) fn guard(&mut self, key: GuardKey) -> Option<&mut Guard> {
        self.guards.peek_mut(&key)
    }

    /// Has the time of the newest reading of these appliances in memory.
    pub(super) async fn load_newest(
        &mut self,
        conn: &mut PgConnection,
        appliances: impl Iterator<Item = i64>,
    ) -> Result<()> {
        let missing: BTreeSet<i64> = appliances.filter(|id| self.newest_at.get(id).is_none()).collect();
        if !missing.is_empty() {
            let missing: Vec<i64> = missing.into_iter().collect();
            // By this batch's own receipt: the newest that is known may lie a day ahead, after a start in a flood (see
            // `window::stored`) or after a clock that was wrong, and no reading of the batch would be later than that.
            self.newest_at.extend(content::newest(conn, &missing, self.last).await?);
        }
        Ok(())
    }

    /// Whether a reading without a sequence is later than all that is known of its appliance; notes it if it is.
    pub(super) fn is_later(&mut self, appliance: i64, at: Timestamp) -> Seen {
        // Loaded with the batch; without it, nothing is presumed.
        match self.newest_at.peek_mut(&appliance) {
            Some(newest) if at > *newest => {
                *newest = at;
                Seen::No
            }
            _ => Seen::TooOld,
        }
    }

    /// Reads what is stored of each partition, where that is not known, and the guards of what is not rolled up yet.
    pub(super) async fn load_heads(&mut self, conn: &mut PgConnection) -> Result<()> {
        if self.heads.is_empty() {
            let stored = window::stored(conn, self.looked_through).await?;
            self.heads = stored.heads;
            self.newest = self.newest.max(stored.newest);
            self.unread = stored.unread;
            let tail = guard::tail(conn, self.most).await?;
            self.is_covered = tail.is_some();
            self.guards.extend(tail.unwrap_or_default());
        }
        if !self.unread.is_empty() {
            let newest = window::look_through(conn, &mut self.unread, self.looked_through).await?;
            self.newest = self.newest.max(newest);
        }
        Ok(())
    }

    /// The last number of each partition and the newest receipt, if they are known and nothing is in doubt.
    pub(super) fn stored(&self) -> Option<(Vec<i64>, Timestamp)> {
        (!self.in_doubt && !self.heads.is_empty()).then(|| (self.heads.clone(), self.newest))
    }

    /// What the time is at the earliest, by all clocks: one that is set ahead must not make anybody forget.
    pub(super) fn at_least(&self) -> Option<Timestamp> {
        let (first, since) = self.first?;
        let passed = SignedDuration::try_from(since.elapsed()).ok()?;
        Some(first.checked_add(passed).ok()?.min(self.last).min(self.newest))
    }

    /// No row was received later than this. While that is not known of all of them, the latest time that there is: then every
    /// row is named in `late`, which is right, and costs a second row.
    pub(super) fn newest(&self) -> Timestamp {
        if self.unread.is_empty() {
            self.newest
        } else {
            Timestamp::MAX
        }
    }

    /// Notes when a batch was received; answers with the weeks for whose rows there may be no partition.
    pub(super) fn weeks_missing<'a>(
        &mut self,
        layout: Layout,
        messages: impl Iterator<Item = &'a TelemetryMessage> + Clone,
    ) -> BTreeSet<Week> {
        let received = messages.clone().map(|message| message.received_at);
        if let Some(last) = received.max() {
            self.newest = self.newest.max(last);
            self.last = last;
            self.first = self.first.or_else(|| Some((last, Instant::now())));
        }
        let times = messages.flat_map(|message| message.samples.iter().map(|sample| sample.at));
        self.weeks.missing(layout, times, self.newest)
    }

    /// Makes partitions, before the transaction that fills them.
    pub(super) async fn make_weeks(&mut self, conn: &mut PgConnection, missing: BTreeSet<Week>) -> Result<()> {
        self.weeks.make(conn, missing).await
    }

    /// The next number of a partition.
    pub(super) fn next_number(&mut self, partition: i16) -> Result<i64> {
        let at = usize::from(partition.cast_unsigned());
        let head = self.heads.get_mut(at).ok_or_else(|| StoreError::Unreadable {
            what: "partition",
            source: format!("there is no partition {partition}").into(),
        })?;
        *head += 1;
        Ok(*head)
    }
}

async fn take_place(pool: &PgPool, lease: &Keeper, layout: Layout) -> Result<PgConnection> {
    let settings = match layout {
        Layout::Partitions => &SETTINGS[..],
        Layout::Hypertable => &SETTINGS[..1],
    };
    place::take(pool, settings, lease, PLACE).await
}

/// Drops what was used least lately; answers with how many that were.
fn trim<K: Eq + std::hash::Hash, V>(cache: &mut LruCache<K, V>, most: usize) -> usize {
    let over = cache.len().saturating_sub(most);
    for _ in 0..over {
        cache.remove_lru();
    }
    over
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_last_is_kept() {
        let mut cache = LruCache::new_unbounded();
        for number in 0..10 {
            cache.insert(number, ());
        }
        cache.get(&0);
        assert_eq!(trim(&mut cache, 3), 7);
        assert_eq!(cache.iter().map(|(number, ())| *number).collect::<Vec<_>>(), [8, 9, 0]);
    }
}
