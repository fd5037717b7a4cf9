//! What a test looks at and no trait tells, and the one fault that needs no store around this one.

use super::MemoryStore;
use crate::session::KeptSession;
use hub_core::id::ApplianceId;
use hub_core::telemetry::Sample;
use std::sync::atomic::Ordering;

impl MemoryStore {
    /// Whether it says that it is healthy from now on, as a database that does not answer would not. All else goes on.
    pub fn set_healthy(&self, healthy: bool) {
        self.shared.is_away.store(!healthy, Ordering::Relaxed);
    }

    /// Samples of an appliance as they are stored, in the order of commits; of one that does not exist, none.
    pub fn samples_of(&self, appliance: ApplianceId) -> Vec<Sample> {
        let state = self.state();
        let rows = state.rows_of(appliance);
        rows.map(|row| Sample {
            at: row.stored.at,
            values: row.stored.values.clone(),
            extra: row.extra.clone(),
        })
        .collect()
    }

    /// The session that is kept of a device, without its packet identifiers. To look at it is not to take it up.
    pub fn session_of(&self, appliance: ApplianceId) -> Option<KeptSession> {
        let state = self.state();
        state.sessions.get(&appliance).map(|(session, _)| session.clone())
    }

    /// Packet identifiers of a device under which something was stored at QoS 2, and which it has not released.
    pub fn unreleased_of(&self, appliance: ApplianceId) -> Vec<u16> {
        let state = self.state();
        let packets = state.telemetry.packets.range((appliance, 0)..=(appliance, u16::MAX));
        packets.map(|(_, packet)| *packet).collect()
    }
}
