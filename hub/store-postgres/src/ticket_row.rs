//! Tickets as rows.

use crate::row::{Columns, db, json, not_found};
use hub_core::appointment::{Appointment, Slot};
use hub_core::id::{ApplianceId, FindingId, TicketId, TraceId};
use hub_core::situation::Changed;
use hub_core::ticket::ServiceTicket;
use hub_store::error::Result;
use serde_json::Value;
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

/// The appliance that a ticket is about; it stays so.
pub(crate) async fn appliance_of(conn: &mut PgConnection, id: TicketId) -> Result<ApplianceId> {
    sqlx::query_scalar("select appliance from ticket where id = $1")
        .bind(id.0)
        .fetch_optional(conn)
        .await
        .map_err(db)?
        .map(ApplianceId)
        .ok_or_else(|| not_found("ticket", id))
}

pub(crate) async fn by_id(conn: &mut PgConnection, id: TicketId) -> Result<ServiceTicket> {
    let row = sqlx::query("select * from ticket where id = $1")
        .bind(id.0)
        .fetch_optional(conn)
        .await
        .map_err(db)?
        .ok_or_else(|| not_found("ticket", id))?;
    from_row(&row)
}

/// The tickets of these appliances that are not closed, oldest first. The caller holds the appliances locked.
pub(crate) async fn not_closed(conn: &mut PgConnection, appliances: &[i64]) -> Result<Vec<ServiceTicket>> {
    let rows = sqlx::query("select * from ticket where appliance = any($1) and state <> 'closed' order by id")
        .bind(appliances)
        .fetch_all(conn)
        .await
        .map_err(db)?;
    rows.iter().map(from_row).collect()
}

/// Saves tickets by one statement. Their fields are the columns, but for the visit.
pub(crate) async fn save(
    conn: &mut PgConnection,
    tickets: impl Iterator<Item = &Changed<ServiceTicket>>,
) -> Result<()> {
    let rows: Vec<Value> = tickets.map(|ticket| json(&ticket.now)).collect::<Result<_>>()?;
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into ticket (id, number, tenant, appliance, finding, fault_class, severity, state, assignee, opened_at, \
           closed_at, contact_due, call_requested_by, held, visit_start, visit_end, visit_service_point, visit_agreed_by, \
           outcome, trace) \
         select t.id, t.number, t.tenant, t.appliance, t.finding, t.fault_class, t.severity, t.state, t.assignee, \
           t.opened_at, t.closed_at, t.contact_due, t.call_requested_by, t.held, \
           (k.row #>> '{appointment,slot,start}')::timestamptz, (k.row #>> '{appointment,slot,end}')::timestamptz, \
           k.row #>> '{appointment,service_point}', k.row #>> '{appointment,agreed_by}', t.outcome, t.trace \
         from jsonb_array_elements($1) as k (row) cross join lateral jsonb_populate_record(null::ticket, k.row) t \
         on conflict (id) do update set finding = excluded.finding, fault_class = excluded.fault_class, \
           severity = excluded.severity, state = excluded.state, assignee = excluded.assignee, \
           closed_at = excluded.closed_at, contact_due = excluded.contact_due, \
           call_requested_by = excluded.call_requested_by, held = excluded.held, visit_start = excluded.visit_start, \
           visit_end = excluded.visit_end, visit_service_point = excluded.visit_service_point, \
           visit_agreed_by = excluded.visit_agreed_by, outcome = excluded.outcome",
    )
    .bind(Value::Array(rows))
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}
