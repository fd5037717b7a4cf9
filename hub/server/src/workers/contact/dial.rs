//! Looks for tickets whose contact is due, lets the transaction that dials decide, and only then rings.

use super::call::Calls;
use super::ways::Watched;
use crate::random;
use crate::telephone::Telephone;
use crate::workers::{BACKOFF, Figures, PATIENCE, in_time};
use hub_core::actor::Actor;
use hub_core::call_rules::HoldReason;
use hub_core::contact::AttemptEvent;
use hub_core::contact::ways_out::Closed;
use hub_core::id::{TenantId, TicketId};
use hub_core::ticket::{HUB, TicketEvent};
use hub_store::StoreError;
use hub_store::contact::{Begun, DialOrder, DueContact, attempt_id};
use hub_store::ticket::TicketStore;
use hub_voice::{Channel, Voice};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Tickets looked at in one go.
const DUE_MAX: usize = 64;
/// Tickets whose transactions run at the same time. An owner whose appliance has just raised an alarm need not wait until it
/// has been decided about all whose contact was due before; and most connections are left to everybody else.
const AT_ONCE: usize = 4;

/// How long a ticket of a tenant without a trunk waits, if none comes.
const TRUNK_WAIT: SignedDuration = SignedDuration::from_hours(24);

/// The telephone side, and a channel of the tenant's trunk.
type Line = (Arc<Voice>, Channel);

/// Rings owners whose contact is due.
pub struct Dialler {
    calls: Arc<Calls>,
    tickets: Arc<dyn TicketStore>,
    telephone: Arc<Telephone>,
    channels: Arc<Semaphore>,
    figures: Arc<Figures>,
    ringing: TaskTracker,
}

impl Dialler {
    /// One that has at most `calls_max` calls up; `figures` tells how many are. Without a telephone every ticket waits for
    /// a trunk.
    pub fn new(
        calls: Arc<Calls>,
        tickets: Arc<dyn TicketStore>,
        telephone: Arc<Telephone>,
        calls_max: usize,
        figures: Arc<Figures>,
    ) -> Arc<Self> {
        Arc::new(Self {
            calls,
            tickets,
            telephone,
            channels: Arc::new(Semaphore::new(calls_max)),
            figures,
            ringing: TaskTracker::new(),
        })
    }

    /// Works until `stop`; then waits for the calls that are up.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut backoff = BACKOFF;
        while !stop.is_cancelled() {
            let looked = self.look(&stop).await;
            let rest = match looked {
                Ok(()) => {
                    backoff.reset();
                    self.figures.contact_looks.fetch_add(1, Ordering::Relaxed);
                    stop.run_until_cancelled(self.calls.contacts.contact_planned(PATIENCE))
                        .await;
                    continue;
                }
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "due contacts not handled, trying again"
                    );
                    backoff.pause()
                }
            };
            stop.run_until_cancelled(tokio::time::sleep(rest)).await;
        }
        self.ringing.close();
        self.ringing.wait().await;
    }

    /// Looks once at what is due. An error is one for which no ticket is looked at.
    pub(super) async fn look(self: &Arc<Self>, stop: &CancellationToken) -> Result<(), StoreError> {
        self.calls.end_doubts().await?;
        // A ticket is taken up only where its call can go out: until then it is planned, in its order.
        let mut not_of = match self.calls.ways.closed() {
            Closed::Everybody => return Ok(()),
            Closed::Only(tenants) => tenants,
        };
        // Nor is it in the way of other tenants' while all channels are in use.
        not_of.extend(self.telephone.full());
        let (mut looks, mut looked) = (JoinSet::new(), Ok(()));
        let (contacts, now) = (&self.calls.contacts, self.calls.clock.now());
        'due: for due in in_time(contacts.contacts_due(&not_of, now, DUE_MAX)).await? {
            if looks.len() >= AT_ONCE {
                looked = ended(&mut looks).await.unwrap_or(Ok(()));
            }
            if looked.is_err() {
                break;
            }
            // A place on the line first: the row is committed only when the INVITE can follow at once.
            let Some(Ok(channel)) = stop.run_until_cancelled(self.channels.clone().acquire_owned()).await else {
                break;
            };
            let has_place = loop {
                if let Some(has_place) = self.may_go(&due.tenant) {
                    break has_place;
                }
                // Who has the place may give it back when it has been decided about.
                looked = match ended(&mut looks).await {
                    Some(last) => last,
                    None => continue 'due,
                };
                if looked.is_err() {
                    break 'due;
                }
            };
            // A task of its own, which ends whatever becomes of the others: one that is given up half-way may have committed an
            // attempt that nobody rings for.
            looks.spawn(self.clone().take_up(due, channel, has_place));
        }
        while let Some(last) = ended(&mut looks).await {
            looked = looked.and(last);
        }
        looked
    }

    /// Lets the transaction decide, and rings if it says so. An error ends the look. `has_place` is what [`Self::may_go`] said: a
    /// place on the house that was not taken is another call's.
    async fn take_up(
        self: Arc<Self>,
        due: DueContact,
        channel: OwnedSemaphorePermit,
        has_place: bool,
    ) -> Result<(), StoreError> {
        let begun = self.begin(&due, has_place).await;
        if has_place && !matches!(begun, Ok(Some(_))) {
            self.calls.ways.give_back(&due.tenant);
        }
        match begun {
            Ok(Some((line, order))) => {
                let worker = self.clone();
                self.figures.calls_up.send_modify(|n| *n += 1);
                self.ringing.spawn(async move {
                    worker.ring(line, *order).await;
                    worker.figures.calls_up.send_modify(|n| *n -= 1);
                    drop(channel);
                });
            }
            // Somebody acted on the ticket meanwhile: the next look finds out.
            Ok(None) | Err(StoreError::Conflict(_) | StoreError::Ticket(_)) => {}
            Err(error @ (StoreError::Unavailable(_) | StoreError::Deposed)) => return Err(error),
            Err(error) => {
                let ticket = due.ticket;
                tracing::error!(%ticket, error = &error as &dyn std::error::Error, "contact of a ticket not decided");
            }
        }
        Ok(())
    }

    async fn begin(&self, due: &DueContact, has_place: bool) -> Result<Option<(Line, Box<DialOrder>)>, StoreError> {
        let (now, ticket) = (self.calls.clock.now(), due.ticket);
        let Some(voice) = self.telephone.of_tenant(&due.tenant) else {
            // A trunk that has just been declared is used in a moment.
            if !due.waited_for_trunk {
                self.wait_for_trunk(due, now).await?;
            }
            return Ok(None);
        };
        // The trunk has come this moment: the next look takes a place on it.
        if !has_place {
            return Ok(None);
        }
        // All that are not kept for owners who ring are in use: the next look finds out.
        let Some(channel) = voice.channel(due.tenant.as_str()) else {
            return Ok(None);
        };
        match self.dial(ticket, now).await? {
            Begun::Ring(order) => Ok(Some(((voice, channel), order))),
            Begun::Waits { until, reason } => {
                tracing::info!(trace = %due.trace, %ticket, %until, ?reason, "not called now");
                Ok(None)
            }
            Begun::Held(reason) => {
                tracing::info!(trace = %due.trace, %ticket, ?reason, "not called: a person decides");
                Ok(None)
            }
            Begun::Settled => Ok(None),
        }
    }

    /// The tenant has no trunk. The ticket is looked at again when it has one, and now and then in case that was missed.
    async fn wait_for_trunk(&self, due: &DueContact, now: Timestamp) -> Result<(), StoreError> {
        let waits = TicketEvent::Waits {
            until: now.checked_add(TRUNK_WAIT).unwrap_or(now),
            reason: HoldReason::NoTrunk,
        };
        in_time(self.tickets.apply_ticket(&Actor::hub(HUB), due.ticket, &waits, now)).await?;
        tracing::info!(trace = %due.trace, ticket = %due.ticket, "not called: the tenant has no trunk");
        Ok(())
    }

    /// Takes a place on the ways by which this tenant's owners are rung: whether one was taken, since without a trunk there is
    /// nothing to take. None if no call may go out now.
    fn may_go(&self, tenant: &TenantId) -> Option<bool> {
        match self.telephone.of_tenant(tenant) {
            None => Some(false),
            Some(_) => self.calls.ways.take(tenant).then_some(true),
        }
    }

    /// The transaction that dials.
    pub(super) async fn dial(&self, ticket: TicketId, now: Timestamp) -> Result<Begun, StoreError> {
        let random = random::bytes();
        let begun = in_time(self.calls.contacts.begin_attempt(ticket, now, random)).await;
        if let Err(StoreError::Unavailable(_)) = begun {
            self.calls.doubts.add(attempt_id(now, &random));
        }
        begun
    }

    /// Rings and saves the one end of the attempt.
    async fn ring(&self, (voice, channel): Line, order: DialOrder) {
        let attempt = order.attempt.id;
        tracing::info!(trace = %order.attempt.trace, %attempt, to = %order.owner.name_in_tenant, "ringing");
        let watched = Watched::new(self.calls.clone(), order.attempt.tenant.clone());
        let Some(call) = self.calls.order(&order, self.calls.clock.now()) else {
            watched.lost();
            return self.calls.end_unrung(attempt).await;
        };
        let host = watched.clone();
        // A task of its own, so that even a fault in the telephone side leaves the attempt with an end.
        match tokio::spawn(async move { voice.ring_over(channel, call, host).await }).await {
            Ok(detail) => {
                watched.ended(&detail);
                self.calls.end(attempt, &detail).await;
            }
            Err(error) => {
                watched.lost();
                tracing::error!(%attempt, error = &error as &dyn std::error::Error, "the call's task failed");
                self.calls.save_end(attempt, AttemptEvent::FoundAfterRestart).await;
            }
        }
    }
}

/// What became of the next look that ends; `None` if none is under way.
async fn ended(looks: &mut JoinSet<Result<(), StoreError>>) -> Option<Result<(), StoreError>> {
    let ended = looks.join_next().await?;
    Some(ended.unwrap_or_else(|error| {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "task that decides a ticket's contact failed"
        );
        Ok(())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workers::contact::fake::{Planned, calls, dialler};
    use std::time::Duration;

    async fn look(store: &Arc<Planned>) -> Result<(), StoreError> {
        let dialler = dialler(store, &calls(store));
        let stop = CancellationToken::new();
        let looked = tokio::time::timeout(Duration::from_secs(20), dialler.look(&stop)).await;
        looked.expect("one ticket waits for the end of another one's transaction")
    }

    #[tokio::test]
    async fn a_ticket_waits_for_no_others_transaction_and_no_more_than_a_few_run_at_once() {
        let store = Planned::new(3 * AT_ONCE, AT_ONCE, || StoreError::Conflict("settled".to_owned()));
        look(&store).await.unwrap();
        assert_eq!(store.asked.load(Ordering::SeqCst), 3 * AT_ONCE);
        assert_eq!(store.under_way_most.load(Ordering::SeqCst), AT_ONCE);
    }

    #[tokio::test]
    async fn a_store_that_is_away_is_not_asked_for_all_tickets_that_are_due() {
        let store = Planned::new(DUE_MAX, 1, || StoreError::Unavailable("away".into()));
        let looked = look(&store).await;
        assert!(matches!(looked, Err(StoreError::Unavailable(_))), "{looked:?}");
        let asked = store.asked.load(Ordering::SeqCst);
        assert!((1..=AT_ONCE).contains(&asked), "{asked}");
        assert_eq!(store.under_way.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_tenant_without_a_trunk_gives_back_no_place_of_another_one() {
        let store = Planned::new(1, 1, || StoreError::Conflict("settled".to_owned()));
        let calls = calls(&store);
        let dialler = dialler(&store, &calls);
        let due = calls
            .contacts
            .contacts_due(&[], Timestamp::UNIX_EPOCH, 1)
            .await
            .unwrap();
        let due = due.into_iter().next().unwrap();
        let has_place = dialler.may_go(&due.tenant);
        assert_eq!(has_place, Some(false));
        assert!(
            calls.ways.take(&TenantId::new("beta").unwrap()),
            "this call tries the house"
        );
        let channel = dialler.channels.clone().acquire_owned().await.unwrap();
        dialler.clone().take_up(due, channel, false).await.unwrap();
        assert_eq!(store.asked.load(Ordering::SeqCst), 1);
        assert_eq!(calls.ways.closed(), Closed::Everybody, "until that call has ended");
    }
}
