//! What became of one attempt, kept in two lists that never mix: what the network said, and what the conversation produced.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An answered call that its owner ends within this time, and without a key, has told them nothing.
pub const HUNG_UP_EARLY: Duration = Duration::from_secs(5);

/// A refusal within this time, and before anything rang, is the exchange's: no person is that fast.
pub const EXCHANGE_REFUSES_WITHIN: Duration = Duration::from_secs(2);

/// What the telephone network said of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum CallResult {
    /// The call was answered (2xx).
    Answered,
    /// The line was busy (486, 600).
    Busy,
    /// It rang, nobody answered within the ring limit (408, 480, 487 after our CANCEL).
    NoAnswer,
    /// The owner declined (603, 607, 608): never by phone again without a person.
    Declined,
    /// The number does not exist or is not valid (404, 410, 484, 604).
    InvalidNumber,
    /// The trunk refused us or is wrongly set up (401, 403, 407 after credentials).
    TrunkRefused,
    /// It was answered, but no audio was agreed on that we can use, or none came from where it was agreed on: a fault of the
    /// line. Nobody was spoken with.
    NoAudio,
    /// It was answered, and the owner was gone within [`HUNG_UP_EARLY`] without a key: nobody heard what the call is about.
    HungUpEarly,
    /// The exchange declined (603, 607, 608 within [`EXCHANGE_REFUSES_WITHIN`], and nothing had rung): nobody was asked.
    ExchangeDeclined,
    /// The trunk or the network failed or did not answer at all (5xx, time-out before any answer).
    NetworkFailure,
    /// Nothing left the hub: it had no voice, no room for prompts, or no port for audio, or it was stopping.
    NotPlaced,
    /// The program ended between the attempt's row and its result. Never rung again without a person's decision.
    Unknown,
}

/// What the conversation produced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// The owner took the offered slot (key 1).
    AppointmentBooked,
    /// The owner wants another time (key 2): a person arranges it.
    AnotherTime,
    /// The owner wants to speak with a person (key 3).
    PersonWanted,
    /// The owner wants no such calls again (key 9).
    DoNotCall,
    /// Answered, but nothing was chosen before the call ended.
    NothingChosen,
}

impl CallResult {
    /// The word stored in tables and sent over the API.
    pub fn as_str(self) -> &'static str {
        match self {
            CallResult::Answered => "answered",
            CallResult::Busy => "busy",
            CallResult::NoAnswer => "no_answer",
            CallResult::Declined => "declined",
            CallResult::InvalidNumber => "invalid_number",
            CallResult::TrunkRefused => "trunk_refused",
            CallResult::NoAudio => "no_audio",
            CallResult::HungUpEarly => "hung_up_early",
            CallResult::ExchangeDeclined => "exchange_declined",
            CallResult::NetworkFailure => "network_failure",
            CallResult::NotPlaced => "not_placed",
            CallResult::Unknown => "unknown",
        }
    }

    /// What a final SIP status other than 2xx means (RFC 3261 §21).
    pub fn from_sip_status(code: u16) -> Self {
        match code {
            200..=299 => CallResult::Answered,
            486 | 600 => CallResult::Busy,
            408 | 480 | 487 => CallResult::NoAnswer,
            603 | 607 | 608 => CallResult::Declined,
            404 | 410 | 484 | 604 => CallResult::InvalidNumber,
            401 | 403 | 407 => CallResult::TrunkRefused,
            _ => CallResult::NetworkFailure,
        }
    }

    /// The same of a call that ended so `after` its start; `rang` if anything rang before. So a person's no is told from the
    /// exchange's.
    pub fn from_refusal(code: u16, rang: bool, after: Duration) -> Self {
        match Self::from_sip_status(code) {
            CallResult::Declined if !rang && after < EXCHANGE_REFUSES_WITHIN => CallResult::ExchangeDeclined,
            other => other,
        }
    }

    /// What it says against the way out, if the call failed before anything rang.
    pub fn fault(self) -> Option<Fault> {
        match self {
            CallResult::NetworkFailure | CallResult::TrunkRefused => Some(Fault::Trunk),
            CallResult::NotPlaced => Some(Fault::House),
            CallResult::Answered
            | CallResult::Busy
            | CallResult::NoAnswer
            | CallResult::Declined
            | CallResult::InvalidNumber
            | CallResult::NoAudio
            | CallResult::HungUpEarly
            | CallResult::ExchangeDeclined
            | CallResult::Unknown => None,
        }
    }

    /// Whether it is the owner's line or number that speaks, even where nothing is known to have rung: many exchanges send no 180
    /// before they say that a line is busy or does not answer. Of a call that was cut off nobody knows, so that it is taken to have
    /// rung.
    pub fn is_of_the_owner(self) -> bool {
        match self {
            CallResult::Answered
            | CallResult::Busy
            | CallResult::NoAnswer
            | CallResult::Declined
            | CallResult::InvalidNumber
            | CallResult::NoAudio
            | CallResult::HungUpEarly
            | CallResult::Unknown => true,
            CallResult::TrunkRefused
            | CallResult::ExchangeDeclined
            | CallResult::NetworkFailure
            | CallResult::NotPlaced => false,
        }
    }
}

/// What a call that never rang failed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The trunk: it does not answer, cannot, or does not let the hub in.
    Trunk,
    /// The hub's own house.
    House,
}

impl Disposition {
    /// The word stored in tables and sent over the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Disposition::AppointmentBooked => "appointment_booked",
            Disposition::AnotherTime => "another_time",
            Disposition::PersonWanted => "person_wanted",
            Disposition::DoNotCall => "do_not_call",
            Disposition::NothingChosen => "nothing_chosen",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::VariantArray;

    #[test]
    fn only_the_exchange_is_faster_than_a_person() {
        let (soon, late) = (Duration::from_millis(1_999), EXCHANGE_REFUSES_WITHIN);
        for code in [603, 607, 608] {
            assert_eq!(
                CallResult::from_refusal(code, false, soon),
                CallResult::ExchangeDeclined
            );
            assert_eq!(CallResult::from_refusal(code, true, soon), CallResult::Declined);
            assert_eq!(CallResult::from_refusal(code, false, late), CallResult::Declined);
        }
        for code in [200, 403, 404, 408, 480, 486, 500, 503] {
            let same = CallResult::from_sip_status(code);
            assert_eq!(CallResult::from_refusal(code, false, soon), same);
        }
    }

    /// Whether each result uses up a place where nothing rang, and what it pauses.
    #[test]
    fn results_are_parted_by_whom_they_speak_of() {
        let mut table = String::new();
        for result in CallResult::VARIANTS {
            let counts = if result.is_of_the_owner() {
                "counts"
            } else {
                "no attempt"
            };
            let fault = result
                .fault()
                .map_or(String::new(), |fault| format!(", pauses the {fault:?}"));
            table.push_str(&format!("{}: {counts}{fault}\n", result.as_str()));
        }
        expect_test::expect![[r#"
            answered: counts
            busy: counts
            no_answer: counts
            declined: counts
            invalid_number: counts
            trunk_refused: no attempt, pauses the Trunk
            no_audio: counts
            hung_up_early: counts
            exchange_declined: no attempt
            network_failure: no attempt, pauses the Trunk
            not_placed: no attempt, pauses the House
            unknown: counts
        "#]]
        .assert_eq(&table);
    }
}
