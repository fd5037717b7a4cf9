//! Tickets as rows.

use crate::appointment::{self, newest};
use crate::row::{Columns, db, json, sql};
use hub_core::appointment::Appointment;
use hub_core::contact::ContactThread;
use hub_core::id::{ApplianceId, FindingId, TicketId, TraceId};
use hub_core::situation::{Changed, Line, Told};
use hub_core::ticket::{ServiceTicket, TicketCategory, TicketFault, TicketStatus};
use hub_store::error::Result;
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

/// The query selects [`newest`] beside the ticket.
pub(crate) fn from_row(row: &PgRow) -> Result<ServiceTicket> {
    Ok(ServiceTicket {
        id: TicketId(row.col("id")?),
        number: row.col("number")?,
        tenant: row.word("tenant")?,
        appliance: ApplianceId(row.col("appliance")?),
        kind: row.word("kind")?,
        fault: fault(row)?,
        status: TicketStatus {
            category: row.word("category")?,
            label: row.col("label")?,
        },
        assignee: row.col("assignee")?,
        opened_at: row.at("opened_at")?,
        closed_at: row.maybe_at("closed_at")?,
        contact: ContactThread {
            phase: row.word("contact_phase")?,
            due: row.maybe_at("contact_due")?,
            requested_by: row.col("contact_requested_by")?,
            approved_by: row.col("contact_approved_by")?,
            reason: row.maybe_word("contact_reason")?,
        },
        appointment: row.maybe_json("appointment")?,
        promise: row.maybe_json("promise")?,
        next_promise: row.maybe_json("next_promise")?,
        outcome: row.maybe_json("outcome")?,
        correction: row.maybe_json("correction")?,
        judged: row.maybe_json("judged")?,
        trace: TraceId(row.col("trace")?),
    })
}

fn fault(row: &PgRow) -> Result<Option<TicketFault>> {
    let Some(finding) = row.col::<Option<uuid::Uuid>>("finding")? else {
        return Ok(None);
    };
    Ok(Some(TicketFault {
        finding: FindingId(finding),
        fault_class: row.col("fault_class")?,
        severity: row.word("severity")?,
    }))
}

/// The tickets of these appliances that are not closed, and this one whatever its state; oldest first. The caller holds the
/// appliances locked.
pub(crate) async fn not_closed(
    conn: &mut PgConnection,
    appliances: &[i64],
    or: Option<TicketId>,
) -> Result<Vec<ServiceTicket>> {
    // In the text, not bound: by a general plan the database would not see that the index of open tickets will do.
    let query = format!(
        "select t.*, {newest} from (select * from ticket where appliance = any($1) and category <> '{resolved}' \
           union all select * from ticket where id = $2 and category = '{resolved}') t order by id",
        newest = newest(),
        resolved = TicketCategory::Resolved.name()
    );
    let rows = sqlx::query(&query)
        .bind(appliances)
        .bind(or.map(|id| id.0))
        .fetch_all(conn)
        .await
        .map_err(db)?;
    rows.iter().map(from_row).collect()
}

pub(crate) async fn by_id(conn: &mut PgConnection, id: TicketId) -> Result<ServiceTicket> {
    let query = format!("select t.*, {newest} from ticket t where t.id = $1", newest = newest());
    let row = sqlx::query(&query).bind(id.0).fetch_one(conn).await.map_err(db)?;
    from_row(&row)
}

/// Saves tickets, their visits, the lines of their timelines and all events, in the order in which they happened, by one statement:
/// between a reading and the call each round trip counts. A ticket's fields are the columns, but for those of its status and its contact, and
/// for its visit, which is a row of its own.
pub(crate) async fn save(
    conn: &mut PgConnection,
    tickets: impl Iterator<Item = &Changed<ServiceTicket>>,
    visits: impl Iterator<Item = &Changed<Appointment>>,
    lines: &[Line],
    told: &[Told],
) -> Result<()> {
    // Those that are stored come first: one that is closed makes room for one of the same fault.
    let mut tickets: Vec<&Changed<ServiceTicket>> = tickets.collect();
    tickets.sort_by_key(|ticket| ticket.is_new);
    let rows: Vec<Value> = tickets.iter().map(|ticket| json(&ticket.now)).collect::<Result<_>>()?;
    let events: Vec<Value> = lines.iter().map(|line| json(&line.event)).collect::<Result<_>>()?;
    if rows.is_empty() && lines.is_empty() && told.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "with changed as ( \
           insert into ticket (id, number, tenant, appliance, kind, finding, fault_class, severity, category, label, assignee, \
             opened_at, closed_at, contact_phase, contact_due, contact_requested_by, contact_approved_by, contact_reason, \
             promise, promised_by, next_promise, outcome, correction, judged, trace) \
           select t.id, t.number, t.tenant, t.appliance, t.kind, t.finding, t.fault_class, t.severity, \
             k.row #>> '{status,category}', k.row #>> '{status,label}', t.assignee, t.opened_at, t.closed_at, \
             k.row #>> '{contact,phase}', (k.row #>> '{contact,due}')::timestamptz, \
             k.row #>> '{contact,requested_by}', k.row #>> '{contact,approved_by}', k.row #>> '{contact,reason}', \
             t.promise, (k.row #>> '{promise,by}')::timestamptz, t.next_promise, t.outcome, t.correction, t.judged, t.trace \
           from jsonb_array_elements($1) as k (row) cross join lateral jsonb_populate_record(null::ticket, k.row) t \
           on conflict (id) do update set finding = excluded.finding, fault_class = excluded.fault_class, \
             severity = excluded.severity, category = excluded.category, label = excluded.label, \
             assignee = excluded.assignee, closed_at = excluded.closed_at, contact_phase = excluded.contact_phase, \
             contact_due = excluded.contact_due, contact_requested_by = excluded.contact_requested_by, \
             contact_approved_by = excluded.contact_approved_by, contact_reason = excluded.contact_reason, promise = excluded.promise, promised_by = excluded.promised_by, \
             next_promise = excluded.next_promise, outcome = excluded.outcome, correction = excluded.correction, \
             judged = excluded.judged), \
         visit as ( \
           insert into appointment (id, tenant, ticket, state, slot_start, slot_end, service_point, agreed_by, made_at, \
             changed_at) \
           select v.id, v.tenant, v.ticket, v.state, (k.row #>> '{slot,start}')::timestamptz, \
             (k.row #>> '{slot,end}')::timestamptz, v.service_point, v.agreed_by, v.made_at, v.changed_at \
           from jsonb_array_elements($12) as k (row) cross join lateral jsonb_populate_record(null::appointment, k.row) v \
           on conflict (id) do update set state = excluded.state, slot_start = excluded.slot_start, \
             slot_end = excluded.slot_end, service_point = excluded.service_point, agreed_by = excluded.agreed_by, \
             changed_at = excluded.changed_at), \
         line as ( \
           insert into timeline (tenant, ticket, at, actor, event) \
           select * from unnest($2::text[], $3::uuid[], $4::timestamptz[], $5::text[], $6::jsonb[])) \
         insert into event (epoch, transaction, tenant, at, kind, ticket, appliance) \
         select (select epoch from event_epoch), pg_current_xact_id()::text::bigint, k.* \
         from unnest($7::text[], $8::timestamptz[], $9::text[], $10::uuid[], $11::bigint[]) k",
    )
    .bind(Value::Array(rows))
    .bind(lines.iter().map(|line| line.tenant.as_str()).collect::<Vec<_>>())
    .bind(lines.iter().map(|line| line.ticket.0).collect::<Vec<_>>())
    .bind(lines.iter().map(|line| sql(line.at)).collect::<Vec<_>>())
    .bind(lines.iter().map(|line| line.actor.as_str()).collect::<Vec<_>>())
    .bind(events)
    .bind(told.iter().map(|told| told.tenant.as_str()).collect::<Vec<_>>())
    .bind(told.iter().map(|told| sql(told.at)).collect::<Vec<_>>())
    .bind(told.iter().map(|told| told.kind.as_str()).collect::<Vec<_>>())
    .bind(told.iter().map(|told| told.ticket.map(|id| id.0)).collect::<Vec<_>>())
    .bind(told.iter().map(|told| told.appliance.map(|id| id.0)).collect::<Vec<_>>())
    .bind(appointment::rows(visits)?)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}
