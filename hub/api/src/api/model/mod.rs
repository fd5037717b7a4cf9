//! What the API says of things: stable shapes, apart from the rules' own types, so that these may change.

mod appliance;
mod contact;
mod finding;
mod page;
mod ticket;

pub(crate) use appliance::{Appliance, Owner};
pub(crate) use contact::Contact;
pub(crate) use finding::Finding;
pub(crate) use page::{Page, PageQuery, limit};
pub(crate) use ticket::{Slot, Ticket, TicketDetail, TicketSummary};
