//! What pages share. It knows no page.

pub(crate) mod address;
pub(crate) mod attempt;
pub(crate) mod badge;
pub(crate) mod fact;
pub(crate) mod held;
pub(crate) mod live;
pub(crate) mod standing;
pub(crate) mod ticket_table;
pub(crate) mod visit;
