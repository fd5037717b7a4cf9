//! Findings as they are kept.

use super::state::State;
use hub_core::finding::{Finding, FindingState};
use hub_core::id::{ApplianceId, FindingId};
use hub_core::situation::COOL_DOWNS_MAX;
use jiff::Timestamp;

impl State {
    /// Appliances with an open finding whose cool-down has ended without a ticket; the longest due first.
    pub(super) fn findings_due(&self, now: Timestamp) -> Vec<ApplianceId> {
        let waits = |finding: &&Finding| finding.state == FindingState::Open && finding.ticket.is_none();
        let mut due: Vec<(Timestamp, FindingId, ApplianceId)> = self
            .findings
            .values()
            .filter(waits)
            .filter_map(|finding| Some((finding.suppressed_until?, finding.id, finding.appliance)))
            .filter(|(until, ..)| *until <= now)
            .collect();
        due.sort_unstable();
        due.into_iter()
            .take(COOL_DOWNS_MAX)
            .map(|(_, _, appliance)| appliance)
            .collect()
    }
}
