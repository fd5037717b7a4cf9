//! Contact attempts as rows.

use crate::row::{Columns, db, json, not_found, sql, sql_maybe, word};
use hub_core::appointment::Slot;
use hub_core::contact::ContactAttempt;
use hub_core::id::{AttemptId, OwnerId, TicketId, TraceId};
use hub_store::error::Result;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

/// Attempts shown with a ticket; the contact plan stops far below this.
const OF_TICKET_MAX: i64 = 500;

pub(crate) fn from_row(row: &PgRow) -> Result<ContactAttempt> {
    let offered = row.maybe_at("offered_start")?.zip(row.maybe_at("offered_end")?);
    Ok(ContactAttempt {
        id: AttemptId(row.col("id")?),
        tenant: row.word("tenant")?,
        ticket: TicketId(row.col("ticket")?),
        owner: OwnerId(row.col("owner")?),
        direction: row.word("direction")?,
        state: row.word("state")?,
        started_at: row.at("started_at")?,
        ended_at: row.maybe_at("ended_at")?,
        result: row.maybe_word("result")?,
        disposition: row.maybe_word("disposition")?,
        requested_by: row.col("requested_by")?,
        offered: offered.map(|(start, end)| Slot { start, end }),
        detail: row.maybe_json("detail")?,
        trace: TraceId(row.col("trace")?),
    })
}

pub(crate) async fn of_ticket(conn: &mut PgConnection, ticket: TicketId) -> Result<Vec<ContactAttempt>> {
    let rows = sqlx::query("select * from attempt where ticket = $1 order by id limit $2")
        .bind(ticket.0)
        .bind(OF_TICKET_MAX)
        .fetch_all(conn)
        .await
        .map_err(db)?;
    rows.iter().map(from_row).collect()
}

/// Locks an attempt; with it comes the service point of the slot that it offers. The caller holds its ticket locked.
pub(crate) async fn lock(conn: &mut PgConnection, id: AttemptId) -> Result<(ContactAttempt, Option<String>)> {
    let row = sqlx::query("select * from attempt where id = $1 for update")
        .bind(id.0)
        .fetch_optional(conn)
        .await
        .map_err(db)?
        .ok_or_else(|| not_found("attempt", id))?;
    Ok((from_row(&row)?, row.col("offered_service_point")?))
}

/// The ticket of an attempt.
pub(crate) async fn ticket_of(conn: &mut PgConnection, id: AttemptId) -> Result<TicketId> {
    sqlx::query_scalar("select ticket from attempt where id = $1")
        .bind(id.0)
        .fetch_optional(conn)
        .await
        .map_err(db)?
        .map(TicketId)
        .ok_or_else(|| not_found("attempt", id))
}

pub(crate) async fn insert(
    conn: &mut PgConnection,
    attempt: &ContactAttempt,
    service_point: Option<&str>,
) -> Result<()> {
    sqlx::query(
        "insert into attempt (id, tenant, ticket, owner, direction, state, started_at, requested_by, offered_start, \
           offered_end, offered_service_point, trace) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(attempt.id.0)
    .bind(attempt.tenant.as_str())
    .bind(attempt.ticket.0)
    .bind(attempt.owner.0)
    .bind(word(&attempt.direction)?)
    .bind(word(&attempt.state)?)
    .bind(sql(attempt.started_at))
    .bind(&attempt.requested_by)
    .bind(sql_maybe(attempt.offered.map(|slot| slot.start)))
    .bind(sql_maybe(attempt.offered.map(|slot| slot.end)))
    .bind(service_point.filter(|_| attempt.offered.is_some()))
    .bind(attempt.trace.0)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

pub(crate) async fn save(conn: &mut PgConnection, attempt: &ContactAttempt) -> Result<()> {
    sqlx::query(
        "update attempt set state = $2, ended_at = $3, result = $4, disposition = $5, detail = $6 where id = $1",
    )
    .bind(attempt.id.0)
    .bind(word(&attempt.state)?)
    .bind(sql_maybe(attempt.ended_at))
    .bind(attempt.result.as_ref().map(word).transpose()?)
    .bind(attempt.disposition.as_ref().map(word).transpose()?)
    .bind(attempt.detail.as_ref().map(json).transpose()?)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}
