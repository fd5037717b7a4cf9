//! A baseline that starts over since the firmware is another one, and what that waits for.

use super::{Changes, Situation, SituationError};
use crate::baseline::{Firmware, FirmwareChange, RestartReason};
use crate::ticket::ServiceTicket;
use jiff::Timestamp;

impl Situation {
    /// The firmware that was told last is another than the baseline's: the baseline starts over for it, unless that waits
    /// ([`Firmware::change`]). Nothing that is open is cleared. Whether it starts over.
    ///
    /// # Errors
    ///
    /// As [`Situation::act`].
    pub fn follow_firmware(
        &mut self,
        mut firmware: Firmware,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<bool, SituationError> {
        if firmware.change(self.holds_a_fault(), now) != FirmwareChange::Due {
            return Ok(false);
        }
        let reason = RestartReason::Firmware {
            from: firmware.baseline.clone(),
            to: firmware.told.clone(),
        };
        firmware.restart(now);
        changes.firmware.insert(self.appliance, firmware);
        changes.told.push(self.told("firmware.changed", None, now));
        self.restart_baseline(reason, now, changes)?;
        Ok(true)
    }

    /// A finding is open, or a ticket about a fault is not closed.
    pub fn holds_a_fault(&self) -> bool {
        let is_open = |ticket: &ServiceTicket| ticket.fault.is_some() && !ticket.is_closed();
        self.open().next().is_some() || self.tickets.iter().any(is_open)
    }
}
