//! Contact attempts as rows.

use crate::row::{Columns, count, db, json, not_found, sql};
use hub_core::appointment::Slot;
use hub_core::call_rules::REMEMBERED;
use hub_core::contact::{ATTEMPTS_MAX, ContactAttempt};
use hub_core::household::Household;
use hub_core::id::{AttemptId, PersonId, TicketId, TraceId};
use hub_core::situation::{CALLS_COUNTED, Changed, PastCall, Running};
use hub_store::error::Result;
use jiff::Timestamp;
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

pub(crate) fn from_row(row: &PgRow) -> Result<ContactAttempt> {
    let offered = row.maybe_at("offered_start")?.zip(row.maybe_at("offered_end")?);
    Ok(ContactAttempt {
        id: AttemptId(row.col("id")?),
        tenant: row.word("tenant")?,
        ticket: TicketId(row.col("ticket")?),
        owner: PersonId(row.col("owner")?),
        direction: row.word("direction")?,
        state: row.word("state")?,
        started_at: row.at("started_at")?,
        rang_at: row.maybe_at("rang_at")?,
        ended_at: row.maybe_at("ended_at")?,
        result: row.maybe_word("result")?,
        disposition: row.maybe_word("disposition")?,
        requested_by: row.col("requested_by")?,
        offered: offered.map(|(start, end)| Slot { start, end }),
        rings_by: row.maybe_at("rings_by")?,
        detail: row.maybe_json("detail")?,
        trace: TraceId(row.col("trace")?),
    })
}

pub(crate) async fn of_ticket(conn: &mut PgConnection, ticket: TicketId) -> Result<Vec<ContactAttempt>> {
    let rows = sqlx::query("select * from attempt where ticket = $1 order by id limit $2")
        .bind(ticket.0)
        .bind(count(ATTEMPTS_MAX))
        .fetch_all(conn)
        .await
        .map_err(db)?;
    rows.iter().map(from_row).collect()
}

/// An attempt, with the service point of the slot that it offers. The caller holds its appliance locked.
pub(crate) async fn by_id(conn: &mut PgConnection, id: AttemptId) -> Result<Running> {
    let row = sqlx::query("select * from attempt where id = $1")
        .bind(id.0)
        .fetch_optional(conn)
        .await
        .map_err(db)?
        .ok_or_else(|| not_found("attempt", id))?;
    Ok(Running {
        attempt: from_row(&row)?,
        service_point: row.col("offered_service_point")?,
    })
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

/// Calls that the decision to ring looks at: those for this ticket, oldest first, and those with anybody of this household, or anybody
/// else who has a number of theirs, for whichever ticket.
pub(crate) async fn past(
    conn: &mut PgConnection,
    ticket: TicketId,
    household: Option<&Household>,
    now: Timestamp,
) -> Result<(Vec<PastCall>, Vec<PastCall>)> {
    let persons = household.map_or(&[][..], |household| &household.persons);
    let persons: Vec<uuid::Uuid> = persons.iter().map(|person| person.id.0).collect();
    let rows = sqlx::query(
        "(select true as is_tickets, id, direction, started_at, rang_at, ended_at, result from attempt where ticket = $1 \
          order by id limit $2) \
         union all \
         (select false, a.* from ( \
            select person from unnest($3::uuid[]) as k (person) union \
            select o.person from unnest($3::uuid[]) as k (person) \
              cross join lateral (select tenant, number_index from phone where person = k.person offset 0) n \
              cross join lateral (select person from phone where tenant = n.tenant and number_index = n.number_index offset 0) o) p \
            cross join lateral (select id, direction, started_at, rang_at, ended_at, result from attempt \
              where owner = p.person and (state <> 'ended' or started_at > $4 or ended_at > $5) offset 0) a) order by id",
    )
    .bind(ticket.0)
    .bind(count(ATTEMPTS_MAX))
    .bind(persons)
    .bind(sql(now - CALLS_COUNTED))
    .bind(sql(now - REMEMBERED))
    .fetch_all(conn)
    .await
    .map_err(db)?;
    let (mut of_ticket, mut with_household) = (Vec::new(), Vec::new());
    for row in &rows {
        let call = PastCall {
            direction: row.word("direction")?,
            started_at: row.at("started_at")?,
            rang: row.maybe_at("rang_at")?.is_some(),
            ended_at: row.maybe_at("ended_at")?,
            result: row.maybe_word("result")?,
        };
        if row.col("is_tickets")? {
            of_ticket.push(call);
        } else {
            with_household.push(call);
        }
    }
    Ok((of_ticket, with_household))
}

/// Saves attempts by one statement. Their fields are the columns, but for the slot that is offered.
pub(crate) async fn save(conn: &mut PgConnection, attempts: impl Iterator<Item = &Changed<Running>>) -> Result<()> {
    let rows: Vec<Value> = attempts.map(row).collect::<Result<_>>()?;
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into attempt (id, tenant, ticket, owner, direction, state, started_at, rang_at, ended_at, result, disposition, \
           requested_by, offered_start, offered_end, offered_service_point, detail, trace, rings_by) \
         select a.id, a.tenant, a.ticket, a.owner, a.direction, a.state, a.started_at, a.rang_at, a.ended_at, a.result, \
           a.disposition, a.requested_by, (k.row #>> '{offered,start}')::timestamptz, \
           (k.row #>> '{offered,end}')::timestamptz, a.offered_service_point, a.detail, a.trace, a.rings_by \
         from jsonb_array_elements($1) as k (row) cross join lateral jsonb_populate_record(null::attempt, k.row) a \
         on conflict (id) do update set state = excluded.state, rang_at = excluded.rang_at, ended_at = excluded.ended_at, result = excluded.result, \
           disposition = excluded.disposition, detail = excluded.detail",
    )
    .bind(Value::Array(rows))
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

fn row(changed: &Changed<Running>) -> Result<Value> {
    let mut row = json(&changed.now.attempt)?;
    row["offered_service_point"] = json(&changed.now.service_point)?;
    Ok(row)
}
