//! Why an event is refused.

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
