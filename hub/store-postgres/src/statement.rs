//! The text of the queries, so that what they cost can be compared with the same text elsewhere, and their plans looked at.
//! For tests only.

pub use crate::reading::statement::{DEVICE_DAILY, FLEET_HOURLY, LATEST, SUBJECT, window};

/// Quarantine: tenant or null, service points or null, number, appliance or null, part of the reason or null, limit.
pub fn quarantine() -> String {
    crate::quarantine::list_sql()
}
