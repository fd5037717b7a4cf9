//! Contacts: the transaction that dials, and what becomes of an attempt.

use crate::error::Result;
use crate::page::Page;
use crate::site::{ApplianceView, OwnerView};
use async_trait::async_trait;
use hub_core::actor::Actor;
use hub_core::contact::{AttemptEvent, ContactAttempt};
use hub_core::finding::Finding;
use hub_core::id::{AttemptId, TenantId, TicketId, TraceId};
use hub_core::phone_number::PhoneNumber;
use hub_core::site::{Localised, Price};
use hub_core::situation::Dial;
use jiff::Timestamp;
use std::time::Duration;

/// A ticket whose contact is due: as much as the worker has to know before the transaction that dials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueContact {
    /// The ticket.
    pub ticket: TicketId,
    /// Whose it is: without a trunk nobody is rung.
    pub tenant: TenantId,
    /// What its log lines are found by.
    pub trace: TraceId,
}

/// All that a call needs. Exists only once the attempt's row is committed.
#[derive(Debug, Clone, PartialEq)]
pub struct DialOrder {
    /// The committed attempt, with the slot that key 1 books.
    pub attempt: ContactAttempt,
    /// Whom to ring, or who rings.
    pub owner: OwnerView,
    /// About which appliance.
    pub appliance: ApplianceView,
    /// Finding that it was opened for.
    pub finding: Finding,
    /// Who rings, as the owner knows them.
    pub brand: Localised,
    /// What a visit costs.
    pub visit_price: Price,
}

/// What the transaction that dials decided; with the order, the attempt's row is committed.
pub type Begun = Dial<Box<DialOrder>>;

/// The id of the attempt that [`ContactStore::begin_attempt`] or [`ContactStore::begin_inbound`] commits with these arguments. Who
/// got no answer may end by it what was committed all the same.
pub fn attempt_id(now: Timestamp, random: &[u8; 20]) -> AttemptId {
    let mut id = [0; 10];
    id.copy_from_slice(&random[..10]);
    AttemptId::new(now, id)
}

/// Contacts.
#[async_trait]
pub trait ContactStore: Send + Sync {
    /// Tickets whose contact is due, the longest due first, but for those of the tenants in `not_of`: for these no call goes out
    /// now, and their tickets are not in the way of others.
    async fn contacts_due(&self, not_of: &[TenantId], now: Timestamp, limit: usize) -> Result<Vec<DueContact>>;

    /// Waits until a contact may have become due, or `patience` has passed.
    async fn contact_planned(&self, patience: Duration);

    /// The transaction that dials: re-reads finding, consent, do-not-call list, hours, caps and running calls with the
    /// household's row locked, decides by [`hub_core::call_rules::decide`], and commits either the attempt's row with
    /// the ticket in `Contacting`, or the reason why not. `random` makes the ids ([`attempt_id`]).
    async fn begin_attempt(&self, ticket: TicketId, now: Timestamp, random: [u8; 20]) -> Result<Begun>;

    /// Somebody rings the main number of `tenant` from any number of a person: the open ticket of one of their household's appliances, if there is one that is
    /// not in a call already, with an inbound attempt committed for it.
    async fn begin_inbound(
        &self,
        tenant: &TenantId,
        caller: &PhoneNumber,
        now: Timestamp,
        random: [u8; 20],
    ) -> Result<Option<DialOrder>>;

    /// Applies an event by [`ContactAttempt::apply`] and, in the same transaction, what follows from it: the ticket's
    /// event, the visit of key 1, the consent ledger and do-not-call list of key 9. The same end told again is `Ok` and
    /// changes nothing.
    async fn apply_attempt(&self, id: AttemptId, event: AttemptEvent, now: Timestamp) -> Result<ContactAttempt>;

    /// Ends every attempt that is neither ended nor alive, as `Unknown`. For the start of the program, before any dial.
    async fn recover_attempts(&self, now: Timestamp) -> Result<Vec<ContactAttempt>>;

    /// Attempts, newest first.
    async fn contacts(&self, actor: &Actor, after: Option<&str>, limit: usize) -> Result<Page<ContactAttempt>>;
}
