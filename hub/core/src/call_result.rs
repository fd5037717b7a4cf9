//! What became of one attempt, kept in two lists that never mix: what the network said, and what the conversation produced.

use serde::{Deserialize, Serialize};

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
    /// The trunk or the network failed or did not answer at all (5xx, time-out before any answer).
    NetworkFailure,
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
            CallResult::NetworkFailure => "network_failure",
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
