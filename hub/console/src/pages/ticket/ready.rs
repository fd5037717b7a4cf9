//! Ready to ring: the ticket whose call has waited longest for a person's approval, with all that speaks for it, and those after it.

use super::{approval, why};
use crate::pages::parts::address::in_query;
use crate::pages::parts::badge::{about, severity};
use crate::pages::parts::held::held_sentence;
use crate::pages::parts::live::live_note;
use crate::pages::parts::ticket_table::table;
use crate::reader::Reader;
use crate::visitor::Visitor;
use hub_api::error::Result;
use hub_api::extract::Query;
use hub_api::tickets_list::{TicketsQuery, list};
use hub_core::actor::Act;
use hub_store::page::Page;
use hub_store::ticket::{TicketSummary, TicketView};
use maud::{Markup, html};
use serde::Deserialize;

/// Where the page is.
const READY: &str = "/ready-to-ring";
/// Tickets on the page: one to decide about, the others below it.
const READY_MAX: usize = 20;

/// Which of the tickets that wait.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ReadyQuery {
    /// The ticket before, which is left for later.
    after: Option<String>,
}

/// Shows the queue.
pub(crate) async fn page(visitor: Visitor, Query(query): Query<ReadyQuery>) -> Result<Markup> {
    let back = match &query.after {
        Some(after) => format!("{READY}?after={}", in_query(after)),
        None => READY.to_owned(),
    };
    let waiting = TicketsQuery {
        ready_to_ring: Some(true),
        after: query.after,
        limit: Some(READY_MAX),
        ..TicketsQuery::default()
    };
    let tickets = list(&visitor.app, &visitor.session, waiting).await?;
    let (store, actor) = (visitor.app.store(), visitor.session.actor());
    let first = match tickets.items.first() {
        Some(summary) => Some(store.ticket(actor, summary.ticket.id, visitor.app.now()).await?),
        None => None,
    };
    let body = render(&visitor.reader, first.as_ref(), &tickets, &back);
    Ok(visitor.page(&visitor.reader.t("ready"), &body))
}

/// The queue: `first` in full, the others of `tickets` as a table. `back` is this page.
pub(crate) fn render(reader: &Reader, first: Option<&TicketView>, tickets: &Page<TicketSummary>, back: &str) -> Markup {
    let others = tickets.items.get(1..).unwrap_or_default();
    html! {
        div.head {
            h1 { (reader.t("ready")) }
            p.muted { (reader.t("ready-hint")) }
            (live_note(reader))
        }
        div #ready data-live="tickets" {
            @match first {
                Some(view) => (decide(reader, view, back)),
                None => p.card.muted { (reader.t("ready-none")) },
            }
            @if !others.is_empty() {
                section aria-labelledby="ready-others" {
                    h2 #ready-others { (reader.t("ready-others")) }
                    (table(reader, others))
                }
            }
            @if back != READY { nav.paging aria-label=(reader.t("paging")) { a.button href=(READY) { (reader.t("ready-first")) } } }
        }
    }
}

fn decide(reader: &Reader, view: &TicketView, back: &str) -> Markup {
    let ticket = &view.ticket;
    html! {
        article.card.ready aria-labelledby="ready-title" {
            h2 #ready-title {
                a href={ "/tickets/" (ticket.id) } { "#" (ticket.number) " " (about(reader, &view.appliance.profile, ticket)) }
            }
            p.facts {
                @if let Some(fault) = &ticket.fault { (severity(reader, fault.severity)) }
                a href={ "/appliances/" (view.appliance.id) } {
                    (reader.family(&view.appliance.profile)) " " (view.appliance.device)
                }
                span.muted {
                    (reader.t("column-opened")) " "
                    time datetime=(ticket.opened_at) { (reader.time(ticket.opened_at)) }
                }
            }
            @if let Some(reason) = ticket.contact.reason { p.summary { (held_sentence(reader, view, reason)) } }
            @if reader.may(Act::WorkTickets) {
                div.acts { (approval::render(reader, view, back)) }
                p.muted { (reader.t("ready-keys")) }
            }
            p { a href={ (READY) "?after=" (ticket.id) } { (reader.t("ready-later")) } }
            (why::render(reader, view))
        }
    }
}
