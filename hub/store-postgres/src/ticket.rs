//! Tickets for people: lists, the whole story of one, and the events they cause.

use crate::appointment::newest;
use crate::attempt;
use crate::finding;
use crate::household;
use crate::page::{id_cursor, page, page_limit};
use crate::release;
use crate::row::{Columns, count, db, not_found, sql, stored, word};
use crate::site_row::{appliance_views, service_point};
use crate::situation;
use crate::slot::{check_room, next_slot};
use crate::store::{PostgresStore, commit};
use crate::ticket_row;
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::call_rules::HoldReason;
use hub_core::contact::ContactPhase;
use hub_core::id::{ApplianceId, TicketId};
use hub_core::release::{Predicted, Release};
use hub_core::situation::Changes;
use hub_core::ticket::{ServiceTicket, TIMELINE_MAX, TicketCategory, TicketEvent, TicketKind, TicketLabels};
use hub_store::error::Result;
use hub_store::page::{PAGE_MAX, Page};
use hub_store::site::OwnerView;
use hub_store::ticket::{TicketFilter, TicketStore, TicketSummary, TicketView, TimelineEntry, cursor, place};
use jiff::Timestamp;
use sqlx::PgConnection;

#[async_trait]
impl TicketStore for PostgresStore {
    async fn tickets(
        &self,
        actor: &Actor,
        filter: &TicketFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<TicketSummary>> {
        actor.may(Act::ReadTickets)?;
        let limit = limit.clamp(1, PAGE_MAX);
        let mut tx = self.begin_scoped(actor).await?;
        let newest = newest();
        let (mut edge, mut behind) = (None, None);
        if filter.promised {
            behind = place(after)?;
        } else {
            edge = id_cursor(after)?;
        }
        // In the text, not bound: by a general plan the database would not see that the index of these few will do.
        let resolved = TicketCategory::Resolved.name();
        let mut only = String::new();
        if filter.promised {
            only += &format!("t.promised_by is not null and t.category <> '{resolved}' and ");
        }
        if filter.ready_to_ring {
            if actor.tenant().is_some() {
                only += "t.tenant = $1 and ";
            }
            let held = ContactPhase::Held.name();
            let reasons = HoldReason::FOR_APPROVAL
                .iter()
                .map(|reason| Ok(format!("'{}'", word(reason)?)));
            let reasons = reasons.collect::<Result<Vec<_>>>()?.join(", ");
            only += &format!("t.contact_phase = '{held}' and t.contact_reason in ({reasons}) and ");
        }
        let (beyond, order) = match (filter.promised, filter.ready_to_ring) {
            (true, _) => ("<", "t.promised_by, t.id"),
            (false, true) => (">", "t.id"),
            (false, false) => ("<", "t.id desc"),
        };
        let query = format!(
            "select t.*, {newest}, (f.prediction->>'probability')::real as probability, n.ticket_status \
             from ticket t join tenant n on n.id = t.tenant left join finding f on f.id = t.finding \
             where {only} ($1::text is null or t.tenant = $1) and ($2::text is null or t.category = $2) \
               and ($3::text is null or t.assignee = $3) and ($4::uuid is null or t.id {beyond} $4) \
               and ($9::timestamptz is null or (t.promised_by, t.id) > ($9, $10)) \
               and ($7::text is null or t.kind = $7) and ($8::text is null or t.label = $8) \
               and ($6::text[] is null or t.appliance in (select id from appliance where service_point = any($6))) \
             order by {order} limit $5"
        );
        let rows = sqlx::query(&query)
            .bind(actor.tenant())
            .bind(filter.category.map(TicketCategory::name))
            .bind(&filter.assignee)
            .bind(edge)
            .bind(page_limit(limit))
            .bind(actor.sites())
            .bind(filter.kind.map(TicketKind::name))
            .bind(&filter.label)
            .bind(behind.map(|(by, _)| sql(by)))
            .bind(behind.map(|(_, id)| id.0))
            .fetch_all(&mut *tx)
            .await
            .map_err(db)?;
        let ids: Vec<i64> = rows.iter().map(|row| row.col("appliance")).collect::<Result<_>>()?;
        let appliances = appliance_views(&mut tx, &ids).await?;
        let mut items = Vec::with_capacity(rows.len());
        for row in &rows {
            let ticket = ticket_row::from_row(row)?;
            let appliance = appliances
                .get(&ticket.appliance.0)
                .cloned()
                .ok_or_else(|| not_found("appliance", ticket.appliance))?;
            let labels: TicketLabels = row.json("ticket_status")?;
            items.push(TicketSummary {
                label: labels.name(&ticket.status.label),
                ticket,
                appliance,
                probability: row.col("probability")?,
            });
        }
        Ok(page(items, limit, |summary| cursor(filter, &summary.ticket)))
    }

    async fn ticket(&self, actor: &Actor, id: TicketId, now: Timestamp) -> Result<TicketView> {
        actor.may(Act::ReadTickets)?;
        // One snapshot: the timeline must not know of an attempt that the list of attempts does not show.
        let mut tx = self.begin().await?;
        sqlx::query("set transaction isolation level repeatable read, read only")
            .execute(&mut *tx)
            .await
            .map_err(db)?;
        self.confine(&mut tx, actor).await?;
        let newest = newest();
        let query = format!(
            "select t.*, {newest}, n.ticket_status from ticket t join tenant n on n.id = t.tenant \
             where t.id = $1 and ($2::text is null or t.tenant = $2)"
        );
        let row = sqlx::query(&query)
            .bind(id.0)
            .bind(actor.tenant())
            .fetch_optional(&mut *tx)
            .await
            .map_err(db)?
            .ok_or_else(|| not_found("ticket", id))?;
        let ticket = ticket_row::from_row(&row)?;
        let appliance = appliance_views(&mut tx, &[ticket.appliance.0])
            .await?
            .remove(&ticket.appliance.0)
            .ok_or_else(|| not_found("appliance", ticket.appliance))?;
        if !actor.reaches(&ticket.tenant, appliance.service_point.as_deref()) {
            return Err(not_found("ticket", id));
        }
        let household = household::of_appliance(&mut tx, &self.keyring, ticket.appliance).await?;
        let point = match &appliance.service_point {
            Some(point) => service_point(&mut tx, &ticket.tenant, point).await?,
            None => None,
        };
        let timeline = timeline(&mut tx, id).await?;
        let next_slot = match &point {
            Some(point) => next_slot(&mut tx, &ticket.tenant, point, now).await?,
            None => None,
        };
        let attempts = match actor.may(Act::ReadCalls) {
            Ok(()) => attempt::of_ticket(&mut tx, id).await?,
            Err(_) => Vec::new(),
        };
        let finding = match &ticket.fault {
            Some(fault) => Some(finding::by_id(&mut tx, fault.finding).await?),
            None => None,
        };
        let release = match &finding {
            Some(finding) => {
                let tally = release::tally(&mut tx, &ticket.tenant, Some(&Predicted::of(finding))).await?;
                Some(Release::of(finding, tally))
            }
            None => None,
        };
        Ok(TicketView {
            finding,
            release,
            labels: row.json("ticket_status")?,
            attempts,
            ticket,
            appliance,
            owner: household.and_then(|household| OwnerView::on_ticket(household, actor)),
            service_point: point,
            next_slot,
            timeline,
        })
    }

    async fn open_ticket(
        &self,
        actor: &Actor,
        appliance: ApplianceId,
        kind: TicketKind,
        note: &str,
        now: Timestamp,
    ) -> Result<ServiceTicket> {
        actor.may(Act::WorkTickets)?;
        let now = stored(now);
        let mut tx = self.begin_scoped(actor).await?;
        let mut situations = situation::load(&mut tx, &[appliance.0]).await?;
        let situation = situations
            .get_mut(&appliance)
            .filter(|situation| actor.reaches(&situation.tenant, situation.site.as_deref()))
            .ok_or_else(|| not_found("appliance", appliance))?;
        let mut changes = Changes::default();
        let id = situation::with_ids(|ids| Ok(situation.report(kind, note, &actor.name, ids, now, &mut changes)?))?;
        situation::save(&mut tx, changes).await?;
        let ticket = ticket_row::by_id(&mut tx, id).await?;
        commit(self, tx).await?;
        Ok(ticket)
    }

    async fn apply_ticket(
        &self,
        actor: &Actor,
        id: TicketId,
        event: &TicketEvent,
        now: Timestamp,
    ) -> Result<ServiceTicket> {
        actor.may(event.act())?;
        let now = stored(now);
        let mut tx = self.begin_scoped(actor).await?;
        let mut situation = match event {
            TicketEvent::Closed { .. } => situation::of_ticket_to_close(&mut tx, id).await?,
            TicketEvent::Corrected { .. } => situation::of_ticket_to_correct(&mut tx, id, now).await?,
            _ => situation::of_ticket(&mut tx, id).await?,
        };
        if !actor.reaches(&situation.tenant, situation.site.as_deref()) {
            return Err(not_found("ticket", id));
        }
        let ticket = situation.ticket(id)?;
        if let Some((slot, point)) = ticket.slot_wanted(event) {
            check_room(&mut tx, ticket, slot, point).await?;
        }
        let mut changes = Changes::default();
        let ticket = situation.act(id, event, &actor.name, now, &mut changes)?;
        situation::save(&mut tx, changes).await?;
        commit(self, tx).await?;
        Ok(ticket)
    }
}

async fn timeline(conn: &mut PgConnection, ticket: TicketId) -> Result<Vec<TimelineEntry>> {
    let rows = sqlx::query(
        "select * from (select number, at, actor, event from timeline where ticket = $1 order by number desc limit $2) t \
         order by number",
    )
    .bind(ticket.0)
    .bind(count(TIMELINE_MAX))
    .fetch_all(conn)
    .await
    .map_err(db)?;
    rows.iter()
        .map(|row| {
            Ok(TimelineEntry {
                at: row.at("at")?,
                actor: row.col("actor")?,
                event: row.json("event")?,
            })
        })
        .collect()
}
