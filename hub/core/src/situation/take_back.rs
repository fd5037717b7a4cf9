//! A ticket's label was wrong: what it made of findings is undone. A baseline that it restarted stays as it is, since what the
//! detector knew before is gone.

use super::{Changes, Situation, SituationError};
use crate::finding::{Finding, FindingState};
use crate::id::TicketId;
use crate::ticket::Settlement;
use jiff::Timestamp;

impl Situation {
    /// Undoes what the label of the time `at` made of the findings of a closed ticket; what the new one means comes after it.
    pub(super) fn take_back(
        &mut self,
        id: TicketId,
        settlement: Settlement,
        at: Timestamp,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<(), SituationError> {
        match settlement {
            Settlement::LeftAsItIs => Ok(()),
            Settlement::Repaired => self.open_again(id, at, now, changes),
            Settlement::FalseAlarm => {
                self.end_quiet(id, changes)?;
                self.open_again(id, at, now, changes)
            }
        }
    }

    /// The fault is heard of again. What was seen of it meanwhile, and got no ticket, is this ticket's.
    fn end_quiet(&mut self, id: TicketId, changes: &mut Changes) -> Result<(), SituationError> {
        let own = self.findings_of(id)?;
        let is_own = |finding: &Finding| {
            let held_back = |known: &Finding| finding.ticket.is_none() && known.fault_class == finding.fault_class;
            own.iter().any(|known| known.id == finding.id || held_back(known))
        };
        let quiet = self
            .findings
            .iter()
            .filter(|finding| finding.suppressed_until.is_some());
        let quiet: Vec<Finding> = quiet.filter(|finding| is_own(finding)).cloned().collect();
        for mut finding in quiet {
            finding.suppressed_until = None;
            if finding.state == FindingState::Open {
                finding.ticket = Some(id);
                finding.ticket_from = None;
            }
            self.put_finding(finding, false, changes);
        }
        Ok(())
    }

    /// What the label has cleared is open again, unless the same fault was found again since: then that finding stands for it.
    fn open_again(
        &mut self,
        id: TicketId,
        at: Timestamp,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<(), SituationError> {
        for mut finding in self.findings_of(id)? {
            let was_cleared = finding.state == FindingState::Cleared && finding.last_seen == at;
            let is_found = self.open().any(|open| open.fault_class == finding.fault_class);
            if was_cleared && !is_found {
                finding.state = FindingState::Open;
                finding.last_seen = now;
                self.put_finding(finding, false, changes);
                changes.told.push(self.told("finding.opened", Some(id), now));
            }
        }
        Ok(())
    }
}
