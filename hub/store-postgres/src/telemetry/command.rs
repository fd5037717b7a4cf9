//! Commands to devices: rows that wait until the device has replied or their time is over.

use super::Item;
use crate::row::{Columns, count, db, not_found, sql, sql_maybe, text};
use crate::store::PostgresStore;
use hub_core::id::ApplianceId;
use hub_store::bounds::{COMMANDS_KEPT_MAX, REPLY_MAX};
use hub_store::check;
use hub_store::error::Result;
use hub_store::telemetry::{COMMANDS_WAITING_MAX, Command, Ingest, Ingested};
use jiff::Timestamp;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use std::collections::{BTreeMap, HashSet};

pub(super) async fn queue(
    store: &PostgresStore,
    appliance: ApplianceId,
    command: &Command,
    now: Timestamp,
) -> Result<()> {
    let mut tx = store.begin().await?;
    sqlx::query("select from appliance where id = $1 for no key update")
        .bind(appliance.0)
        .fetch_optional(&mut *tx)
        .await
        .map_err(db)?
        .ok_or_else(|| not_found("appliance", appliance))?;
    let row = sqlx::query(
        "select count(*) filter (where replied_at is null and expires_at > $3) as waiting, \
           coalesce(bool_or(request = $2), false) as known from command where appliance = $1",
    )
    .bind(appliance.0)
    .bind(text(&command.request))
    .bind(sql(now))
    .fetch_one(&mut *tx)
    .await
    .map_err(db)?;
    if row.col::<bool>("known")? {
        return Ok(());
    }
    check::commands_waiting(appliance, row.col("waiting")?)?;
    sqlx::query("insert into command (appliance, request, body, queued_at, expires_at) values ($1, $2, $3, $4, $5)")
        .bind(appliance.0)
        .bind(text(&command.request))
        .bind(text(&command.body))
        .bind(sql(now))
        .bind(sql(command.expires_at))
        .execute(&mut *tx)
        .await
        .map_err(db)?;
    sqlx::query(
        "delete from command where number in ( \
           select number from command where appliance = $1 order by number desc offset $2) \
           and (replied_at is not null or expires_at <= $3)",
    )
    .bind(appliance.0)
    .bind(count(COMMANDS_KEPT_MAX))
    // Expired they are by the time of asking, deleted as far as somebody vouches for it.
    .bind(sql_maybe(store.gate.as_of(now)))
    .execute(&mut *tx)
    .await
    .map_err(db)?;
    tx.commit().await.map_err(db)?;
    store.signals.command(appliance);
    Ok(())
}

pub(super) async fn waiting(
    store: &PostgresStore,
    appliances: &[ApplianceId],
    now: Timestamp,
) -> Result<Vec<(ApplianceId, Command)>> {
    let appliances: Vec<i64> = appliances.iter().map(|appliance| appliance.0).collect();
    let query = || {
        sqlx::query(
            "select c.*, coalesce((select b.takes_cbor from appliance_birth b where b.appliance = c.appliance), false) \
               as takes_cbor from unnest($1::bigint[]) as k (appliance) cross join lateral ( \
               select appliance, number, sent_at is not null as sent, request, body, expires_at from command \
               where appliance = k.appliance and replied_at is null and expires_at > $2 order by number limit $3) c \
             order by c.appliance, c.number",
        )
        .bind(&appliances)
        .bind(sql(now))
        .bind(COMMANDS_WAITING_MAX)
    };
    let rows = store.door.fetch(query).await?;
    let readable = rows.iter().filter_map(|row| {
        let read = read(row);
        // The others of the batch get theirs none the less.
        read.inspect_err(|error| tracing::error!(%error, "stored command unreadable: it is not sent"))
            .ok()
    });
    Ok(readable.collect())
}

fn read(row: &PgRow) -> Result<(ApplianceId, Command)> {
    let command = Command {
        number: row.col("number")?,
        sent: row.col("sent")?,
        takes_cbor: row.col("takes_cbor")?,
        request: row.col("request")?,
        body: row.col("body")?,
        expires_at: row.at("expires_at")?,
    };
    Ok((ApplianceId(row.col("appliance")?), command))
}

/// Notes the answers among the items of a batch. The first answer to a command counts.
pub(super) async fn replied(conn: &mut PgConnection, items: &[Item<'_>], answers: &mut [Ingested]) -> Result<()> {
    let mut replies: BTreeMap<(i64, String), (usize, &[u8], Timestamp)> = BTreeMap::new();
    for (place, item) in items {
        if let Ingest::Reply {
            appliance,
            request,
            payload,
            at,
        } = item
        {
            answers[*place].repeated = 1;
            replies
                .entry((appliance.0, text(request)))
                .or_insert((*place, payload, *at));
        }
    }
    if replies.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query(
        "update command c set replied_at = k.at, reply = k.reply \
         from unnest($1::bigint[], $2::text[], $3::bytea[], $4::timestamptz[]) as k (appliance, request, reply, at) \
         where c.appliance = k.appliance and c.request = k.request and c.replied_at is null \
         returning c.appliance, c.request",
    )
    .bind(replies.keys().map(|key| key.0).collect::<Vec<i64>>())
    .bind(replies.keys().map(|key| key.1.as_str()).collect::<Vec<_>>())
    .bind(
        replies
            .values()
            .map(|(_, reply, _)| &reply[..reply.len().min(REPLY_MAX)])
            .collect::<Vec<_>>(),
    )
    .bind(replies.values().map(|(_, _, at)| sql(*at)).collect::<Vec<_>>())
    .fetch_all(conn)
    .await
    .map_err(db)?;
    let taken: HashSet<(i64, String)> = rows
        .iter()
        .map(|row| Ok((row.col("appliance")?, row.col("request")?)))
        .collect::<Result<_>>()?;
    for (key, (place, _, _)) in &replies {
        if taken.contains(key) {
            answers[*place] = Ingested { stored: 1, repeated: 0 };
        }
    }
    Ok(())
}
