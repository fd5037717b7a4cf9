//! Why an event is refused.

use crate::appointment::AppointmentError;
use crate::outcome::OutcomeError;

/// An event that cannot happen now.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TicketError {
    /// Closed tickets stay closed.
    #[error("ticket {0} is closed; nothing can happen to it any more")]
    Closed(i64),
    /// A call is up.
    #[error("ticket {0}: a call with the owner is under way; wait until it has ended")]
    InCall(i64),
    /// No call without a ticket that waits for one.
    #[error("ticket {0} does not wait for a call")]
    NotPlanned(i64),
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
