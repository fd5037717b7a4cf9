//! Challenges, and what their challengers said of appliances.

use crate::row::{Columns, db, json, sql};
use crate::store::PostgresStore;
use hub_core::finding::FindingState;
use hub_core::id::ApplianceId;
use hub_core::shadow::{ChampionAlarm, ShadowAlarms, ShadowSaid};
use hub_store::error::Result;
use hub_store::prediction::{Challenge, Challenged, KeptChallenge, ShadowCommit};
use jiff::Timestamp;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

/// Saves what came of challengers, with what else was scored.
pub(crate) async fn save(conn: &mut PgConnection, shadow: &ShadowCommit, now: Timestamp) -> Result<()> {
    for challenge in &shadow.begun {
        begin(conn, challenge, now).await?;
    }
    for (family, appliance, said) in &shadow.said {
        hear(conn, family, *appliance, said).await?;
    }
    for (family, why) in &shadow.dropped {
        sqlx::query("update challenge set dropped_at = $2, dropped = $3 where family = $1")
            .bind(family)
            .bind(sql(now))
            .bind(why)
            .execute(&mut *conn)
            .await
            .map_err(db)?;
    }
    Ok(())
}

async fn begin(conn: &mut PgConnection, challenge: &Challenge, now: Timestamp) -> Result<()> {
    let Challenge {
        family,
        model,
        hash,
        champion,
    } = challenge;
    let goes_on = sqlx::query(
        "update challenge set dropped_at = null, dropped = null \
         where family = $1 and model = $2 and hash = $3 and champion = $4",
    )
    .bind(family)
    .bind(model)
    .bind(hash)
    .bind(champion)
    .execute(&mut *conn)
    .await
    .map_err(db)?;
    if goes_on.rows_affected() > 0 {
        return Ok(());
    }
    sqlx::query("delete from shadow where family = $1")
        .bind(family)
        .execute(&mut *conn)
        .await
        .map_err(db)?;
    sqlx::query(
        "insert into challenge as c (family, model, hash, champion, begun_at) values ($1, $2, $3, $4, $5) \
         on conflict (family) do update set model = excluded.model, hash = excluded.hash, champion = excluded.champion, \
           begun_at = excluded.begun_at, dropped_at = null, dropped = null",
    )
    .bind(family)
    .bind(model)
    .bind(hash)
    .bind(champion)
    .bind(sql(now))
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// One that belongs to no challenge is not kept.
async fn hear(conn: &mut PgConnection, family: &str, appliance: ApplianceId, said: &ShadowSaid) -> Result<()> {
    let known = sqlx::query("select told from shadow where family = $1 and appliance = $2")
        .bind(family)
        .bind(appliance.0)
        .fetch_optional(&mut *conn)
        .await
        .map_err(db)?;
    let mut alarms: ShadowAlarms = known.map(|row| row.json("told")).transpose()?.unwrap_or_default();
    alarms.take(said);
    sqlx::query(
        "insert into shadow (family, appliance, told) select $1, $2, $3 \
         where exists (select from challenge where family = $1) \
         on conflict (family, appliance) do update set told = excluded.told",
    )
    .bind(family)
    .bind(appliance.0)
    .bind(json(&alarms)?)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// All of them, by family.
pub(crate) async fn challenges(store: &PostgresStore) -> Result<Vec<KeptChallenge>> {
    let rows = sqlx::query("select * from challenge order by family")
        .fetch_all(&store.pool)
        .await
        .map_err(db)?;
    let kept = |row: &PgRow| {
        let dropped = row.col::<Option<String>>("dropped")?;
        Ok(KeptChallenge {
            challenge: Challenge {
                family: row.col("family")?,
                model: row.col("model")?,
                hash: row.col("hash")?,
                champion: row.col("champion")?,
            },
            begun_at: row.at("begun_at")?,
            dropped: row.maybe_at("dropped_at")?.zip(dropped),
        })
    };
    rows.iter().map(kept).collect()
}

/// Alarms of both since the challenge of this family began, appliance by appliance.
pub(crate) async fn challenged(
    store: &PostgresStore,
    family: &str,
    after: Option<ApplianceId>,
    limit: usize,
) -> Result<Vec<Challenged>> {
    let rows = sqlx::query(
        "with c as (select champion, begun_at from challenge where family = $1), \
           own as (select f.id, f.appliance, f.alarm_at, f.first_seen, f.state, f.last_seen, f.ticket from finding f join c \
             on f.first_seen >= c.begun_at and f.prediction->>'model' = c.champion where f.appliance > $2), \
           ids as (select appliance from shadow where family = $1 and appliance > $2 \
             union select appliance from own order by 1 limit $3) \
         select i.appliance, s.told, f.alarm_at, f.state, f.last_seen, t.outcome->>'verdict' as verdict \
         from ids i left join shadow s on s.family = $1 and s.appliance = i.appliance \
         left join own f on f.appliance = i.appliance left join ticket t on t.id = f.ticket \
         order by i.appliance, f.first_seen, f.id",
    )
    .bind(family)
    .bind(after.map_or(i64::MIN, |after| after.0))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(&store.pool)
    .await
    .map_err(db)?;
    let mut all: Vec<Challenged> = Vec::new();
    for row in &rows {
        let appliance = ApplianceId(row.col("appliance")?);
        if all.last().is_none_or(|last| last.appliance != appliance) {
            all.push(Challenged {
                appliance,
                champion: Vec::new(),
                challenger: row.maybe_json("told")?.unwrap_or_default(),
            });
        }
        if let Some(last) = all.last_mut() {
            last.champion.extend(champion(row)?);
        }
    }
    Ok(all)
}

fn champion(row: &PgRow) -> Result<Option<ChampionAlarm>> {
    let Some(at) = row.maybe_at("alarm_at")? else {
        return Ok(None);
    };
    let state: FindingState = row.word("state")?;
    Ok(Some(ChampionAlarm {
        at,
        until: (state == FindingState::Cleared).then_some(row.at("last_seen")?),
        verdict: row.maybe_word("verdict")?,
    }))
}
