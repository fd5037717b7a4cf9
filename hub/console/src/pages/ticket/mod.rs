//! Tickets: the list, and the page of one with all that a person can do there.

pub(super) mod acts;
mod approval;
mod call_record;
mod desk;
pub(super) mod forms;
pub(super) mod list;
mod outcome;
pub(super) mod page;
pub(super) mod promises;
pub(super) mod ready;
pub(super) mod story;
mod who;
mod why;
