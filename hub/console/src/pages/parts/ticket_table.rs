//! Tickets as a table.

use super::badge::{about, severity, state};
use crate::reader::Reader;
use crate::words::band;
use hub_store::ticket::TicketSummary;
use maud::{Markup, html};

/// Tickets as rows; on a phone each row becomes a card with its headings beside the values.
pub(crate) fn table(reader: &Reader, tickets: &[TicketSummary]) -> Markup {
    let columns = [
        "number",
        "fault",
        "appliance",
        "state",
        "severity",
        "probability",
        "opened",
        "assignee",
    ];
    html! {
        table.cards {
            thead { tr {
                @for column in columns { th scope="col" { (reader.t(&format!("column-{column}"))) } }
            } }
            tbody { @for summary in tickets { (row(reader, summary)) } }
        }
    }
}

fn row(reader: &Reader, summary: &TicketSummary) -> Markup {
    let ticket = &summary.ticket;
    let label = |column: &str| reader.t(&format!("column-{column}"));
    html! {
        tr {
            td data-label=(label("number")) { "#" (ticket.number) }
            td data-label=(label("fault")) {
                a.strong href={ "/tickets/" (ticket.id) } { (about(reader, &summary.appliance.profile, ticket)) }
            }
            td data-label=(label("appliance")) {
                span { (reader.family(&summary.appliance.profile)) " " }
                span.muted { (summary.appliance.device) }
            }
            td data-label=(label("state")) { (state(reader, ticket, &summary.label)) }
            td data-label=(label("severity")) {
                @match &ticket.fault { Some(fault) => (severity(reader, fault.severity)), None => "–" }
            }
            td data-label=(label("probability")) {
                @match summary.probability { Some(probability) => (band(reader, probability)), None => "–" }
            }
            td data-label=(label("opened")) {
                time datetime=(ticket.opened_at) { (reader.time(ticket.opened_at)) }
            }
            td data-label=(label("assignee")) { (ticket.assignee.as_deref().unwrap_or("–")) }
        }
    }
}
