//! Challenges, and what their challengers said of appliances.

use crate::row::{Columns, count, db, json, sql};
use crate::store::PostgresStore;
use hub_core::finding::FindingState;
use hub_core::id::ApplianceId;
use hub_core::shadow::{ChampionAlarm, ShadowAlarms, ShadowSaid};
use hub_store::error::Result;
use hub_store::prediction::{Challenge, Challenged, KeptChallenge, ShadowCommit};
use jiff::Timestamp;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use std::collections::BTreeMap;

/// Saves what came of challengers, with what else was scored.
pub(crate) async fn save(conn: &mut PgConnection, shadow: &ShadowCommit, now: Timestamp) -> Result<()> {
    for challenge in &shadow.begun {
        begin(conn, challenge, now).await?;
    }
    hear(conn, &shadow.said).await?;
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

/// Keeps what is said, of all appliances at once, so that a challenger that says much costs its champion two statements and no more.
/// What belongs to no challenge is not kept.
async fn hear(conn: &mut PgConnection, said: &[(String, ApplianceId, ShadowSaid)]) -> Result<()> {
    // In one order, no matter who saves.
    let mut by_appliance: BTreeMap<(&str, i64), Vec<&ShadowSaid>> = BTreeMap::new();
    for (family, appliance, said) in said {
        let key = (family.as_str(), appliance.0);
        by_appliance.entry(key).or_default().push(said);
    }
    if by_appliance.is_empty() {
        return Ok(());
    }
    let asked: (Vec<&str>, Vec<i64>) = by_appliance.keys().copied().unzip();
    let mut known = known(conn, asked).await?;
    let (mut families, mut appliances) = (Vec::new(), Vec::new());
    let (mut told, mut judged_from) = (Vec::new(), Vec::new());
    for ((family, appliance), said) in by_appliance {
        let before = known.remove(&(family.to_owned(), appliance)).unwrap_or_default();
        let mut alarms = before.clone();
        said.into_iter().for_each(|said| alarms.take(said));
        // After each start all is said again of who is judged.
        let Some(from) = alarms.judged_from.filter(|_| alarms != before) else {
            continue;
        };
        families.push(family);
        appliances.push(appliance);
        told.push(json(&alarms)?);
        judged_from.push(sql(from));
    }
    if families.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into shadow (family, appliance, told, judged_from) \
         select k.* from unnest($1::text[], $2::bigint[], $3::jsonb[], $4::timestamptz[]) as k (family, appliance, told, judged_from) \
         where exists (select from challenge c where c.family = k.family) \
         on conflict (family, appliance) do update set told = excluded.told",
    )
    .bind(families)
    .bind(appliances)
    .bind(told)
    .bind(judged_from)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// What these challengers have said of these appliances by now.
async fn known(
    conn: &mut PgConnection,
    (families, appliances): (Vec<&str>, Vec<i64>),
) -> Result<BTreeMap<(String, i64), ShadowAlarms>> {
    let rows = sqlx::query(
        "select s.* from unnest($1::text[], $2::bigint[]) as k (family, appliance) \
         cross join lateral (select * from shadow s where s.family = k.family and s.appliance = k.appliance offset 0) s",
    )
    .bind(families)
    .bind(appliances)
    .fetch_all(conn)
    .await
    .map_err(db)?;
    let alarms = |row: &PgRow| {
        Ok((
            (row.col::<String>("family")?, row.col::<i64>("appliance")?),
            alarms(row)?,
        ))
    };
    rows.iter().map(alarms).collect()
}

fn alarms(row: &PgRow) -> Result<ShadowAlarms> {
    Ok(ShadowAlarms {
        judged_from: Some(row.at("judged_from")?),
        ..row.json("told")?
    })
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

/// Alarms of both since the challenger of this family has judged, appliance by appliance.
pub(crate) async fn challenged(
    store: &PostgresStore,
    family: &str,
    after: Option<ApplianceId>,
    limit: usize,
) -> Result<Vec<Challenged>> {
    let rows = sqlx::query(
        "with s as (select c.champion, s.appliance, s.told, s.judged_from from challenge c join shadow s on s.family = c.family \
           where c.family = $1 and s.appliance > $2 order by s.appliance limit $3) \
         select s.appliance, s.told, s.judged_from, f.alarm_at, f.state, f.last_seen, t.outcome->>'verdict' as verdict \
         from s left join finding f on f.appliance = s.appliance and f.prediction->>'model' = s.champion \
           and (f.state <> 'cleared' or f.last_seen >= s.judged_from) \
         left join ticket t on t.id = f.ticket \
         order by s.appliance, f.first_seen, f.id",
    )
    .bind(family)
    .bind(after.map_or(i64::MIN, |after| after.0))
    .bind(count(limit))
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
                challenger: alarms(row)?,
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
