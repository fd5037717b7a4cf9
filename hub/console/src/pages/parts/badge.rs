//! Where a ticket stands and how bad it is, in a word or two.

use crate::reader::Reader;
use crate::words::{closed, code};
use hub_core::prediction::Severity;
use hub_core::ticket::ServiceTicket;
use maud::{Markup, html};

/// Where a ticket stands, with the reason if nobody was rung.
pub(crate) fn state(reader: &Reader, ticket: &ServiceTicket) -> Markup {
    let word = code(&ticket.state).replace('_', "-");
    html! {
        span class={ "chip state-" (word) } { (reader.t(&format!("state-{word}"))) }
        @if let Some(reason) = ticket.held { span.muted.reason { (closed(reader, "hold-short", &reason)) } }
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
