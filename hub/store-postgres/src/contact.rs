//! Contacts: the transaction that dials, and what becomes of an attempt.

use crate::appointment::newest;
use crate::attempt;
use crate::budget;
use crate::caller;
use crate::finding;
use crate::household;
use crate::page::{id_cursor, page, page_limit};
use crate::release;
use crate::row::{Columns, count, db, not_found, sql, stored};
use crate::site_row::appliance_views;
use crate::situation;
use crate::slot::offer;
use crate::store::{PostgresStore, commit};
use crate::ticket_row;
use crate::transaction::Transaction;
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::contact::{AttemptEvent, ContactAttempt, ContactPhase, Direction};
use hub_core::id::{ApplianceId, AttemptId, TenantId, TicketId, TraceId};
use hub_core::phone_number::PhoneNumber;
use hub_core::situation::{Changes, Home, Placing, Situation, TICKETS_MAX, for_caller, is_in_call};
use hub_core::ticket::{ServiceTicket, TicketCategory};
use hub_store::contact::{Begun, ContactStore, DialOrder, DueContact, Greeting, RangIn, attempt_id};
use hub_store::error::Result;
use hub_store::page::{PAGE_MAX, Page};
use hub_store::site::OwnerView;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sqlx::PgConnection;
use std::time::Duration;

#[async_trait]
impl ContactStore for PostgresStore {
    async fn contacts_due(&self, not_of: &[TenantId], now: Timestamp, limit: usize) -> Result<Vec<DueContact>> {
        let not_of: Vec<&str> = not_of.iter().map(TenantId::as_str).collect();
        // In the text, not bound: by a general plan the database would not see that the index of planned contacts will do.
        let query = format!(
            "select id, tenant, trace, contact_due > $1 as waited_for_trunk from ( \
               (select * from ticket where contact_phase = '{planned}' and contact_due <= $1 and tenant <> all($3) order by contact_due, id limit $2) \
               union all \
               (select t.* from trunk k join ticket t on t.tenant = k.tenant \
                where t.contact_phase = '{planned}' and t.contact_reason = 'no_trunk' and t.contact_due > $1 and t.tenant <> all($3) limit $2)) t \
             order by contact_due, id limit $2",
            planned = ContactPhase::Planned.name()
        );
        let rows = sqlx::query(&query)
            .bind(sql(now))
            .bind(count(limit))
            .bind(not_of)
            .fetch_all(&self.pool)
            .await
            .map_err(db)?;
        rows.iter()
            .map(|row| {
                Ok(DueContact {
                    ticket: TicketId(row.col("id")?),
                    tenant: row.word("tenant")?,
                    trace: TraceId(row.col("trace")?),
                    waited_for_trunk: row.col("waited_for_trunk")?,
                })
            })
            .collect()
    }

    async fn contact_planned(&self, patience: Duration) {
        self.signals.wait_contact(patience).await;
    }

    async fn begin_attempt(&self, ticket: TicketId, now: Timestamp, random: [u8; 20]) -> Result<Begun> {
        let now = stored(now);
        let mut tx = self.begin_fenced().await?;
        let mut situation = situation::of_ticket(&mut tx, ticket).await?;
        budget::load_gates(&mut tx, [&mut situation]).await?;
        let household = household::lock_of_appliance(&mut tx, &self.keyring, situation.appliance).await?;
        let (past, calls) = attempt::past(&mut tx, ticket, household.as_ref(), now).await?;
        let home = household.as_ref().map(|household| Home { household, calls });
        let predicted = situation.predicted(situation.ticket(ticket)?);
        let tally = release::tally(&mut tx, &situation.tenant, predicted.as_ref()).await?;
        let mut changes = Changes::default();
        let dial = situation.dial(ticket, home.as_ref(), &past, tally, now, &mut changes)?;
        let owner = household.and_then(OwnerView::to_ring);
        let begun = match (dial.refusal(), owner) {
            (Some(Begun::Settled), _) => return Ok(Begun::Settled),
            (Some(refusal), _) => refusal,
            (None, None) => return Err(not_found("owner of appliance", situation.appliance)),
            (None, Some(owner)) => {
                let call = Call {
                    ticket,
                    owner,
                    direction: Direction::Outbound,
                    id: attempt_id(now, &random),
                };
                Begun::Ring(Box::new(place(&mut tx, situation, call, now, &mut changes).await?))
            }
        };
        situation::save(&mut tx, changes).await?;
        commit(self, tx).await?;
        Ok(begun)
    }

    async fn begin_inbound(
        &self,
        tenant: &TenantId,
        caller: &PhoneNumber,
        now: Timestamp,
        random: [u8; 20],
    ) -> Result<RangIn> {
        let now = stored(now);
        let mut tx = self.begin_fenced().await?;
        let query = format!(
            "select t.*, {newest} from (select distinct p.household from phone n join person p on p.id = n.person \
               where n.tenant = $1 and n.number_index = $2) h \
             join appliance a on a.household = h.household join ticket t on t.appliance = a.id \
             where t.category <> '{resolved}' order by t.id desc limit $3",
            newest = newest(),
            resolved = TicketCategory::Resolved.name()
        );
        let rows = sqlx::query(&query)
            .bind(tenant.as_str())
            .bind(&self.keyring.blind_index(caller)[..])
            .bind(count(TICKETS_MAX))
            .fetch_all(&mut *tx)
            .await
            .map_err(db)?;
        let theirs: Vec<ServiceTicket> = rows.iter().map(ticket_row::from_row).collect::<Result<_>>()?;
        let mut changes = Changes::default();
        let (situation, ticket) = match for_caller(&theirs, now).map(|ticket| ticket.id) {
            Some(ticket) => (situation::of_ticket(&mut tx, ticket).await?, ticket),
            None if is_in_call(&theirs) => return Ok(RangIn::InCall),
            None => match self.open_for_caller(&mut tx, tenant, caller, now, &mut changes).await? {
                Some(opened) => opened,
                None => return Ok(RangIn::Unknown),
            },
        };
        // Somebody may have acted on it before it was locked.
        if for_caller(std::slice::from_ref(situation.ticket(ticket)?), now).is_none() {
            return Ok(RangIn::InCall);
        }
        let household = household::lock_of_appliance(&mut tx, &self.keyring, situation.appliance).await?;
        let Some(owner) = household.and_then(|household| OwnerView::who_calls(household, caller)) else {
            return Ok(RangIn::Unknown);
        };
        let call = Call {
            ticket,
            owner,
            direction: Direction::Inbound,
            id: attempt_id(now, &random),
        };
        let order = place(&mut tx, situation, call, now, &mut changes).await?;
        situation::save(&mut tx, changes).await?;
        commit(self, tx).await?;
        Ok(RangIn::Order(Box::new(order)))
    }

    async fn greeting(&self, tenant: &TenantId, now: Timestamp) -> Result<Option<Greeting>> {
        caller::greeting(&self.pool, tenant, now).await
    }

    async fn name_by_keys(
        &self,
        tenant: &TenantId,
        figures: &str,
        rings_by: Timestamp,
        now: Timestamp,
    ) -> Result<bool> {
        let now = stored(now);
        let mut tx = self.begin_fenced().await?;
        let Some(changes) = caller::named(&mut tx, &self.keyring, (tenant, figures), rings_by, now).await? else {
            return Ok(false);
        };
        situation::save(&mut tx, changes).await?;
        commit(self, tx).await?;
        Ok(true)
    }

    async fn apply_attempt(&self, id: AttemptId, event: AttemptEvent, now: Timestamp) -> Result<ContactAttempt> {
        let tx = self.begin().await?;
        self.apply_in(tx, id, event, now).await
    }

    async fn recover_attempts(&self, now: Timestamp) -> Result<Vec<ContactAttempt>> {
        let cut_off: Vec<uuid::Uuid> = sqlx::query_scalar("select id from attempt where state <> 'ended' order by id")
            .fetch_all(&self.pool)
            .await
            .map_err(db)?;
        let mut recovered = Vec::with_capacity(cut_off.len());
        for id in cut_off {
            let found = AttemptEvent::FoundAfterRestart;
            let tx = self.begin_fenced().await?;
            recovered.push(self.apply_in(tx, AttemptId(id), found, now).await?);
        }
        Ok(recovered)
    }

    async fn contacts(&self, actor: &Actor, after: Option<&str>, limit: usize) -> Result<Page<ContactAttempt>> {
        actor.may(Act::ReadCalls)?;
        let limit = limit.clamp(1, PAGE_MAX);
        let mut tx = self.begin_scoped(actor).await?;
        let rows = sqlx::query(
            "select * from attempt where ($1::text is null or tenant = $1) and ($2::uuid is null or id < $2) \
               and ($4::text[] is null or ticket in (select t.id from ticket t join appliance a on a.id = t.appliance \
                 where a.service_point = any($4))) \
             order by id desc limit $3",
        )
        .bind(actor.tenant())
        .bind(id_cursor(after)?)
        .bind(page_limit(limit))
        .bind(actor.sites())
        .fetch_all(&mut *tx)
        .await
        .map_err(db)?;
        let items: Vec<ContactAttempt> = rows.iter().map(attempt::from_row).collect::<Result<_>>()?;
        Ok(page(items, limit, |attempt| attempt.id.to_string()))
    }
}

impl PostgresStore {
    /// A ticket for a caller of whom nothing is open, in the situation of the first appliance of their household, or the one that
    /// another call of theirs has opened there meanwhile. None without an appliance.
    async fn open_for_caller(
        &self,
        tx: &mut Transaction,
        tenant: &TenantId,
        caller: &PhoneNumber,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<Option<(Situation, TicketId)>> {
        let index = self.keyring.blind_index(caller);
        let Some(appliance) = caller::appliance_of(tx, tenant, &index).await? else {
            return Ok(None);
        };
        let mut situations = situation::load(tx, &[appliance]).await?;
        let Some(mut situation) = situations.remove(&ApplianceId(appliance)) else {
            return Ok(None);
        };
        // What is open here, since it is locked: a ticket for a call, else one that is in a call.
        let open = for_caller(&situation.tickets, now).or_else(|| situation.tickets.first());
        if let Some(known) = open.map(|ticket| ticket.id) {
            return Ok(Some((situation, known)));
        }
        let ticket = situation::with_ids(|ids| Ok(situation.open_for_caller(ids, now, changes)?))?;
        Ok(Some((situation, ticket)))
    }

    async fn apply_in(
        &self,
        mut tx: Transaction,
        id: AttemptId,
        event: AttemptEvent,
        now: Timestamp,
    ) -> Result<ContactAttempt> {
        let now = stored(now);
        let mut situation = situation::of_attempt(&mut tx, id).await?;
        let mut changes = Changes::default();
        let attempt = situation.call_event(id, event, now, &mut changes)?;
        if !changes.is_empty() {
            situation::save(&mut tx, changes).await?;
        }
        commit(self, tx).await?;
        Ok(attempt)
    }
}

/// A call that is placed.
struct Call {
    ticket: TicketId,
    owner: OwnerView,
    direction: Direction,
    id: AttemptId,
}

/// Makes the attempt, with everything that its call needs.
async fn place(
    conn: &mut PgConnection,
    mut situation: Situation,
    call: Call,
    now: Timestamp,
    changes: &mut Changes,
) -> Result<DialOrder> {
    let appliance = appliance_views(conn, &[situation.appliance.0])
        .await?
        .remove(&situation.appliance.0)
        .ok_or_else(|| not_found("appliance", situation.appliance))?;
    let row = sqlx::query("select brand, visit_price from tenant where id = $1")
        .bind(situation.tenant.as_str())
        .fetch_one(&mut *conn)
        .await
        .map_err(db)?;
    let (service_point, offered) = offer(conn, &situation.tenant, appliance.service_point.as_deref(), now).await?;
    let placing = Placing {
        id: call.id,
        owner: call.owner.id,
        direction: call.direction,
        offered,
        service_point,
        zone: TimeZone::get(&call.owner.zone).ok(),
    };
    let attempt = situation.place(call.ticket, placing, now, changes)?;
    let ticket = situation.ticket(call.ticket)?;
    let finding = match &ticket.fault {
        Some(fault) => Some(finding::by_id(conn, fault.finding).await?),
        None => None,
    };
    Ok(DialOrder {
        attempt,
        owner: call.owner,
        finding,
        visit: ticket.visit_ahead(now).map(|visit| visit.slot),
        appliance,
        brand: row.json("brand")?,
        visit_price: row.json("visit_price")?,
    })
}
