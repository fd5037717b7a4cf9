//! The contact thread of a ticket: where the hub stands with ringing the owner about it. What a call or a wish for one makes of
//! it is decided here. It knows neither the ticket nor its status.

use crate::call_result::{CallResult, Disposition};
use crate::call_rules::HoldReason;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Phase of a contact thread.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ContactPhase {
    /// A call is planned; the contact worker looks at it when it is due.
    Planned,
    /// An attempt is under way.
    InCall,
    /// A person must look: below the gate, no consent, attempts used up, the owner asked for one …
    Held,
    /// Nobody is to be rung: a visit is agreed, or the ticket is closed.
    Done,
}

impl ContactPhase {
    /// Its word, as it is stored and told.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// Contact thread of one ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactThread {
    /// Phase that it is in.
    pub phase: ContactPhase,
    /// Time at which the contact worker looks next; kept during a call that the owner placed.
    pub due: Option<Timestamp>,
    /// Log-in name of the person who pressed "call now", until a call has rung or is refused.
    pub requested_by: Option<String>,
    /// Log-in name of the person who approved that the hub rings, while that stands.
    pub approved_by: Option<String>,
    /// Reason why nobody was rung, if so.
    pub reason: Option<HoldReason>,
}

/// What a step of the thread means to its ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Turn {
    /// Nothing: the hub goes on by itself, or everything is as it was before the call.
    GoesOn,
    /// From now on a person must look.
    PersonNeeded,
    /// Nobody need act until the visit.
    VisitAwaited,
}

/// A step that cannot happen in this phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ThreadRefusal {
    /// A call is up.
    InCall,
    /// No call without a thread that waits for one.
    NotPlanned,
    /// Nobody's approval is waited for.
    NotReadyToRing,
}

impl ContactThread {
    /// A thread whose first call is due then.
    pub fn planned(due: Timestamp) -> Self {
        Self {
            phase: ContactPhase::Planned,
            due: Some(due),
            requested_by: None,
            approved_by: None,
            reason: None,
        }
    }

    /// A thread that waits for a person from the start.
    pub fn held(reason: HoldReason) -> Self {
        Self {
            phase: ContactPhase::Held,
            due: None,
            requested_by: None,
            approved_by: None,
            reason: Some(reason),
        }
    }

    pub(crate) fn plan(&mut self, due: Timestamp) {
        self.phase = ContactPhase::Planned;
        self.due = Some(due);
    }

    /// Not rung now.
    pub(crate) fn wait(&mut self, until: Timestamp, reason: HoldReason) -> Result<(), ThreadRefusal> {
        self.check_planned()?;
        self.reason = Some(reason);
        self.plan(until);
        Ok(())
    }

    /// Not rung by itself. A visit that is agreed stays agreed when the call that a person asked for cannot be placed.
    pub(crate) fn refuse(&mut self, reason: HoldReason, has_visit: bool) -> Result<Turn, ThreadRefusal> {
        self.check_planned()?;
        if has_visit {
            self.finish(Some(reason));
            return Ok(Turn::VisitAwaited);
        }
        Ok(self.hold(reason))
    }

    /// The contact worker decides only on a thread that still waits for it: a person may have acted meanwhile.
    fn check_planned(&self) -> Result<(), ThreadRefusal> {
        match self.phase {
            ContactPhase::Planned => Ok(()),
            ContactPhase::InCall | ContactPhase::Held | ContactPhase::Done => Err(ThreadRefusal::NotPlanned),
        }
    }

    pub(crate) fn check_not_in_call(&self) -> Result<(), ThreadRefusal> {
        match self.phase {
            ContactPhase::InCall => Err(ThreadRefusal::InCall),
            ContactPhase::Planned | ContactPhase::Held | ContactPhase::Done => Ok(()),
        }
    }

    fn hold(&mut self, reason: HoldReason) -> Turn {
        // A surge passes: what a person approved is still approved then.
        let approved_by = self.approved_by.take().filter(|_| reason == HoldReason::Surge);
        *self = Self {
            approved_by,
            ..Self::held(reason)
        };
        Turn::PersonNeeded
    }

    /// What it waited for is over: a person must look, and no rule for calls is the reason.
    pub(crate) fn leave_to_a_person(&mut self) {
        self.finish(None);
        self.phase = ContactPhase::Held;
    }

    /// Nobody is to be rung any more.
    pub(crate) fn finish(&mut self, reason: Option<HoldReason>) {
        *self = Self {
            phase: ContactPhase::Done,
            due: None,
            requested_by: None,
            approved_by: None,
            reason,
        };
    }

    /// More certainty or a name lifts a thread that waits for an approval or for the end of a surge, and a fault that is back lifts
    /// one that was held because it had gone. Whether a call follows is decided when it is due.
    pub(crate) fn lift(&mut self, now: Timestamp) {
        let is_over = matches!(self.reason, Some(HoldReason::FindingCleared | HoldReason::Surge));
        if (self.phase == ContactPhase::Held && is_over) || self.waits_for_approval() {
            self.plan(now);
        }
    }

    /// The surge that stopped the calls of its appliance model is over, or a person lets them go on: what was held for it is looked at
    /// again. Whether it was.
    pub fn end_surge(&mut self, now: Timestamp) -> bool {
        let was_held = self.is_held_for(HoldReason::Surge);
        if was_held {
            self.reason = None;
            self.plan(now);
        }
        was_held
    }

    fn is_held_for(&self, reason: HoldReason) -> bool {
        self.phase == ContactPhase::Held && self.reason == Some(reason)
    }

    /// Whether it is ready to ring: nothing but a person's approval is missing.
    pub fn waits_for_approval(&self) -> bool {
        let is_for_approval = |reason| HoldReason::FOR_APPROVAL.contains(&reason);
        self.phase == ContactPhase::Held && self.reason.is_some_and(is_for_approval)
    }

    /// A person approves the call, also one that was refused before. Whether it is placed is decided by the rules, from now on.
    pub(crate) fn approve(&mut self, actor: &str, now: Timestamp) -> Result<(), ThreadRefusal> {
        self.check_not_in_call()?;
        let was_refused = self.is_held_for(HoldReason::CallRefused);
        if !was_refused && !self.waits_for_approval() {
            return Err(ThreadRefusal::NotReadyToRing);
        }
        self.approved_by = Some(actor.to_owned());
        self.reason = None;
        self.plan(now);
        Ok(())
    }

    /// A person refuses the call, one that is planned or waits for the end of a surge as well: the hub rings nobody by itself any more.
    pub(crate) fn decline(&mut self, has_visit: bool) -> Result<Turn, ThreadRefusal> {
        self.check_not_in_call()?;
        if self.waits_for_approval() || self.is_held_for(HoldReason::Surge) {
            return Ok(self.hold(HoldReason::CallRefused));
        }
        let refused = self.refuse(HoldReason::CallRefused, has_visit);
        refused.map_err(|_| ThreadRefusal::NotReadyToRing)
    }

    /// The fault is another one: what a person approved or refused was a call about the one before. What was refused waits for an approval
    /// again.
    pub(crate) fn forget_decision(&mut self) {
        self.approved_by = None;
        if self.is_held_for(HoldReason::CallRefused) {
            self.reason = Some(HoldReason::ReadyToRing);
        }
    }

    /// The fault has gone, and what was decided about it with it: nobody is asked any more, and one that comes back is looked at as a new one.
    pub(crate) fn clear(&mut self) {
        self.forget_decision();
        if self.waits_for_approval() || self.is_held_for(HoldReason::Surge) {
            self.reason = Some(HoldReason::FindingCleared);
        }
    }

    /// What the thread was waiting for is kept while the owner is the caller: an inbound call without a choice changes
    /// nothing.
    pub(crate) fn start_attempt(&mut self, inbound: bool) -> Result<(), ThreadRefusal> {
        if inbound {
            self.check_not_in_call()?;
        } else {
            self.check_planned()?;
            self.reason = None;
            self.due = None;
        }
        self.phase = ContactPhase::InCall;
        Ok(())
    }

    /// The owner wants no more calls.
    pub(crate) fn forbid(&mut self) {
        self.reason = Some(HoldReason::DoNotCall);
    }

    /// An attempt is over. `due` is when to look again where it reached nobody.
    pub(crate) fn end_attempt(
        &mut self,
        inbound: bool,
        result: CallResult,
        disposition: Option<Disposition>,
        due: Timestamp,
        has_visit: bool,
    ) -> Turn {
        use Disposition as D;
        // An end that is heard twice changes nothing.
        if self.phase != ContactPhase::InCall {
            return Turn::GoesOn;
        }
        match disposition {
            // A person moves the visit, or speaks with the owner; the visit stands until then.
            Some(D::AnotherTime | D::PersonWanted) => return self.hold(HoldReason::Reached),
            Some(D::DoNotCall) if !has_visit => return self.hold(HoldReason::DoNotCall),
            Some(D::AppointmentBooked) if has_visit => self.reason = None,
            _ => {}
        }
        let is_still_wanted = !inbound && self.requested_by.is_some() && !result.is_of_the_owner();
        // An earlier wish for another time still waits for a person, and who asked for a call that rang nobody for that call.
        if has_visit && self.reason != Some(HoldReason::Reached) && !is_still_wanted {
            self.finish(self.reason);
            return Turn::VisitAwaited;
        }
        if inbound {
            return self.resume(result);
        }
        match result {
            CallResult::Answered => self.hold(HoldReason::Reached),
            CallResult::Unknown => self.hold(HoldReason::UnknownAttempt),
            CallResult::Declined => self.hold(HoldReason::Declined),
            CallResult::InvalidNumber => self.hold(HoldReason::InvalidNumber),
            CallResult::Busy | CallResult::NoAnswer | CallResult::NoAudio | CallResult::HungUpEarly => {
                self.requested_by = None;
                self.plan(due);
                Turn::GoesOn
            }
            // Nobody was rung: who asked for the call still waits for it, by the pauses that hold for all.
            CallResult::TrunkRefused
            | CallResult::ExchangeDeclined
            | CallResult::NetworkFailure
            | CallResult::NotPlaced => {
                if self.requested_by.is_some() {
                    self.reason = Some(HoldReason::Gap);
                }
                self.plan(due);
                Turn::GoesOn
            }
        }
    }

    /// Back to what an inbound call found: a planned call stays planned for when it was due, unless the owner has been
    /// spoken with now; what waited for a person still does. An inbound call never plans an outbound one.
    fn resume(&mut self, result: CallResult) -> Turn {
        match self.due {
            Some(due) if result != CallResult::Answered => {
                self.plan(due);
                Turn::GoesOn
            }
            Some(_) => self.hold(HoldReason::Reached),
            None => {
                *self = Self::held(self.reason.unwrap_or(HoldReason::Reached));
                Turn::GoesOn
            }
        }
    }

    /// Whether a call has failed since a person asked for one: a wish that is new waits for no gap.
    pub(crate) fn was_tried_since_asked(&self) -> bool {
        self.requested_by.is_some() && self.reason == Some(HoldReason::Gap)
    }

    pub(crate) fn request_call(&mut self, actor: &str, now: Timestamp) -> Result<(), ThreadRefusal> {
        self.check_not_in_call()?;
        self.requested_by = Some(actor.to_owned());
        self.reason = None;
        self.plan(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::ContactPhase;
    use strum::VariantArray;

    #[test]
    fn a_phase_is_stored_by_its_name() {
        for phase in ContactPhase::VARIANTS {
            assert_eq!(serde_json::to_value(phase).unwrap(), phase.name());
        }
    }
}
