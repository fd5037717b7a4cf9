//! The list of tickets.

use super::visitor::Visitor;
use crate::api::tickets_list::{TicketsQuery, list};
use crate::error::Result;
use crate::extract::Query;
use crate::reader::Reader;
use crate::words::{CATEGORIES, band, closed, code};
use hub_core::prediction::Severity;
use hub_core::ticket::{ServiceTicket, TicketCategory};
use hub_store::page::Page;
use hub_store::ticket::TicketSummary;
use maud::{Markup, html};

/// Shows a page of the list.
pub(crate) async fn page(visitor: Visitor, Query(mut query): Query<TicketsQuery>) -> Result<Markup> {
    let category = *query.category.get_or_insert(TicketCategory::Open);
    let first_page = query.after.is_none();
    let tickets = list(&visitor.app, &visitor.session, query).await?;
    let body = render(&visitor.reader, category, first_page, &tickets);
    Ok(visitor.page(&visitor.reader.t("tickets"), &body))
}

pub(super) fn render(
    reader: &Reader,
    category: TicketCategory,
    first_page: bool,
    tickets: &Page<TicketSummary>,
) -> Markup {
    html! {
        div.head {
            h1 { (reader.t("tickets")) }
            (super::ticket::live_note(reader))
        }
        nav.tabs aria-label=(reader.t("tabs")) {
            @for tab in CATEGORIES {
                a href={ "/tickets?category=" (code(&tab)) } aria-current=[(tab == category).then_some("page")] {
                    (closed(reader, "category", &tab))
                }
            }
        }
        div #tickets data-live="tickets" {
            @if tickets.items.is_empty() {
                p.card.muted { (reader.t("tickets-none")) }
            } @else {
                (table(reader, &tickets.items))
            }
            nav.paging aria-label=(reader.t("paging")) {
                @if !first_page {
                    a.button href={ "/tickets?category=" (code(&category)) } { (reader.t("paging-first")) }
                }
                @if let Some(next) = &tickets.next {
                    a.button href={ "/tickets?category=" (code(&category)) "&after=" (next) } { (reader.t("paging-next")) }
                }
            }
        }
    }
}

/// Tickets as rows; on a phone each row becomes a card with its headings beside the values.
pub(super) fn table(reader: &Reader, tickets: &[TicketSummary]) -> Markup {
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
                a.strong href={ "/tickets/" (ticket.id) } { (reader.word("fault", &ticket.fault_class)) }
            }
            td data-label=(label("appliance")) {
                span { (reader.word("family", &summary.appliance.profile)) " " }
                span.muted { (summary.appliance.device) }
            }
            td data-label=(label("state")) { (state(reader, ticket)) }
            td data-label=(label("severity")) { (severity(reader, ticket.severity)) }
            td data-label=(label("probability")) { (band(reader, summary.probability)) }
            td data-label=(label("opened")) {
                time datetime=(ticket.opened_at) { (reader.time(ticket.opened_at)) }
            }
            td data-label=(label("assignee")) { (ticket.assignee.as_deref().unwrap_or("–")) }
        }
    }
}

/// Where a ticket stands, with the reason if nobody was rung.
pub(super) fn state(reader: &Reader, ticket: &ServiceTicket) -> Markup {
    let word = code(&ticket.state).replace('_', "-");
    html! {
        span class={ "chip state-" (word) } { (reader.t(&format!("state-{word}"))) }
        @if let Some(reason) = ticket.held { span.muted.reason { (closed(reader, "hold-short", &reason)) } }
    }
}

/// How bad: a sign and a word, the colour only on top.
pub(super) fn severity(reader: &Reader, severity: Severity) -> Markup {
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
