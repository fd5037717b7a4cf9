//! Contacts: the transaction that dials, and what becomes of an attempt.

use crate::attempt;
use crate::event;
use crate::finding;
use crate::prediction::{id_cursor, page, page_limit};
use crate::row::{Columns, db, not_found, sql};
use crate::site::{appliance_views, owner_view};
use crate::slot::offer;
use crate::store::{PostgresStore, commit};
use crate::ticket_row;
use crate::transaction::Transaction;
use async_trait::async_trait;
use hub_core::call_result::{CallResult, Disposition};
use hub_core::consent::Consent;
use hub_core::contact::{AttemptEvent, AttemptState, ContactAttempt, Direction};
use hub_core::contact_plan::{ContactFacts, ContactPlan, Decision, HoldReason, REMEMBERED, decide};
use hub_core::finding::{Finding, FindingState};
use hub_core::id::{AttemptId, OwnerId, TenantId, TicketId, TraceId};
use hub_core::phone_number::PhoneNumber;
use hub_core::site::{Localised, Price};
use hub_core::ticket::{HUB, ServiceTicket, TicketEvent, TicketState};
use hub_store::Scope;
use hub_store::contact::{Begun, ContactStore, DialOrder, DueContact, attempt_id};
use hub_store::error::Result;
use hub_store::scope::{PAGE_MAX, Page};
use hub_store::site::OwnerView;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sqlx::PgConnection;
use std::time::Duration;

/// After a call that reached nobody the contact worker looks again at once: the plan's pauses decide there.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(1);
/// Calls to one person are counted over this time; a little more than the plan's 24 hours.
const CALLS_COUNTED: SignedDuration = SignedDuration::from_hours(48);

#[async_trait]
impl ContactStore for PostgresStore {
    async fn contacts_due(&self, now: Timestamp, limit: usize) -> Result<Vec<DueContact>> {
        let rows = sqlx::query(
            "select id, tenant, trace from ticket where state = 'contact_planned' and contact_due <= $1 \
             order by contact_due, id limit $2",
        )
        .bind(sql(now))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await
        .map_err(db)?;
        rows.iter()
            .map(|row| {
                Ok(DueContact {
                    ticket: TicketId(row.col("id")?),
                    tenant: row.word("tenant")?,
                    trace: TraceId(row.col("trace")?),
                })
            })
            .collect()
    }

    async fn contact_planned(&self, patience: Duration) {
        self.signals.wait_contact(patience).await;
    }

    async fn begin_attempt(&self, ticket: TicketId, now: Timestamp, random: [u8; 20]) -> Result<Begun> {
        let mut tx = self.begin_fenced().await?;
        let ticket = ticket_row::lock(&mut tx, ticket).await?;
        if ticket.state != TicketState::ContactPlanned {
            return Ok(Begun::Settled);
        }
        let owner = self.lock_owner(&mut tx, &ticket).await?;
        let terms = terms(&mut tx, &ticket.tenant).await?;
        let finding = finding::by_id(&mut tx, ticket.finding).await?;
        let facts = facts(&mut tx, &ticket, &finding, owner.as_ref(), now).await?;
        let begun = match (decide(&terms.plan, &facts, now), owner) {
            (Decision::Ring, Some(owner)) => {
                let about = About {
                    ticket,
                    owner,
                    finding,
                    terms,
                };
                let order = place(&mut tx, about, Direction::Outbound, now, random).await?;
                Begun::Ring(Box::new(order))
            }
            (Decision::Wait { until, reason }, _) => {
                ticket_row::transition(&mut tx, ticket, &TicketEvent::Waits { until, reason }, HUB, now).await?;
                Begun::Waits { until, reason }
            }
            (Decision::Person(reason), _) => hold(&mut tx, ticket, reason, now).await?,
            (Decision::Ring, None) => hold(&mut tx, ticket, HoldReason::NoOwner, now).await?,
        };
        commit(self, tx).await?;
        Ok(begun)
    }

    async fn begin_inbound(
        &self,
        tenant: &TenantId,
        caller: &PhoneNumber,
        now: Timestamp,
        random: [u8; 20],
    ) -> Result<Option<DialOrder>> {
        let mut tx = self.begin_fenced().await?;
        let found: Option<uuid::Uuid> = sqlx::query_scalar(
            "select t.id from owner o join appliance a on a.owner = o.id join ticket t on t.appliance = a.id \
             where o.tenant = $1 and o.phone_index = $2 and t.state not in ('closed', 'contacting') \
             order by t.state = 'appointment', t.id desc limit 1",
        )
        .bind(tenant.as_str())
        .bind(&self.keyring.blind_index(caller)[..])
        .fetch_optional(&mut *tx)
        .await
        .map_err(db)?;
        let Some(id) = found else { return Ok(None) };
        let ticket = ticket_row::lock(&mut tx, TicketId(id)).await?;
        let owner = self.lock_owner(&mut tx, &ticket).await?;
        let (TicketState::ContactPlanned | TicketState::PersonNeeded | TicketState::Appointment, Some(owner)) =
            (ticket.state, owner)
        else {
            return Ok(None);
        };
        let about = About {
            finding: finding::by_id(&mut tx, ticket.finding).await?,
            terms: terms(&mut tx, &ticket.tenant).await?,
            ticket,
            owner,
        };
        let order = place(&mut tx, about, Direction::Inbound, now, random).await?;
        commit(self, tx).await?;
        Ok(Some(order))
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

    async fn contacts(&self, scope: &Scope, after: Option<&str>, limit: usize) -> Result<Page<ContactAttempt>> {
        let limit = limit.clamp(1, PAGE_MAX);
        let mut tx = self.begin_scoped(scope).await?;
        let rows = sqlx::query(
            "select * from attempt where ($1::text is null or tenant = $1) and ($2::uuid is null or id < $2) \
             order by id desc limit $3",
        )
        .bind(scope.tenant())
        .bind(id_cursor(after)?)
        .bind(page_limit(limit))
        .fetch_all(&mut *tx)
        .await
        .map_err(db)?;
        let items: Vec<ContactAttempt> = rows.iter().map(attempt::from_row).collect::<Result<_>>()?;
        Ok(page(items, limit, |attempt| attempt.id.to_string()))
    }
}

impl PostgresStore {
    async fn apply_in(
        &self,
        mut tx: Transaction,
        id: AttemptId,
        event: AttemptEvent,
        now: Timestamp,
    ) -> Result<ContactAttempt> {
        let ticket = attempt::ticket_of(&mut tx, id).await?;
        let ticket = ticket_row::lock(&mut tx, ticket).await?;
        let (attempt, point) = attempt::lock(&mut tx, id).await?;
        let attempt = apply(&mut tx, ticket, attempt, point, event, now).await?;
        commit(self, tx).await?;
        Ok(attempt)
    }

    /// The owner, locked: two tickets of one owner never dial at the same time.
    async fn lock_owner(&self, conn: &mut PgConnection, ticket: &ServiceTicket) -> Result<Option<OwnerView>> {
        let locked: Option<uuid::Uuid> = sqlx::query_scalar(
            "select id from owner where id = (select owner from appliance where id = $1) for update",
        )
        .bind(ticket.appliance.0)
        .fetch_optional(&mut *conn)
        .await
        .map_err(db)?;
        match locked {
            // Read once it is locked: a call that was waited for may have changed what the ledger says.
            Some(owner) => owner_view(conn, &self.keyring, owner).await.map(Some),
            None => Ok(None),
        }
    }
}

/// What a call is about.
struct About {
    ticket: ServiceTicket,
    owner: OwnerView,
    finding: Finding,
    terms: Terms,
}

/// What a tenant has said about calls.
struct Terms {
    plan: ContactPlan,
    brand: Localised,
    visit_price: Price,
}

async fn terms(conn: &mut PgConnection, tenant: &TenantId) -> Result<Terms> {
    let row = sqlx::query("select contact_plan, brand, visit_price from tenant where id = $1")
        .bind(tenant.as_str())
        .fetch_one(conn)
        .await
        .map_err(db)?;
    Ok(Terms {
        plan: row.json("contact_plan")?,
        brand: row.json("brand")?,
        visit_price: row.json("visit_price")?,
    })
}

/// Writes the attempt and moves the ticket; everything that a call needs.
async fn place(
    conn: &mut PgConnection,
    about: About,
    direction: Direction,
    now: Timestamp,
    random: [u8; 20],
) -> Result<DialOrder> {
    let About {
        ticket,
        owner,
        finding,
        terms,
    } = about;
    let appliance = appliance_views(conn, &[ticket.appliance.0])
        .await?
        .remove(&ticket.appliance.0)
        .ok_or_else(|| not_found("appliance", ticket.appliance))?;
    let offered = offer(conn, &ticket.tenant, appliance.service_point.as_deref(), now).await?;
    let attempt = ContactAttempt {
        id: attempt_id(now, &random),
        tenant: ticket.tenant.clone(),
        ticket: ticket.id,
        owner: owner.id,
        direction,
        state: AttemptState::Dialling,
        started_at: now,
        ended_at: None,
        result: None,
        disposition: None,
        requested_by: ticket
            .call_requested_by
            .clone()
            .filter(|_| direction == Direction::Outbound),
        offered,
        detail: None,
        trace: ticket.trace,
    };
    attempt::insert(conn, &attempt, appliance.service_point.as_deref()).await?;
    let started = TicketEvent::AttemptStarted {
        attempt: attempt.id,
        inbound: direction == Direction::Inbound,
    };
    ticket_row::transition(conn, ticket, &started, HUB, now).await?;
    Ok(DialOrder {
        attempt,
        owner,
        appliance,
        finding,
        brand: terms.brand,
        visit_price: terms.visit_price,
    })
}

async fn hold(conn: &mut PgConnection, ticket: ServiceTicket, reason: HoldReason, now: Timestamp) -> Result<Begun> {
    ticket_row::transition(conn, ticket, &TicketEvent::Held { reason }, HUB, now).await?;
    Ok(Begun::Held(reason))
}

async fn facts(
    conn: &mut PgConnection,
    ticket: &ServiceTicket,
    finding: &Finding,
    owner: Option<&OwnerView>,
    now: Timestamp,
) -> Result<ContactFacts> {
    let attempts = attempt::of_ticket(conn, ticket.id)
        .await?
        .into_iter()
        .filter(|attempt| attempt.direction == Direction::Outbound)
        .map(|attempt| (attempt.ended_at.unwrap_or(attempt.started_at), attempt.result))
        .collect();
    let ((to_person, in_call), (declined_elsewhere, unknown_elsewhere)) = match owner {
        Some(owner) => (
            calls_to(conn, owner.id, now).await?,
            said_lately(conn, owner.id, now).await?,
        ),
        None => ((Vec::new(), false), (false, false)),
    };
    Ok(ContactFacts {
        finding_open: finding.state == FindingState::Open,
        probability: finding.prediction.probability,
        ticket_open: ticket.state == TicketState::ContactPlanned,
        owner_known: owner.is_some_and(|owner| owner.phone.is_some()),
        consent: owner.map_or(Consent::NeverGiven, |owner| owner.consent),
        do_not_call: owner.is_some_and(|owner| owner.do_not_call),
        zone: owner.and_then(|owner| TimeZone::get(&owner.zone).ok()),
        attempts,
        to_person,
        declined_elsewhere,
        unknown_elsewhere,
        in_call,
        requested_by_person: ticket.call_requested_by.is_some(),
    })
}

/// When this person was rung lately, and whether a call with them is up.
async fn calls_to(conn: &mut PgConnection, owner: OwnerId, now: Timestamp) -> Result<(Vec<Timestamp>, bool)> {
    let rows = sqlx::query(
        "select started_at, direction = 'outbound' as outbound, state <> 'ended' as alive from attempt \
         where owner = $1 and (state <> 'ended' or started_at > $2)",
    )
    .bind(owner.0)
    .bind(sql(now - CALLS_COUNTED))
    .fetch_all(conn)
    .await
    .map_err(db)?;
    let mut rung = Vec::new();
    let mut alive = false;
    for row in &rows {
        alive |= row.col::<bool>("alive")?;
        if row.col("outbound")? {
            rung.push(row.at("started_at")?);
        }
    }
    Ok((rung, alive))
}

/// Whether this person declined a call lately, and whether one was cut off that no answered call has followed.
async fn said_lately(conn: &mut PgConnection, owner: OwnerId, now: Timestamp) -> Result<(bool, bool)> {
    let row = sqlx::query(
        "with ended as materialized ( \
           select direction, result, ended_at from attempt \
           where owner = $1 and state = 'ended' and ended_at > $2) \
         select coalesce(bool_or(direction = 'outbound' and result = 'declined'), false) as declined, \
                coalesce(bool_or(direction = 'outbound' and result = 'unknown' and not exists ( \
                  select from ended a where a.result = 'answered' and a.ended_at > e.ended_at)), false) as unknown \
         from ended e",
    )
    .bind(owner.0)
    .bind(sql(now - REMEMBERED))
    .fetch_one(conn)
    .await
    .map_err(db)?;
    Ok((row.col("declined")?, row.col("unknown")?))
}

async fn apply(
    conn: &mut PgConnection,
    ticket: ServiceTicket,
    attempt: ContactAttempt,
    point: Option<String>,
    event: AttemptEvent,
    now: Timestamp,
) -> Result<ContactAttempt> {
    let event = match event {
        // Key 1 in a call that had no slot to offer is a wish for one.
        AttemptEvent::Chose(Disposition::AppointmentBooked) if attempt.offered.is_none() => {
            AttemptEvent::Chose(Disposition::AnotherTime)
        }
        other => other,
    };
    let over = attempt.state == AttemptState::Ended;
    let attempt = attempt.apply(event.clone(), now)?;
    if over {
        // The same end again: it was saved, and whoever tells it did not hear so.
        return Ok(attempt);
    }
    attempt::save(conn, &attempt).await?;
    let kind = match &event {
        AttemptEvent::Ringing => "contact.ringing",
        AttemptEvent::Answered => "contact.answered",
        AttemptEvent::Chose(_) => "contact.chose",
        AttemptEvent::Ended { .. } => "contact.ended",
        AttemptEvent::FoundAfterRestart => "contact.found_after_restart",
    };
    let (id, appliance) = (Some(ticket.id), Some(ticket.appliance));
    event::write(conn, &attempt.tenant, kind, id, appliance, now).await?;
    match event {
        AttemptEvent::Ringing | AttemptEvent::Answered => {}
        AttemptEvent::Chose(chosen) => {
            // An earlier key 9 stands.
            if attempt.disposition == Some(chosen) {
                if chosen == Disposition::DoNotCall {
                    do_not_call(conn, &attempt, now).await?;
                }
                let booked = chosen == Disposition::AppointmentBooked;
                let chose = TicketEvent::Chose {
                    attempt: attempt.id,
                    disposition: chosen,
                    slot: attempt.offered.filter(|_| booked),
                    service_point: point.filter(|_| booked),
                };
                ticket_row::transition(conn, ticket, &chose, HUB, now).await?;
            }
        }
        AttemptEvent::Ended { .. } | AttemptEvent::FoundAfterRestart => {
            let ended = TicketEvent::AttemptEnded {
                attempt: attempt.id,
                inbound: attempt.direction == Direction::Inbound,
                result: attempt.result.unwrap_or(CallResult::Unknown),
                disposition: attempt.disposition,
                contact_due: now + LOOK_AGAIN,
            };
            ticket_row::transition(conn, ticket, &ended, HUB, now).await?;
        }
    }
    Ok(attempt)
}

/// Key 9: the ledger and the list, in the transaction that the prompt waits for.
async fn do_not_call(conn: &mut PgConnection, attempt: &ContactAttempt, now: Timestamp) -> Result<()> {
    sqlx::query("insert into consent (tenant, owner, at, given, source) values ($1, $2, $3, false, 'phone_key_9')")
        .bind(attempt.tenant.as_str())
        .bind(attempt.owner.0)
        .bind(sql(now))
        .execute(&mut *conn)
        .await
        .map_err(db)?;
    sqlx::query(
        "insert into do_not_call (tenant, phone_index, at, source) \
         select tenant, phone_index, $2, 'phone_key_9' from owner where id = $1 and phone_index is not null \
         on conflict do nothing",
    )
    .bind(attempt.owner.0)
    .bind(sql(now))
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}
