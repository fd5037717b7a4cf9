//! Tickets as rows, and the one way in which they change: locked, by the rules, with timeline, actions and event in the
//! same transaction.

use crate::event;
use crate::finding;
use crate::prediction;
use crate::row::{Columns, db, json, not_found, sql, sql_maybe, word};
use crate::scoring;
use hub_core::appointment::{Appointment, Slot};
use hub_core::finding::COOL_DOWN;
use hub_core::id::{ApplianceId, FindingId, TenantId, TicketId, TraceId};
use hub_core::ticket::{ServiceTicket, Settlement, TicketAction, TicketEvent};
use hub_store::error::Result;
use jiff::Timestamp;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

pub(crate) fn from_row(row: &PgRow) -> Result<ServiceTicket> {
    Ok(ServiceTicket {
        id: TicketId(row.col("id")?),
        number: row.col("number")?,
        tenant: row.word("tenant")?,
        appliance: ApplianceId(row.col("appliance")?),
        finding: FindingId(row.col("finding")?),
        fault_class: row.col("fault_class")?,
        severity: row.word("severity")?,
        state: row.word("state")?,
        assignee: row.col("assignee")?,
        opened_at: row.at("opened_at")?,
        closed_at: row.maybe_at("closed_at")?,
        contact_due: row.maybe_at("contact_due")?,
        call_requested_by: row.col("call_requested_by")?,
        held: row.maybe_word("held")?,
        appointment: appointment(row)?,
        outcome: row.maybe_json("outcome")?,
        trace: TraceId(row.col("trace")?),
    })
}

fn appointment(row: &PgRow) -> Result<Option<Appointment>> {
    let (Some(start), Some(end)) = (row.maybe_at("visit_start")?, row.maybe_at("visit_end")?) else {
        return Ok(None);
    };
    Ok(Some(Appointment {
        slot: Slot { start, end },
        service_point: row.col("visit_service_point")?,
        agreed_by: row.col("visit_agreed_by")?,
    }))
}

/// Locks a ticket and, before it, its appliance, so that scoring and people never wait for each other in a circle.
pub(crate) async fn lock(conn: &mut PgConnection, id: TicketId) -> Result<ServiceTicket> {
    sqlx::query("select from appliance where id = (select appliance from ticket where id = $1) for no key update")
        .bind(id.0)
        .execute(&mut *conn)
        .await
        .map_err(db)?;
    let row = sqlx::query("select * from ticket where id = $1 for update")
        .bind(id.0)
        .fetch_optional(conn)
        .await
        .map_err(db)?
        .ok_or_else(|| not_found("ticket", id))?;
    from_row(&row)
}

/// The ticket of this fault that is not closed. The caller holds the appliance locked.
pub(crate) async fn not_closed(
    conn: &mut PgConnection,
    appliance: ApplianceId,
    fault_class: &str,
) -> Result<Option<ServiceTicket>> {
    sqlx::query("select * from ticket where appliance = $1 and fault_class = $2 and state <> 'closed' for update")
        .bind(appliance.0)
        .bind(fault_class)
        .fetch_optional(conn)
        .await
        .map_err(db)?
        .as_ref()
        .map(from_row)
        .transpose()
}

/// The next number of this tenant.
pub(crate) async fn next_number(conn: &mut PgConnection, tenant: &TenantId) -> Result<i64> {
    sqlx::query_scalar(
        "insert into ticket_counter (tenant, last) values ($1, 1) \
         on conflict (tenant) do update set last = ticket_counter.last + 1 returning last",
    )
    .bind(tenant.as_str())
    .fetch_one(conn)
    .await
    .map_err(db)
}

/// Writes a new ticket; its events follow by [`transition`].
pub(crate) async fn insert(conn: &mut PgConnection, ticket: &ServiceTicket) -> Result<()> {
    sqlx::query(
        "insert into ticket (id, number, tenant, appliance, finding, fault_class, severity, state, opened_at, trace) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(ticket.id.0)
    .bind(ticket.number)
    .bind(ticket.tenant.as_str())
    .bind(ticket.appliance.0)
    .bind(ticket.finding.0)
    .bind(&ticket.fault_class)
    .bind(word(&ticket.severity)?)
    .bind(word(&ticket.state)?)
    .bind(sql(ticket.opened_at))
    .bind(ticket.trace.0)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// Applies an event to a locked ticket and saves all that follows from it.
pub(crate) async fn transition(
    conn: &mut PgConnection,
    ticket: ServiceTicket,
    event: &TicketEvent,
    actor: &str,
    now: Timestamp,
) -> Result<ServiceTicket> {
    let (ticket, actions) = ticket.apply(event, actor, now)?;
    save(conn, &ticket, event, actor, now).await?;
    for action in actions {
        perform(conn, &ticket, &action, now).await?;
    }
    Ok(ticket)
}

/// The ticket, the line of its timeline and the event that tells of it, in one statement: between a reading and the call each
/// round trip counts.
async fn save(
    conn: &mut PgConnection,
    ticket: &ServiceTicket,
    event: &TicketEvent,
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let told = json(event)?;
    let name = told.get("event").and_then(|name| name.as_str()).unwrap_or("changed");
    let kind = format!("ticket.{name}");
    let visit = ticket.appointment.as_ref();
    sqlx::query(
        "with changed as ( \
           update ticket set finding = $2, fault_class = $3, severity = $4, state = $5, assignee = $6, closed_at = $7, \
             contact_due = $8, call_requested_by = $9, held = $10, visit_start = $11, visit_end = $12, \
             visit_service_point = $13, visit_agreed_by = $14, outcome = $15 where id = $1), \
         told as ( \
           insert into timeline (tenant, ticket, at, actor, event) values ($16, $1, $17, $18, $19)) \
         insert into event (epoch, transaction, tenant, at, kind, ticket, appliance) \
         select epoch, pg_current_xact_id()::text::bigint, $16, $17, $20, $1, $21 from event_epoch",
    )
    .bind(ticket.id.0)
    .bind(ticket.finding.0)
    .bind(&ticket.fault_class)
    .bind(word(&ticket.severity)?)
    .bind(word(&ticket.state)?)
    .bind(&ticket.assignee)
    .bind(sql_maybe(ticket.closed_at))
    .bind(sql_maybe(ticket.contact_due))
    .bind(&ticket.call_requested_by)
    .bind(ticket.held.as_ref().map(word).transpose()?)
    .bind(sql_maybe(visit.map(|v| v.slot.start)))
    .bind(sql_maybe(visit.map(|v| v.slot.end)))
    .bind(visit.map(|v| v.service_point.as_str()))
    .bind(visit.map(|v| v.agreed_by.as_str()))
    .bind(ticket.outcome.as_ref().map(json).transpose()?)
    .bind(ticket.tenant.as_str())
    .bind(sql(now))
    .bind(actor)
    .bind(&told)
    .bind(kind)
    .bind(ticket.appliance.0)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

async fn perform(conn: &mut PgConnection, ticket: &ServiceTicket, action: &TicketAction, now: Timestamp) -> Result<()> {
    match action {
        // The contact worker's list is the column `contact_due` of tickets in this state, saved above.
        TicketAction::LookAt(_) | TicketAction::StopLooking => Ok(()),
        TicketAction::SettleFinding(Settlement::Repaired) => {
            settle_findings(conn, ticket, None, now).await?;
            // Boxed: the findings of other tickets clear with it, which is told to those.
            Box::pin(restart_baseline(conn, ticket.appliance, now)).await
        }
        TicketAction::SettleFinding(Settlement::FalseAlarm) => {
            settle_findings(conn, ticket, Some(now + COOL_DOWN), now).await
        }
        // Still open and still this ticket's: what comes of the same fault finds it and opens no other.
        TicketAction::SettleFinding(Settlement::LeftAsItIs) => Ok(()),
    }
}

async fn settle_findings(
    conn: &mut PgConnection,
    ticket: &ServiceTicket,
    quiet_until: Option<Timestamp>,
    now: Timestamp,
) -> Result<()> {
    let settled = sqlx::query(
        "update finding set state = 'cleared', suppressed_until = coalesce($3, suppressed_until) \
         where appliance = $4 and (id = $1 or ticket = $2)",
    )
    .bind(ticket.finding.0)
    .bind(ticket.id.0)
    .bind(sql_maybe(quiet_until))
    .bind(ticket.appliance.0)
    .execute(&mut *conn)
    .await
    .map_err(db)?;
    if settled.rows_affected() > 0 {
        let (id, appliance) = (Some(ticket.id), Some(ticket.appliance));
        event::write(conn, &ticket.tenant, "finding.cleared", id, appliance, now).await?;
    }
    Ok(())
}

/// Forgets what the detector knows of this unit, marks the one in memory as stale, and clears what it had found. The
/// caller holds the appliance locked.
pub(crate) async fn restart_baseline(conn: &mut PgConnection, appliance: ApplianceId, now: Timestamp) -> Result<()> {
    scoring::restart(conn, appliance, now).await?;
    let open = finding::open(conn, &[appliance.0]).await?;
    prediction::clear(conn, open, now).await?;
    Ok(())
}
