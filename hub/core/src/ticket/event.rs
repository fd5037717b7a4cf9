//! What happens to tickets, and what must follow.

use crate::actor::Act;
use crate::appointment::{AppointmentEvent, Slot};
use crate::call_result::{CallResult, Disposition};
use crate::call_rules::HoldReason;
use crate::id::AttemptId;
use crate::outcome::Outcome;
use crate::prediction::Severity;
use crate::ticket::TicketKind;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What happens to a ticket. Each becomes one line of its timeline, with who did it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(tag = "event", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum TicketEvent {
    /// Opened for a finding.
    Opened {
        /// When the contact worker looks first.
        contact_due: Timestamp,
    },
    /// Opened by a person, for what no finding says.
    Reported {
        /// Kind; every one but a predicted fault.
        kind: TicketKind,
        /// What is wanted, in the person's words; 1 to 2,000 characters.
        note: String,
    },
    /// Opened for an owner who rang the main number while nothing else was open.
    RangIn,
    /// A caller whom nobody knows has named it, or its appliance, by keys.
    NamedByCaller {
        /// Time by which a person rings the owner, as the caller was told.
        rings_by: Timestamp,
    },
    /// The finding saw more: its class was named or its certainty grew past what was known.
    FindingGrew {
        /// Class now.
        fault_class: String,
        /// Probability now.
        probability: f32,
        /// Severity now.
        severity: Severity,
    },
    /// The readings came back to the baseline.
    FindingCleared,
    /// Not rung now; looked at again then.
    Waits {
        /// Time from which it is looked at again.
        until: Timestamp,
        /// Reason.
        reason: HoldReason,
    },
    /// Not rung by itself: a person decides.
    Held {
        /// Reason.
        reason: HoldReason,
    },
    /// An attempt's row is committed.
    AttemptStarted {
        /// The attempt.
        attempt: AttemptId,
        /// The owner rang the main number.
        inbound: bool,
    },
    /// The owner chose, on the phone.
    Chose {
        /// In which attempt.
        attempt: AttemptId,
        /// Choice of the owner.
        disposition: Disposition,
        /// The slot of key 1.
        slot: Option<Slot>,
        /// The service point of that slot.
        service_point: Option<String>,
        /// Time by which a person rings, if the call has said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rings_by: Option<Timestamp>,
    },
    /// An attempt is over.
    AttemptEnded {
        /// The attempt.
        attempt: AttemptId,
        /// The owner rang the main number.
        inbound: bool,
        /// What the network said.
        result: CallResult,
        /// What the conversation produced.
        disposition: Option<Disposition>,
        /// When to look again, by the pauses of the call rules; the decision is made then.
        contact_due: Timestamp,
    },
    /// A person took it.
    Taken,
    /// A person chose another label.
    StatusSet {
        /// Id of the label; its category is open or paused.
        label: String,
    },
    /// A person wrote something down.
    Noted {
        /// What they wrote; 1 to 2,000 characters.
        text: String,
    },
    /// A person promised something; an earlier promise of a person is over with it.
    Promised {
        /// What was promised; 1 to 500 characters.
        what: String,
        /// Who was promised it; 1 to 100 characters.
        to: String,
        /// Time by which it is to be kept.
        by: Timestamp,
    },
    /// A promise was kept.
    PromiseKept {
        /// Time of the promise that is meant; where none is given, the one that is due first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Timestamp>,
        /// Whether that of a call is meant, or that of a person: both may be for one time. Where nothing is given, either.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of_call: Option<bool>,
    },
    /// A promise need not be kept any more.
    PromiseReleased {
        /// Reason in the person's words, 1 to 500 characters; empty where the ticket was closed while it stood.
        reason: String,
        /// Time of the promise that is meant; where none is given, the one that is due first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Timestamp>,
        /// Whether that of a call is meant, or that of a person: both may be for one time. Where nothing is given, either.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of_call: Option<bool>,
    },
    /// A person pressed "call now".
    CallRequested,
    /// A person has looked at a ticket that is ready to ring, and approves the call.
    CallApproved,
    /// A person has looked, and does not want the owner rung by the hub.
    CallRefused {
        /// Reason in the person's words; 1 to 500 characters.
        reason: String,
    },
    /// A person agreed a visit with the owner; one that stands is moved.
    Booked {
        /// The visit.
        slot: Slot,
        /// Who comes.
        service_point: String,
    },
    /// Something happened to the visit.
    Visit(AppointmentEvent),
    /// A person closed it.
    Closed {
        /// With this outcome.
        outcome: Outcome,
    },
    /// A person corrected the outcome of the closed ticket.
    Corrected {
        /// What it is from now on.
        outcome: Outcome,
        /// What was wrong with the one before; 1 to 500 characters.
        reason: String,
    },
}

impl TicketEvent {
    /// Its word, as it is stored and told.
    pub fn name(&self) -> &'static str {
        self.into()
    }

    /// What a person does by it; the hub alone causes all other events.
    pub fn act(&self) -> Act {
        match self {
            TicketEvent::Reported { .. }
            | TicketEvent::Taken
            | TicketEvent::StatusSet { .. }
            | TicketEvent::Promised { .. }
            | TicketEvent::PromiseKept { .. }
            | TicketEvent::PromiseReleased { .. }
            | TicketEvent::CallRequested
            | TicketEvent::CallApproved
            | TicketEvent::CallRefused { .. }
            | TicketEvent::Booked { .. } => Act::WorkTickets,
            TicketEvent::Noted { .. } => Act::NoteTickets,
            TicketEvent::Visit(event) => match event {
                AppointmentEvent::Confirmed | AppointmentEvent::Moved { .. } | AppointmentEvent::Cancelled { .. } => {
                    Act::WorkTickets
                }
                AppointmentEvent::EnRoute | AppointmentEvent::Done | AppointmentEvent::NoShow => Act::AttendVisits,
            },
            TicketEvent::Closed { .. } => Act::CloseTickets,
            TicketEvent::Corrected { .. } => Act::CorrectOutcomes,
            TicketEvent::Opened { .. }
            | TicketEvent::RangIn
            | TicketEvent::NamedByCaller { .. }
            | TicketEvent::FindingGrew { .. }
            | TicketEvent::FindingCleared
            | TicketEvent::Waits { .. }
            | TicketEvent::Held { .. }
            | TicketEvent::AttemptStarted { .. }
            | TicketEvent::Chose { .. }
            | TicketEvent::AttemptEnded { .. } => Act::CarryTicketsOn,
        }
    }
}

/// What follows from a step beyond its ticket, in the same transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum TicketAction {
    /// What became of the visit as the ticket was closed stands in the timeline too.
    NoteVisit(AppointmentEvent),
    /// That a promise is over with the ticket stands there too.
    NotePromise,
    /// What becomes of the finding.
    SettleFinding(Settlement),
    /// What a wrong label made of the finding is undone, as far as it can be.
    TakeBack {
        /// What the label meant for the finding.
        settlement: Settlement,
        /// When it was given.
        at: Timestamp,
    },
}

/// What a closed ticket means for its finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// A part was changed: the finding is cleared and the unit's baseline starts over.
    Repaired,
    /// A person judged that there is no fault: the finding is cleared and the fault keeps quiet for the cool-down.
    FalseAlarm,
    /// The fault is still there and everybody knows: the finding stays open and gathers what is seen, without another
    /// ticket, until the readings are back at the baseline.
    LeftAsItIs,
}
