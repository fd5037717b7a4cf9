//! Why an event is refused.

use super::CORRECTIONS_MAX;
use crate::appointment::AppointmentError;
use crate::contact::ThreadRefusal;
use crate::outcome::OutcomeError;

/// An event that cannot happen now.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TicketError {
    /// Closed tickets stay closed.
    #[error("ticket {0} is closed; only its outcome can be corrected")]
    Closed(i64),
    /// A call is up.
    #[error("ticket {0}: a call with the owner is under way; wait until it has ended")]
    InCall(i64),
    /// No call without a ticket that waits for one.
    #[error("ticket {0} does not wait for a call")]
    NotPlanned(i64),
    /// Nobody is asked about a call.
    #[error("ticket {0} is not ready to ring: no call of it waits for anybody's approval")]
    NotReadyToRing(i64),
    /// Nothing can happen to a visit that was never agreed.
    #[error("ticket {0} has no visit; agree one first")]
    NoVisit(i64),
    /// The visit's rules refuse it.
    #[error("ticket {number}: the visit does not allow it")]
    Visit {
        /// The ticket.
        number: i64,
        /// Which of its rules.
        #[source]
        source: AppointmentError,
    },
    /// A call of the hub speaks of a finding, and there is none.
    #[error("ticket {0} has no finding, so a call by the hub has nothing to say; ring the owner yourself")]
    NothingToSay(i64),
    /// A ticket is opened once, and a predicted fault by the hub alone.
    #[error(
        "ticket {0} cannot be opened in this way: predicted faults are the hub's to open, and each ticket is opened once"
    )]
    NotReported(i64),
    /// A label that the tenant does not have.
    #[error("ticket {number}: there is no status {label}")]
    UnknownLabel {
        /// The ticket.
        number: i64,
        /// Label as given.
        label: String,
    },
    /// A label that only an outcome leads to.
    #[error("ticket {number} becomes {label} only by closing it with an outcome")]
    ResolvedByClosing {
        /// The ticket.
        number: i64,
        /// Label as given.
        label: String,
    },
    /// A text that is empty or too long.
    #[error("ticket {number}: {field} must have 1 to {max} characters")]
    Text {
        /// The ticket.
        number: i64,
        /// Field at fault.
        field: &'static str,
        /// Most characters that it may have.
        max: usize,
    },
    /// A promise that is due before it is made.
    #[error("ticket {0}: a promise must be due later than now")]
    PromiseInThePast(i64),
    /// There is no promise to keep, or none of that time.
    #[error("ticket {0} has no such promise")]
    NoPromise(i64),
    /// Only what has an outcome can have another one.
    #[error("ticket {0} is not closed: close it with the right outcome")]
    NotClosed(i64),
    /// A correction that says what is said already.
    #[error("ticket {0} has this outcome already")]
    NothingCorrected(i64),
    /// Somebody goes back and forth.
    #[error("the outcome of ticket {0} was corrected {CORRECTIONS_MAX} times, which is the most")]
    CorrectedTooOften(i64),
    /// The outcome contradicts itself.
    #[error("ticket {number}: the outcome is refused")]
    Outcome {
        /// The ticket.
        number: i64,
        /// Cause, as the library or the rule words it.
        #[source]
        source: OutcomeError,
    },
}

impl TicketError {
    pub(super) fn of_contact(number: i64, refusal: ThreadRefusal) -> Self {
        match refusal {
            ThreadRefusal::InCall => Self::InCall(number),
            ThreadRefusal::NotPlanned => Self::NotPlanned(number),
            ThreadRefusal::NotReadyToRing => Self::NotReadyToRing(number),
        }
    }
}
