//! What a ticket is about, where it stands and how bad it is, in a word or two.

use crate::reader::Reader;
use crate::words::{closed, code};
use hub_core::appointment::AppointmentState;
use hub_core::contact::ContactPhase;
use hub_core::prediction::Severity;
use hub_core::site::Localised;
use hub_core::ticket::{ServiceTicket, TicketCategory};
use maud::{Markup, html};

/// The fault that a ticket of a `profile` is about, or else its kind.
pub(crate) fn about(reader: &Reader, profile: &str, ticket: &ServiceTicket) -> String {
    match &ticket.fault {
        Some(fault) => reader.fault(profile, &fault.fault_class),
        None => closed(reader, "kind", &ticket.kind),
    }
}

/// Where a ticket stands: its label by `name`, the visit that is to come, and where the hub is with ringing the owner, with the
/// reason if nobody was rung. A ticket that a person has paused waits for no person, whatever the hub's calls would do.
pub(crate) fn state(reader: &Reader, ticket: &ServiceTicket, name: &Localised) -> Markup {
    let phase = code(&ticket.contact.phase).replace('_', "-");
    let visit = ticket.standing_visit().map(|visit| match visit.state {
        AppointmentState::EnRoute => "visit-chip-en-route",
        _ => "visit-chip-agreed",
    });
    let is_put_off = ticket.contact.phase == ContactPhase::Held && ticket.status.category == TicketCategory::Paused;
    html! {
        span class={ "chip status-" (code(&ticket.status.category)) } { (name.get(reader.language)) }
        @if let Some(visit) = visit { " " span.chip.visit { (reader.t(visit)) } }
        @match ticket.contact.phase {
            ContactPhase::Done => {},
            ContactPhase::Held if is_put_off => {},
            ContactPhase::Planned | ContactPhase::InCall | ContactPhase::Held => {
                " " span class={ "chip phase-" (phase) } { (reader.t(&format!("phase-{phase}"))) }
            },
        }
        @if let Some(reason) = ticket.contact.reason.filter(|_| !is_put_off) { span.muted.reason { (closed(reader, "hold-short", &reason)) } }
    }
}

/// How bad: a sign and a word, the colour only on top.
pub(crate) fn severity(reader: &Reader, severity: Severity) -> Markup {
    let sign = match severity {
        Severity::Minor => "○",
        Severity::Major => "▲",
        Severity::Critical => "⬢",
    };
    html! {
        span class={ "severity severity-" (code(&severity)) } {
            span aria-hidden="true" { (sign) } " " (closed(reader, "severity", &severity))
        }
    }
}
