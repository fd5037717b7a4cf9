//! What the hub asks of a store, in the words of the path: telemetry → prediction → ticket → contact, and the site and
//! accounts around it. No SQL here.
//!
//! Every method is one transaction that is durable when it returns `Ok`; applying a site may be several, and says so. What
//! is read for a person or an integrator takes an [`Actor`](hub_core::actor::Actor), who may not do what no
//! role of theirs allows, and to whom nothing is shown but what they reach: tenants and sites stay apart by construction.

pub mod access;
pub mod account;
pub mod appointment;
pub mod birth;
pub mod bounds;
pub mod budget;
pub mod check;
pub mod claim;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod contact;
pub mod credential;
pub mod device;
pub mod error;
pub mod event;
pub mod floors;
pub mod lease;
#[cfg(feature = "memory")]
pub mod memory;
pub mod page;
pub mod prediction;
pub mod quarantine;
pub mod reading;
pub mod retention;
pub mod session;
pub mod signals;
pub mod site;
pub mod telemetry;
pub mod text;
pub mod ticket;

pub use error::StoreError;

/// What the front door is wired with.
pub trait DoorStore:
    telemetry::TelemetryStore + access::AccessStore + session::SessionStore + claim::ClaimStore
{
}

impl<T> DoorStore for T where
    T: telemetry::TelemetryStore + access::AccessStore + session::SessionStore + claim::ClaimStore
{
}

/// What API and console are wired with.
pub trait ConsoleStore:
    prediction::PredictionStore
    + ticket::TicketStore
    + appointment::AppointmentStore
    + contact::ContactStore
    + site::SiteStore
    + account::AccountStore
    + event::EventStore
    + claim::ClaimStore
    + device::DeviceStore
    + quarantine::QuarantineStore
    + reading::ReadingStore
    + budget::BudgetStore
    + floors::FloorStore
{
}

impl<T> ConsoleStore for T where
    T: prediction::PredictionStore
        + ticket::TicketStore
        + appointment::AppointmentStore
        + contact::ContactStore
        + site::SiteStore
        + account::AccountStore
        + event::EventStore
        + claim::ClaimStore
        + device::DeviceStore
        + quarantine::QuarantineStore
        + reading::ReadingStore
        + budget::BudgetStore
        + floors::FloorStore
{
}

/// All of it; what the program is wired with.
pub trait Store:
    telemetry::TelemetryStore
    + prediction::PredictionStore
    + ticket::TicketStore
    + appointment::AppointmentStore
    + contact::ContactStore
    + site::SiteStore
    + account::AccountStore
    + event::EventStore
    + device::DeviceStore
    + quarantine::QuarantineStore
    + access::AccessStore
    + session::SessionStore
    + claim::ClaimStore
    + credential::DeviceCredentials
    + credential::TenantCredentials
    + lease::LeaseStore
    + reading::ReadingStore
    + retention::UpkeepStore
    + budget::BudgetStore
    + floors::FloorStore
{
}

impl<T> Store for T where
    T: telemetry::TelemetryStore
        + prediction::PredictionStore
        + ticket::TicketStore
        + appointment::AppointmentStore
        + contact::ContactStore
        + site::SiteStore
        + account::AccountStore
        + event::EventStore
        + device::DeviceStore
        + quarantine::QuarantineStore
        + access::AccessStore
        + session::SessionStore
        + claim::ClaimStore
        + credential::DeviceCredentials
        + credential::TenantCredentials
        + lease::LeaseStore
        + reading::ReadingStore
        + retention::UpkeepStore
        + budget::BudgetStore
        + floors::FloorStore
{
}
