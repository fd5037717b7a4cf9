//! Contacts: the transaction that dials, and what becomes of an attempt.

use crate::error::Result;
use crate::page::Page;
use crate::site::{ApplianceView, OwnerView};
use async_trait::async_trait;
use hub_core::actor::Actor;
use hub_core::appointment::Slot;
use hub_core::call_rules::CallRules;
use hub_core::contact::{AttemptEvent, ContactAttempt};
use hub_core::finding::Finding;
use hub_core::id::{AttemptId, TenantId, TicketId, TraceId};
use hub_core::phone_number::PhoneNumber;
use hub_core::site::{Localised, Price, ServicePoint};
use hub_core::situation::Dial;
use hub_core::working_hours::WorkingHours;
use jiff::Timestamp;
use jiff::tz::TimeZone;
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
    /// It is looked at since its tenant has a trunk, for which it waited ([`hub_core::call_rules::HoldReason::NoTrunk`]).
    pub waited_for_trunk: bool,
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
    /// Finding that it was opened for, if it was.
    pub finding: Option<Finding>,
    /// The visit that is agreed and not over.
    pub visit: Option<Slot>,
    /// Who rings, as the owner knows them.
    pub brand: Localised,
    /// What a visit costs.
    pub visit_price: Price,
}

/// Who rings the main number.
#[derive(Debug, Clone, PartialEq)]
pub enum RangIn {
    /// A known owner: the attempt of their call is committed.
    Order(Box<DialOrder>),
    /// A known owner who is in a call, or about whose ticket something is decided at this moment: nothing is begun.
    InCall,
    /// Nobody has the number, or a household without an appliance.
    Unknown,
}

impl RangIn {
    /// What the call needs, if one is begun.
    pub fn order(self) -> Option<DialOrder> {
        match self {
            Self::Order(order) => Some(*order),
            Self::InCall | Self::Unknown => None,
        }
    }
}

/// What a caller is told whom nobody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// Who answers.
    pub brand: Localised,
    /// IANA time zone in which hours are said: that of the tenant's first service point.
    pub zone: String,
    /// Time by which a person rings, if the caller names an appliance.
    pub rings_by: Timestamp,
}

impl Greeting {
    /// Of a tenant with these rules, whose first service point is `point`.
    pub fn new(brand: Localised, point: Option<&ServicePoint>, rules: &CallRules, now: Timestamp) -> Self {
        let name = point.map_or("UTC", |point| point.zone.as_str());
        let zone = TimeZone::get(name).ok();
        let hours = WorkingHours {
            point,
            rules,
            zone: zone.as_ref(),
        };
        Self {
            brand,
            zone: name.to_owned(),
            rings_by: hours.rings_by(now),
        }
    }
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
    /// now, and their tickets are not in the way of others. Also those that waited for a trunk of their tenant which has one now.
    async fn contacts_due(&self, not_of: &[TenantId], now: Timestamp, limit: usize) -> Result<Vec<DueContact>>;

    /// Waits until a contact may have become due, or `patience` has passed.
    async fn contact_planned(&self, patience: Duration);

    /// The transaction that dials: re-reads finding, consent, do-not-call list, hours, caps and running calls with the
    /// household's row locked, decides by [`hub_core::call_rules::decide`], and commits either the attempt's row with
    /// the ticket in `Contacting`, or the reason why not. `random` makes the ids ([`attempt_id`]).
    async fn begin_attempt(&self, ticket: TicketId, now: Timestamp, random: [u8; 20]) -> Result<Begun>;

    /// Somebody rings the main number of `tenant` from any number of a person: the ticket of one of their household's appliances
    /// that [`hub_core::situation::for_caller`] names, or one that is opened for the call, with an inbound attempt committed for
    /// it. With any other answer nothing is changed.
    async fn begin_inbound(
        &self,
        tenant: &TenantId,
        caller: &PhoneNumber,
        now: Timestamp,
        random: [u8; 20],
    ) -> Result<RangIn>;

    /// What a caller is told whom nobody knows; none of an unknown tenant.
    async fn greeting(&self, tenant: &TenantId, now: Timestamp) -> Result<Option<Greeting>>;

    /// A caller whom nobody knows has keyed in what may name an open ticket or an appliance of `tenant`
    /// ([`hub_core::situation::Keyed`]), and is told that a person rings its household by then. False, with nothing changed, if it
    /// names none, or none whose household can be rung; nothing else is said of it. What is noted decides
    /// [`hub_core::situation::Situation::named`].
    async fn name_by_keys(&self, tenant: &TenantId, figures: &str, rings_by: Timestamp, now: Timestamp)
    -> Result<bool>;

    /// Applies an event by [`ContactAttempt::apply`] and, in the same transaction, what follows from it: the ticket's
    /// event, the visit of key 1, the consent ledger and do-not-call list of key 9. The same end told again is `Ok` and
    /// changes nothing.
    async fn apply_attempt(&self, id: AttemptId, event: AttemptEvent, now: Timestamp) -> Result<ContactAttempt>;

    /// Ends every attempt that is neither ended nor alive, as `Unknown`. For the start of the program, before any dial.
    async fn recover_attempts(&self, now: Timestamp) -> Result<Vec<ContactAttempt>>;

    /// Attempts, newest first.
    async fn contacts(&self, actor: &Actor, after: Option<&str>, limit: usize) -> Result<Page<ContactAttempt>>;
}
