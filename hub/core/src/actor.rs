//! Who acts: a person, a program or a worker of the hub; where they may act, and what their roles let them do.
//!
//! Every operation of a store on behalf of somebody takes an [`Actor`], asks [`Actor::may`] for its [`Act`], and shows and
//! changes only what [`Actor::reaches`]. [`Act::roles`] is the one table of what each role may do.

use crate::id::TenantId;
use std::fmt;
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// What somebody is to the hub.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum Role {
    /// Runs the hub or one tenant of it: everything, accounts included.
    Administrator,
    /// Leads a contact centre: everything on tickets, and what agents did.
    Supervisor,
    /// Talks to owners: tickets, calls and visits.
    Agent,
    /// Goes to owners: reads a ticket, says how a visit goes, and closes it with what was found.
    Technician,
    /// Makes the appliances: devices, their readings, commands and credentials.
    Maker,
    /// Reads everything, changes nothing.
    Auditor,
    /// An owner with the code on the appliance. No account has this role.
    Owner,
    /// The hub's own workers, and commands on its machine. No account has this role.
    Hub,
}

impl Role {
    /// All of them.
    pub const ALL: &[Role] = Self::VARIANTS;

    /// Whether an account may be given this role.
    pub const fn is_for_accounts(self) -> bool {
        !matches!(self, Role::Owner | Role::Hub)
    }
}

/// What can be done with a hub's data, as far as roles tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, VariantArray)]
pub enum Act {
    /// Appliances, their owners (masked) and what their devices said of themselves.
    #[strum(to_string = "read appliances")]
    ReadAppliances,
    /// Readings and daily figures of an appliance.
    #[strum(to_string = "read readings")]
    ReadReadings,
    /// Hourly figures of all appliances of a profile, and what holds for models.
    #[strum(to_string = "read figures of the fleet")]
    ReadFleet,
    /// Findings with their evidence.
    #[strum(to_string = "read findings")]
    ReadFindings,
    /// Tickets with their timeline.
    #[strum(to_string = "read tickets")]
    ReadTickets,
    /// Notices of what changed.
    #[strum(to_string = "read events")]
    ReadEvents,
    /// Contact attempts and records of calls.
    #[strum(to_string = "read calls")]
    ReadCalls,
    /// Commands with their state, and attributes.
    #[strum(to_string = "read commands")]
    ReadCommands,
    /// Payloads that could not be read.
    #[strum(to_string = "read the quarantine")]
    ReadQuarantine,
    /// Credentials of devices and programs (never their secrets).
    #[strum(to_string = "read credentials")]
    ReadAccess,
    /// Accounts of people (never their passwords).
    #[strum(to_string = "read accounts")]
    ReadAccounts,
    /// Opening and taking a ticket, its status and promises, having its owner rung, approving and refusing a call, booking, moving and
    /// cancelling a visit.
    #[strum(to_string = "work on tickets")]
    WorkTickets,
    /// Writing notes on tickets.
    #[strum(to_string = "write notes on tickets")]
    NoteTickets,
    /// Saying of a visit that the technician is on the way, was there, or that nobody was.
    #[strum(to_string = "attend visits")]
    AttendVisits,
    /// Closing a ticket with its outcome.
    #[strum(to_string = "close tickets")]
    CloseTickets,
    /// Correcting the outcome of a closed ticket, and what was learned from it.
    #[strum(to_string = "correct outcomes")]
    CorrectOutcomes,
    /// What follows from findings and calls, as only the hub may tell a ticket.
    #[strum(to_string = "carry tickets on")]
    CarryTicketsOn,
    /// Sending commands and telling attributes.
    #[strum(to_string = "send commands")]
    SendCommands,
    /// Reading payloads again from the quarantine.
    #[strum(to_string = "replay the quarantine")]
    ReplayQuarantine,
    /// Printing the code with which an owner claims an appliance.
    #[strum(to_string = "open claims")]
    OpenClaims,
    /// Becoming the owner of an appliance by its code.
    #[strum(to_string = "claim an appliance")]
    ClaimAppliance,
    /// Making, changing and removing accounts.
    #[strum(to_string = "change accounts")]
    ChangeAccounts,
    /// Stating how many false tickets and calls are accepted.
    #[strum(to_string = "set budgets")]
    SetBudgets,
    /// Letting calls of an appliance model go on that stopped because its tickets surge.
    #[strum(to_string = "release calls")]
    ReleaseCalls,
}

impl Act {
    /// The roles that may. The whole of who may do what.
    pub const fn roles(self) -> &'static [Role] {
        use Role::{Administrator, Agent, Auditor, Hub, Maker, Owner, Supervisor, Technician};
        match self {
            Act::ReadAppliances
            | Act::ReadReadings
            | Act::ReadFindings
            | Act::ReadTickets
            | Act::ReadEvents
            | Act::ReadCommands => &[Administrator, Supervisor, Agent, Technician, Maker, Auditor, Hub],
            Act::ReadCalls => &[Administrator, Supervisor, Agent, Auditor, Hub],
            Act::ReadFleet => &[Administrator, Supervisor, Agent, Maker, Auditor, Hub],
            Act::ReadQuarantine | Act::ReadAccess => &[Administrator, Maker, Auditor, Hub],
            Act::ReadAccounts => &[Administrator, Auditor, Hub],
            Act::WorkTickets => &[Administrator, Supervisor, Agent, Hub],
            Act::NoteTickets | Act::AttendVisits | Act::CloseTickets => {
                &[Administrator, Supervisor, Agent, Technician, Hub]
            }
            Act::CorrectOutcomes | Act::ReleaseCalls => &[Administrator, Supervisor, Hub],
            Act::SendCommands | Act::ReplayQuarantine => &[Administrator, Maker, Hub],
            Act::OpenClaims => &[Administrator, Supervisor, Agent, Maker, Hub],
            Act::CarryTicketsOn => &[Hub],
            Act::ClaimAppliance => &[Owner, Hub],
            Act::ChangeAccounts | Act::SetBudgets => &[Administrator, Hub],
        }
    }

    /// Whether it concerns a tenant as a whole, so that somebody who is confined to some sites may not.
    pub const fn is_of_tenant(self) -> bool {
        matches!(
            self,
            Act::ReadFleet
                | Act::ReadAccess
                | Act::ReadAccounts
                | Act::ChangeAccounts
                | Act::SetBudgets
                | Act::ReleaseCalls
        )
    }
}

/// Somebody who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Log-in name, or the name of a worker or program: what timelines show.
    pub name: String,
    /// The one tenant that they may see; `None` for all of this hub.
    pub tenant: Option<TenantId>,
    /// The service points of the tenant that they are confined to; `None` for all of them.
    pub sites: Option<Vec<String>>,
    /// Roles, of which one that may is enough.
    pub roles: Vec<Role>,
}

/// An act that no role of an actor allows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} may not {act}: it takes the role {}{}", Listed(.act.roles()), if *.confined { " without a limit to sites" } else { "" })]
pub struct NotAllowed {
    /// Name of the actor.
    pub name: String,
    /// What they wanted to do.
    pub act: Act,
    /// Their roles would do, but they are confined to some sites.
    pub confined: bool,
}

/// Roles that accounts have, as a sentence lists them.
struct Listed(&'static [Role]);

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roles = self.0.iter().filter(|role| role.is_for_accounts());
        let names: Vec<&str> = roles.map(<&str>::from).collect();
        f.write_str(&names.join(" or "))
    }
}

impl Actor {
    /// The hub itself: a worker, or a command on its machine. Sees all tenants.
    pub fn hub(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            tenant: None,
            sites: None,
            roles: vec![Role::Hub],
        }
    }

    /// Somebody who runs the whole hub, as its first account does.
    pub fn administrator(name: &str) -> Self {
        Self {
            roles: vec![Role::Administrator],
            ..Self::hub(name)
        }
    }

    /// An owner who holds the code of an appliance, of whatever tenant.
    pub fn owner() -> Self {
        Self {
            roles: vec![Role::Owner],
            ..Self::hub("owner")
        }
    }

    /// The same actor within one tenant only.
    #[must_use]
    pub fn within(self, tenant: Option<TenantId>) -> Self {
        Self { tenant, ..self }
    }

    /// Whether the roles allow `act`.
    ///
    /// # Errors
    ///
    /// They do not.
    pub fn may(&self, act: Act) -> Result<(), NotAllowed> {
        let allowed = self.roles.iter().any(|role| act.roles().contains(role));
        let confined = act.is_of_tenant() && self.sites.is_some();
        if allowed && !confined {
            return Ok(());
        }
        Err(NotAllowed {
            name: self.name.clone(),
            act,
            confined: allowed && confined,
        })
    }

    /// Whether `tenant` is theirs to see.
    pub fn includes(&self, tenant: &TenantId) -> bool {
        self.tenant.as_ref().is_none_or(|own| own == tenant)
    }

    /// Whether a thing of this tenant at this service point (if it has one) is theirs to see.
    pub fn reaches(&self, tenant: &TenantId, site: Option<&str>) -> bool {
        let at_site = |sites: &Vec<String>| site.is_some_and(|site| sites.iter().any(|own| own == site));
        self.includes(tenant) && self.sites.as_ref().is_none_or(at_site)
    }

    /// The one tenant, or `None` for all: as a query wants it.
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_ref().map(TenantId::as_str)
    }

    /// The sites, or `None` for all: as a query wants it.
    pub fn sites(&self) -> Option<&[String]> {
        self.sites.as_deref()
    }

    /// Whether the account of `other` is theirs to see and, with the role, to change: nobody reaches beyond their own tenant.
    pub fn governs(&self, other: &Actor) -> bool {
        self.tenant.is_none() || self.tenant == other.tenant
    }

    /// Whether this is an administrator of the whole hub, of whom one must always be left.
    pub fn runs_the_hub(&self) -> bool {
        self.tenant.is_none() && self.sites.is_none() && self.roles.contains(&Role::Administrator)
    }
}

#[cfg(test)]
mod tests;
