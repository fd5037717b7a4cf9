//! What the one writer of this process knows of the database, so that a batch of readings is one COPY: where appliances
//! belong, the last number of each partition, and the duplicate guards.
//!
//! All of it can be read again from the rows. It is true as long as nobody else has written to the same partitions: the
//! unique index on (partition, ingest_no) refuses the batch of a writer that does not know the newest rows, and that
//! writer then forgets what it knew. It is forgotten, too, whenever the outcome of a commit is not known.

use super::guard::{self, Guard, GuardKey};
use crate::row::{Columns, db};
use hashlink::LruCache;
use hub_store::error::{Result, StoreError};
use sqlx::{ConnectOptions, PgConnection, PgPool};
use std::collections::HashSet;
use std::time::Duration;

/// Sequences and appliances remembered: about 150 bytes for each sequence and 50 for each appliance.
const REMEMBERED_MAX: usize = 262_144;
/// The writer's connection is had within this time.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// What a row needs to know of its appliance. Never changes once the appliance exists.
#[derive(Debug, Clone, Copy)]
pub(super) struct Home {
    pub(super) tenant_no: i32,
    pub(super) partition: i16,
}

/// See the module.
pub(crate) struct Known {
    /// The writer's own: a connection of the pool would be tested before every batch.
    conn: Option<PgConnection>,
    /// Set while something is written. Still set at the next batch, the outcome of the last one is unknown.
    in_doubt: bool,
    homes: LruCache<i64, Home>,
    /// Last number of each partition; empty until it is read.
    heads: Vec<i64>,
    guards: LruCache<GuardKey, Guard>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            conn: None,
            in_doubt: false,
            homes: LruCache::new_unbounded(),
            heads: Vec::new(),
            guards: LruCache::new_unbounded(),
        }
    }
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Known")
            .field("guards", &self.guards.len())
            .finish_non_exhaustive()
    }
}

impl Known {
    /// The connection, for one batch. What is known is in doubt until it comes back by [`Known::commit_seen`].
    pub(super) async fn start(&mut self, pool: &PgPool) -> Result<PgConnection> {
        if self.in_doubt {
            self.heads.clear();
            self.guards.clear();
        }
        let conn = match self.conn.take() {
            Some(conn) => conn,
            None => connect(pool).await?,
        };
        self.in_doubt = true;
        Ok(conn)
    }

    /// The batch is committed: what was noted with it is true.
    pub(super) fn commit_seen(&mut self, conn: PgConnection) {
        self.conn = Some(conn);
        self.in_doubt = false;
        trim(&mut self.homes, REMEMBERED_MAX);
        trim(&mut self.guards, REMEMBERED_MAX);
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
        appliances: impl Iterator<Item = i64>,
    ) -> Result<()> {
        let missing: HashSet<i64> = appliances.filter(|id| self.homes.get(id).is_none()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let missing: Vec<i64> = missing.into_iter().collect();
        let rows = sqlx::query("select id, tenant_no, partition from appliance where id = any($1)")
            .bind(&missing)
            .fetch_all(conn)
            .await
            .map_err(db)?;
        for row in &rows {
            let home = Home {
                tenant_no: row.col("tenant_no")?,
                partition: row.col("partition")?,
            };
            self.homes.insert(row.col("id")?, home);
        }
        Ok(())
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
            for (key, guard) in guard::rebuild(conn, &missing).await? {
                self.guards.insert(key, guard);
            }
        }
        Ok(())
    }

    /// The guard of a sequence that was loaded with this batch.
    pub(super) fn guard(&mut self, key: GuardKey) -> Option<&mut Guard> {
        self.guards.peek_mut(&key)
    }

    /// Reads the last number of each partition where they are not known. Rows may have been deleted for their age, so
    /// whatever has been read by number counts as well.
    pub(super) async fn load_heads(&mut self, conn: &mut PgConnection) -> Result<()> {
        if !self.heads.is_empty() {
            return Ok(());
        }
        let rows: Vec<i64> = sqlx::query_scalar(
            "select greatest(s.ingest_no, r.ingest_no, (select t.ingest_no from telemetry t \
               where t.partition = s.partition order by t.ingest_no desc limit 1)) \
             from scored s join rolled r on r.partition = s.partition order by s.partition",
        )
        .fetch_all(conn)
        .await
        .map_err(db)?;
        self.heads = rows;
        Ok(())
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

async fn connect(pool: &PgPool) -> Result<PgConnection> {
    let options = pool.connect_options();
    tokio::time::timeout(CONNECT_LIMIT, options.connect())
        .await
        .map_err(|late| StoreError::Unavailable(Box::new(late)))?
        .map_err(db)
}

fn trim<K: Eq + std::hash::Hash, V>(cache: &mut LruCache<K, V>, most: usize) {
    while cache.len() > most {
        cache.remove_lru();
    }
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
        trim(&mut cache, 3);
        assert_eq!(cache.iter().map(|(number, ())| *number).collect::<Vec<_>>(), [8, 9, 0]);
    }
}
