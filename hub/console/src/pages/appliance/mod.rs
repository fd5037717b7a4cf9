//! Appliances: the list, and what is known of one.

pub(super) mod baseline;
pub(super) mod device_agent;
pub(super) mod list;
pub(super) mod normal;
pub(super) mod page;
mod presence;
pub(super) mod waiting;
mod watching;
