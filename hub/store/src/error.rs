//! Why a store operation did not happen. Nothing is half done: the transaction was rolled back. Where an operation is
//! several transactions, its method says so.

use hub_core::account::AccountError;
use hub_core::actor::NotAllowed;
use hub_core::contact::AttemptError;
use hub_core::situation::SituationError;
use hub_core::ticket::TicketError;

/// An operation that did not happen.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, or failed; trying again later may work.
    #[error("the database did not answer or failed")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Another hub has taken over, or none has: this one may not write. Trying again does not help; the hub ends.
    #[error("this hub does not hold the database's lease (any more); nothing was written")]
    Deposed,
    /// What was asked for does not exist, or not in this scope.
    #[error("there is no {what} {id}")]
    NotFound {
        /// Kind of thing.
        what: &'static str,
        /// Its id as given.
        id: String,
    },
    /// Somebody else was first; look again and decide again.
    #[error("{0}")]
    Conflict(String),
    /// No role of who asked allows it; nothing was looked at.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// The rules of accounts refuse it.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The ticket's rules refuse it.
    #[error("the ticket refuses this")]
    Ticket(#[from] TicketError),
    /// The attempt's rules refuse it.
    #[error("the attempt refuses this")]
    Attempt(#[from] AttemptError),
    /// A stored value cannot be read: a newer or damaged database.
    #[error("stored {what} cannot be read")]
    Unreadable {
        /// Kind of thing.
        what: &'static str,
        /// Cause, as the library or the rule words it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Declared data cannot be stored as it is.
    #[error("{0}")]
    Refused(String),
}

/// Result of a store operation.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Nothing with this id, or not for this reader.
pub fn not_found(what: &'static str, id: impl ToString) -> StoreError {
    StoreError::NotFound {
        what,
        id: id.to_string(),
    }
}

impl From<SituationError> for StoreError {
    fn from(error: SituationError) -> Self {
        match error {
            SituationError::Ticket(error) => Self::Ticket(error),
            SituationError::Attempt(error) => Self::Attempt(error),
            full @ SituationError::Full { .. } => Self::Refused(full.to_string()),
            SituationError::Missing { what, id, .. } => Self::NotFound { what, id },
        }
    }
}
