//! How far scoring has come, and what detectors remember: offsets of partitions, checkpoints, baselines that were restarted.

use crate::budget::appliance_model;
use crate::row::{Columns, db, json, not_found, sql, unreadable};
use crate::session_writer::held;
use crate::store::PostgresStore;
use hub_core::actor::Actor;
use hub_core::baseline::Restart;
use hub_core::budget::Month;
use hub_core::id::ApplianceId;
use hub_core::watching::Watching;
use hub_store::budget::MonthScore;
use hub_store::error::{Result, StoreError};
use hub_store::prediction::{Checkpoint, SAVED_MAX, SavedDetector, SavedDetectors, ScoredUpTo, ScoringSubject};
use jiff::Timestamp;
use serde_json::Value;
use sqlx::PgConnection;
use std::collections::BTreeMap;

/// Under this name a row of `checkpoint` says when the baseline of an appliance was restarted. No model has it.
const BASELINE: &str = "";
/// Restarted baselines that are told at a time; the rest is told next.
const RESTARTED_MAX: i64 = 1_000;

/// What scoring needs to know of these appliances. Of one whose baseline was restarted nothing is known until it is told.
pub(crate) async fn subjects(store: &PostgresStore, appliances: &[ApplianceId]) -> Result<Vec<ScoringSubject>> {
    let ids: Vec<i64> = appliances.iter().map(|id| id.0).collect();
    let query = || {
        sqlx::query(concat!(
        "select a.id, a.tenant, a.profile, a.model, ",
        appliance_model!(),
        " as appliance_model, c.model as saved_by, c.ingest_no, c.state from unnest($1::bigint[]) as k (id) \
         cross join lateral (select id, tenant, profile, model from appliance where id = k.id offset 0) a \
         left join lateral (select model from appliance_birth where appliance = a.id offset 0) h on true \
         left join lateral (select c.model, c.ingest_no, c.state from checkpoint c where c.appliance = a.id and not exists ( \
           select from checkpoint r where r.appliance = a.id and r.restarted) offset 0) c on true \
         order by a.id, c.model"
    ))
    .bind(&ids)
    };
    let rows = store.scorer.fetch(query).await?;
    let mut subjects: BTreeMap<ApplianceId, ScoringSubject> = BTreeMap::new();
    for row in &rows {
        let appliance = ApplianceId(row.col("id")?);
        let subject = subjects.entry(appliance).or_insert(ScoringSubject {
            appliance,
            tenant: row.word("tenant")?,
            profile: row.col("profile")?,
            appliance_model: row.col("appliance_model")?,
            model: row.col("model")?,
            checkpoints: Vec::new(),
            fresh_after: 0,
        });
        let Some(model) = row.col::<Option<String>>("saved_by")? else {
            continue;
        };
        let ingest_no = row.col("ingest_no")?;
        if model == BASELINE {
            subject.fresh_after = ingest_no;
        } else {
            subject.checkpoints.push(Checkpoint {
                appliance,
                model,
                ingest_no,
                state: row.col("state")?,
            });
        }
    }
    Ok(subjects.into_values().collect())
}

/// What detectors have saved of an appliance that the actor reaches; nothing of one whose baseline was restarted and that is not told yet.
pub(crate) async fn saved(store: &PostgresStore, actor: &Actor, appliance: ApplianceId) -> Result<SavedDetectors> {
    let mut tx = store.begin_scoped(actor).await?;
    let rows = sqlx::query(
        "select a.profile, a.model, r.restarted, c.model as saved_by, c.state, c.saved_at from appliance a \
         left join checkpoint r on r.appliance = a.id and r.model = $2 \
         left join lateral (select c.model, c.state, c.saved_at from checkpoint c \
           where c.appliance = a.id and c.model <> $2 and r.restarted is not true \
           order by c.saved_at desc, c.model collate \"C\" limit $3) c on true \
         where a.id = $1 order by c.saved_at desc, c.model collate \"C\"",
    )
    .bind(appliance.0)
    .bind(BASELINE)
    .bind(i64::try_from(SAVED_MAX).unwrap_or(i64::MAX))
    .fetch_all(&mut *tx)
    .await
    .map_err(db)?;
    let first = rows.first().ok_or_else(|| not_found("appliance", appliance))?;
    let restarted: Option<bool> = first.col("restarted")?;
    let mut saved = SavedDetectors {
        floors: BTreeMap::new(),
        profile: first.col("profile")?,
        model: first.col("model")?,
        restarted: restarted.is_some(),
        states: Vec::new(),
    };
    for row in &rows {
        let Some(model) = row.col::<Option<String>>("saved_by")? else {
            continue;
        };
        saved.states.push(SavedDetector {
            model,
            state: row.col("state")?,
            saved_at: row.at("saved_at")?,
        });
    }
    let models: Vec<&str> = saved.states.iter().map(|state| state.model.as_str()).collect();
    let of_fleet = sqlx::query(concat!(
        "select f.model, f.floors from appliance a \
         left join lateral (select model from appliance_birth where appliance = a.id offset 0) h on true \
         join fleet_floors f on f.tenant = a.tenant and f.profile = a.profile and f.appliance_model = ",
        appliance_model!(),
        " where a.id = $1 and f.model = any($2)"
    ))
    .bind(appliance.0)
    .bind(&models)
    .fetch_all(&mut *tx)
    .await
    .map_err(db)?;
    let floors = of_fleet.iter().map(|row| Ok((row.col("model")?, row.json("floors")?)));
    saved.floors = floors.collect::<Result<_>>()?;
    Ok(saved)
}

/// How far scoring has come, partition by partition.
pub(crate) async fn scored_up_to(store: &PostgresStore) -> Result<Vec<ScoredUpTo>> {
    store.writer.scoring_begins();
    let rows =
        sqlx::query("select partition, ingest_no, seen_at, kept_no, kept_seen_at from scored order by partition")
            .fetch_all(&store.pool)
            .await
            .map_err(db)?;
    rows.iter()
        .map(|row| {
            let partition: i16 = row.col("partition")?;
            Ok(ScoredUpTo {
                partition: u8::try_from(partition).map_err(|error| unreadable("partition")(Box::new(error)))?,
                ingest_no: row.col("ingest_no")?,
                received_at: row.at("seen_at")?,
                kept_no: row.col("kept_no")?,
                kept_received_at: row.at("kept_seen_at")?,
            })
        })
        .collect()
}

/// What an offset `s` becomes by a given one `k`.
macro_rules! update {
    () => {
        "update scored s set ingest_no = k.ingest_no, seen_at = greatest(s.seen_at, k.seen_at), \
           kept_no = greatest(s.kept_no, k.kept_no), \
           kept_seen_at = case when k.kept_no > s.kept_no then k.kept_seen_at else s.kept_seen_at end"
    };
}
/// Whether the given one is news.
macro_rules! is_behind {
    () => {
        "(s.ingest_no < k.ingest_no or s.ingest_no = k.ingest_no and s.kept_no < k.kept_no)"
    };
}

/// Moves offsets on, within a transaction that has locked them.
const ADVANCE: &str = concat!(
    update!(),
    " from unnest($1::smallint[], $2::bigint[], $3::timestamptz[], $4::bigint[], $5::timestamptz[]) \
       as k (partition, ingest_no, seen_at, kept_no, kept_seen_at) \
     where s.partition = k.partition and ",
    is_behind!()
);

/// Moves offsets on by one statement, where there is nothing else to save and no ticket is due; otherwise nothing is done.
/// `$2` is the time. An offset that is lost with the database costs nothing but to score its rows again, so nobody waits for
/// the disk: what is saved later is lost with it or makes it last.
const ADVANCE_ALONE: &str = concat!(
    held!(),
    ", due as materialized (select exists ( \
         select from finding where state = 'open' and ticket is null and suppressed_until <= $2) as is_there), \
       given as materialized ( \
         select * from unnest($3::smallint[], $4::bigint[], $5::timestamptz[], $6::bigint[], $7::timestamptz[]) \
           as k (partition, ingest_no, seen_at, kept_no, kept_seen_at)), \
       locked as materialized ( \
         select s.partition from given k join scored s on s.partition = k.partition \
         where exists (select from held) and not (select is_there from due) and ",
    is_behind!(),
    " order by s.partition for update of s), \
       moved as (",
    update!(),
    " from given k where s.partition = k.partition \
           and (select count(*) from locked) = cardinality($3::smallint[]) and s.partition in (select partition from locked) \
         returning s.partition) \
     select exists (select from held) and not (select is_there from due) as is_done, (select count(*) from moved) as moved, \
       set_config('synchronous_commit', 'off', true)"
);

/// Moves the offsets on, each only forward, if the lease is held and no ticket is due; whether that was so.
///
/// # Errors
/// [`StoreError::Conflict`] where another scorer has saved these rows; also where it was this one, on a connection that did
/// not tell it.
pub(crate) async fn advance_alone(store: &PostgresStore, offsets: &[ScoredUpTo], now: Timestamp) -> Result<bool> {
    let token = store.lease.token().ok_or(StoreError::Deposed)?;
    let query = || {
        sqlx::query(ADVANCE_ALONE)
            .bind(token)
            .bind(sql(now))
            .bind(offsets.iter().map(|o| i16::from(o.partition)).collect::<Vec<_>>())
            .bind(offsets.iter().map(|o| o.ingest_no).collect::<Vec<_>>())
            .bind(offsets.iter().map(|o| sql(o.received_at)).collect::<Vec<_>>())
            .bind(offsets.iter().map(|o| o.kept_no).collect::<Vec<_>>())
            .bind(offsets.iter().map(|o| sql(o.kept_received_at)).collect::<Vec<_>>())
    };
    let rows = store.scorer.fetch(query).await?;
    // It answers with one row.
    match rows.first() {
        Some(row) if row.col("is_done")? => {
            all_moved(row.col::<i64>("moved")?.cast_unsigned(), offsets)?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// Moves the offsets on, each only forward: a scorer that lost its partition writes nothing.
pub(crate) async fn advance(conn: &mut PgConnection, offsets: &[ScoredUpTo]) -> Result<()> {
    if offsets.is_empty() {
        return Ok(());
    }
    let partitions: Vec<i16> = offsets.iter().map(|o| i16::from(o.partition)).collect();
    sqlx::query("select from scored where partition = any($1) order by partition for update")
        .bind(&partitions)
        .execute(&mut *conn)
        .await
        .map_err(db)?;
    let moved = sqlx::query(ADVANCE)
        .bind(&partitions)
        .bind(offsets.iter().map(|o| o.ingest_no).collect::<Vec<_>>())
        .bind(offsets.iter().map(|o| sql(o.received_at)).collect::<Vec<_>>())
        .bind(offsets.iter().map(|o| o.kept_no).collect::<Vec<_>>())
        .bind(offsets.iter().map(|o| sql(o.kept_received_at)).collect::<Vec<_>>())
        .execute(conn)
        .await
        .map_err(db)?
        .rows_affected();
    all_moved(moved, offsets)
}

fn all_moved(moved: u64, offsets: &[ScoredUpTo]) -> Result<()> {
    if usize::try_from(moved) == Ok(offsets.len()) {
        Ok(())
    } else {
        Err(StoreError::Conflict(
            "another scorer has saved these rows already; load the checkpoints again".to_owned(),
        ))
    }
}

/// A checkpoint of a detector whose baseline was restarted meanwhile is left out. One that slips in beside the restart goes
/// when the restart is told. Highest scores of months go with them in one statement, and are written only where they have grown.
pub(crate) async fn save(
    conn: &mut PgConnection,
    checkpoints: &[Checkpoint],
    scores: &[MonthScore],
    now: Timestamp,
) -> Result<()> {
    if checkpoints.is_empty() && scores.is_empty() {
        return Ok(());
    }
    // In one order, no matter who saves; of two for the same model the last counts.
    let last: BTreeMap<(ApplianceId, &str), &Checkpoint> = checkpoints
        .iter()
        .map(|c| ((c.appliance, c.model.as_str()), c))
        .collect();
    let mut highest: BTreeMap<(ApplianceId, &str, Month), f32> = BTreeMap::new();
    for new in scores {
        let kept = highest
            .entry((new.appliance, new.family.as_str(), new.month))
            .or_insert(new.score);
        *kept = kept.max(new.score);
    }
    sqlx::query(
        "with highest as ( \
           insert into score_month as h (tenant, appliance, family, month, score) \
           select a.tenant, k.appliance, k.family, k.month, k.score \
           from unnest($6::bigint[], $7::text[], $8::integer[], $9::real[]) as k (appliance, family, month, score) \
           cross join lateral (select tenant from appliance where id = k.appliance offset 0) a \
           on conflict (appliance, family, month) do update set score = excluded.score where excluded.score > h.score) \
         insert into checkpoint as c (appliance, model, ingest_no, state, saved_at) \
         select k.appliance, k.model, k.ingest_no, k.state, $5 \
         from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bytea[]) as k (appliance, model, ingest_no, state) \
         where not exists (select from checkpoint r where r.appliance = k.appliance and r.restarted offset 0) \
         on conflict (appliance, model) do update \
         set ingest_no = excluded.ingest_no, state = excluded.state, saved_at = excluded.saved_at where not c.restarted",
    )
    .bind(last.keys().map(|(appliance, _)| appliance.0).collect::<Vec<i64>>())
    .bind(last.keys().map(|(_, model)| *model).collect::<Vec<_>>())
    .bind(last.values().map(|c| c.ingest_no).collect::<Vec<_>>())
    .bind(last.values().map(|c| c.state.as_slice()).collect::<Vec<_>>())
    .bind(sql(now))
    .bind(highest.keys().map(|(appliance, ..)| appliance.0).collect::<Vec<i64>>())
    .bind(highest.keys().map(|(_, family, _)| *family).collect::<Vec<_>>())
    .bind(highest.keys().map(|(.., month)| month.number()).collect::<Vec<_>>())
    .bind(highest.values().copied().collect::<Vec<_>>())
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// Keeps what is told of appliances, in one order, no matter who tells it.
pub(crate) async fn tell(conn: &mut PgConnection, watching: &BTreeMap<ApplianceId, Watching>) -> Result<()> {
    if watching.is_empty() {
        return Ok(());
    }
    let told: Vec<Value> = watching.values().map(json).collect::<Result<_>>()?;
    sqlx::query(
        "insert into watching (appliance, told) \
         select k.appliance, k.told from unnest($1::bigint[], $2::jsonb[]) as k (appliance, told) \
         on conflict (appliance) do update set told = excluded.told",
    )
    .bind(watching.keys().map(|appliance| appliance.0).collect::<Vec<i64>>())
    .bind(told)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// Marks the baselines of appliances: what their detectors say and save does not count until the restart has been told.
pub(crate) async fn restart(conn: &mut PgConnection, restarts: &BTreeMap<ApplianceId, Restart>) -> Result<()> {
    if restarts.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into checkpoint (appliance, model, state, saved_at, restarted) \
         select appliance, $3, '', at, true from unnest($1::bigint[], $2::timestamptz[]) as k (appliance, at) \
         on conflict (appliance, model) do update set saved_at = excluded.saved_at, restarted = true",
    )
    .bind(restarts.keys().map(|id| id.0).collect::<Vec<i64>>())
    .bind(restarts.values().map(|restart| sql(restart.at)).collect::<Vec<_>>())
    .bind(BASELINE)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// Appliances whose baseline was restarted; they are told once. Their new baseline begins with rows that are not scored yet.
pub(crate) async fn take_restarted(store: &PostgresStore) -> Result<Vec<ApplianceId>> {
    let query = || {
        sqlx::query("select appliance from checkpoint where restarted and model = $1 order by appliance limit $2")
            .bind(BASELINE)
            .bind(RESTARTED_MAX)
    };
    let rows = store.scorer.fetch(query).await?;
    let ids: Vec<i64> = rows.iter().map(|row| row.col("appliance")).collect::<Result<_>>()?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut tx = store.begin().await?;
    // All of them in the order in which they are saved, before any is changed.
    sqlx::query(
        "select appliance from checkpoint where appliance = any($1) order by appliance, model collate \"C\" for update",
    )
    .bind(&ids)
    .execute(&mut *tx)
    .await
    .map_err(db)?;
    sqlx::query("delete from checkpoint where appliance = any($1) and model <> $2")
        .bind(&ids)
        .bind(BASELINE)
        .execute(&mut *tx)
        .await
        .map_err(db)?;
    // What their detectors said is of the baseline before. The scorer tells nothing of it any more: it saves before it asks.
    sqlx::query("delete from watching where appliance = any($1)")
        .bind(&ids)
        .execute(&mut *tx)
        .await
        .map_err(db)?;
    sqlx::query(
        "update checkpoint c set restarted = false, ingest_no = k.ingest_no from ( \
           select k.id, s.ingest_no from unnest($1::bigint[]) as k (id) \
           cross join lateral (select partition from appliance where id = k.id offset 0) a \
           join scored s on s.partition = a.partition) k \
         where c.appliance = k.id and c.model = $2",
    )
    .bind(&ids)
    .bind(BASELINE)
    .execute(&mut *tx)
    .await
    .map_err(db)?;
    // Whether this has happened cannot be known if no answer comes: then everything is read again from the checkpoints.
    tx.commit().await.map_err(|error| {
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "restarted baselines were perhaps told"
        );
        StoreError::Conflict("restarted baselines were perhaps told; load the checkpoints again".to_owned())
    })?;
    Ok(ids.into_iter().map(ApplianceId).collect())
}
