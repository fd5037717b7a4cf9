//! Closed lists of words, for the document. serde writes each word as the API does; the lists themselves are written here, so
//! a new variant of a type has to be added to its list.

use hub_core::call_result::{CallResult, Disposition};
use hub_core::consent::Consent;
use hub_core::contact::{AttemptState, Direction};
use hub_core::finding::FindingState;
use hub_core::language::Language;
use hub_core::prediction::Severity;
use hub_core::ticket::{TicketCategory, TicketState};
use hub_store::device::CommandState;
use serde::Serialize;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

fn words<T: Serialize>(all: &[T]) -> Object {
    let words = all
        .iter()
        .map(|word| serde_json::to_value(word).expect("a unit variant is a string"));
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
        .build()
}

pub(crate) fn severity() -> Object {
    words(&[Severity::Minor, Severity::Major, Severity::Critical])
}

pub(crate) fn finding_state() -> Object {
    words(&[FindingState::Open, FindingState::Cleared])
}

pub(crate) fn ticket_state() -> Object {
    use TicketState as S;
    words(&[
        S::ContactPlanned,
        S::Contacting,
        S::PersonNeeded,
        S::Appointment,
        S::Closed,
    ])
}

pub(crate) fn ticket_category() -> Object {
    words(&[TicketCategory::Open, TicketCategory::Paused, TicketCategory::Resolved])
}

pub(crate) fn consent() -> Object {
    words(&[Consent::Given, Consent::Withdrawn, Consent::NeverGiven])
}

pub(crate) fn language() -> Object {
    words(&Language::ALL)
}

pub(crate) fn command_state() -> Object {
    use CommandState as S;
    words(&[S::Queued, S::Sent, S::Taken, S::Replied, S::Expired])
}

pub(crate) fn reset_reason() -> Object {
    words(&crate::words::RESET_REASONS)
}

pub(crate) fn direction() -> Object {
    words(&[Direction::Outbound, Direction::Inbound])
}

pub(crate) fn attempt_state() -> Object {
    use AttemptState as S;
    words(&[S::Dialling, S::Ringing, S::Answered, S::Ended])
}

pub(crate) fn call_result() -> Object {
    use CallResult as R;
    words(&[
        R::Answered,
        R::Busy,
        R::NoAnswer,
        R::Declined,
        R::InvalidNumber,
        R::TrunkRefused,
        R::NoAudio,
        R::NetworkFailure,
        R::Unknown,
    ])
}

pub(crate) fn disposition() -> Object {
    use Disposition as D;
    words(&[
        D::AppointmentBooked,
        D::AnotherTime,
        D::PersonWanted,
        D::DoNotCall,
        D::NothingChosen,
    ])
}

pub(crate) fn resolution() -> Object {
    words(&crate::words::RESOLUTIONS)
}

pub(crate) fn verdict() -> Object {
    words(&crate::words::VERDICTS)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_words_are_those_of_the_rules() {
        let json = serde_json::to_string(&super::ticket_state()).unwrap();
        assert_eq!(
            json,
            r#"{"type":"string","enum":["contact_planned","contacting","person_needed","appointment","closed"]}"#
        );
    }
}
