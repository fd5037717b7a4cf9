//! What the API says of things: stable shapes, apart from the rules' own types, so that these may change.

mod appliance;
mod appointment;
mod baseline;
mod budget;
mod command;
mod contact;
mod device_agent;
mod finding;
mod floors;
mod household;
mod normal;
mod page;
mod quarantine;
mod reading;
mod release;
mod ticket;
mod watching;

pub(crate) use appliance::{Appliance, ApplianceDetail, Owner, WatchedAppliance};
pub(crate) use appointment::{Appointment, AppointmentSummary, Slot};
pub(crate) use baseline::Baseline;
pub(crate) use budget::Model;
pub(crate) use command::Command;
pub(crate) use contact::Contact;
pub(crate) use device_agent::DeviceAgent;
pub(crate) use finding::Finding;
pub(crate) use floors::Floors;
pub(crate) use household::Person;
pub(crate) use normal::LearnedNormal;
pub(crate) use page::{Page, PageQuery, limit};
pub(crate) use quarantine::QuarantinedPayload;
pub use quarantine::{is_cut, readable};
pub(crate) use reading::{Bucket, Latest, Series, Whole, span};
pub(crate) use release::Release;
pub(crate) use ticket::{Ticket, TicketDetail, TicketSummary};
pub(crate) use watching::Watching;
