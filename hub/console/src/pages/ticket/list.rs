//! The list of tickets.

use super::promises::{self, PROMISES_MAX};
use crate::pages::parts::live::live_note;
use crate::pages::parts::ticket_table::table;
use crate::reader::Reader;
use crate::visitor::Visitor;
use crate::words::{closed, code};
use hub_api::error::Result;
use hub_api::extract::Query;
use hub_api::tickets_list::{TicketsQuery, list};
use hub_core::contact::ways_out::PausedWay;
use hub_core::id::TenantId;
use hub_core::ticket::TicketCategory;
use hub_store::page::Page;
use hub_store::ticket::TicketSummary;
use maud::{Markup, html};
use strum::VariantArray;

/// Shows a page of the list.
pub(crate) async fn page(visitor: Visitor, Query(mut query): Query<TicketsQuery>) -> Result<Markup> {
    let category = *query.category.get_or_insert(TicketCategory::Open);
    let first_page = query.after.is_none();
    let promised = TicketsQuery {
        promised: Some(true),
        limit: Some(PROMISES_MAX),
        ..TicketsQuery::default()
    };
    let promised = match category {
        TicketCategory::Open if first_page => list(&visitor.app, &visitor.session, promised).await?.items,
        TicketCategory::Open | TicketCategory::Paused | TicketCategory::Resolved => Vec::new(),
    };
    let tickets = list(&visitor.app, &visitor.session, query).await?;
    let reader = &visitor.reader;
    let body = html! {
        (paused_calls(reader, &paused_for(&visitor)))
        div #promises data-live="tickets" { (promises::render(reader, &promised, visitor.app.now())) }
        (render(reader, category, first_page, &tickets))
    };
    Ok(visitor.page(&reader.t("tickets"), &body))
}

/// Ways out that are paused and concern this visitor: those of their tenant, and the hub's own.
fn paused_for(visitor: &Visitor) -> Vec<PausedWay> {
    let mut paused = (visitor.app.state.monitor.paused)();
    let tenant = visitor.session.actor().tenant();
    paused.retain(|way| {
        let of = way.trunk_of.as_ref().map(TenantId::as_str);
        tenant.is_none() || of.is_none() || of == tenant
    });
    paused
}

/// Why nobody is rung at present, if so: planned calls wait.
pub(crate) fn paused_calls(reader: &Reader, paused: &[PausedWay]) -> Markup {
    html! {
        @for way in paused {
            p.problem role="status" {
                @let since = reader.time(way.pause.since);
                @match &way.trunk_of {
                    Some(tenant) => (reader.with("calls-paused-trunk", &[("tenant", tenant.as_str()), ("since", &since)])),
                    None => (reader.with("calls-paused-house", &[("since", &since)])),
                }
            }
        }
    }
}

pub(crate) fn render(
    reader: &Reader,
    category: TicketCategory,
    first_page: bool,
    tickets: &Page<TicketSummary>,
) -> Markup {
    html! {
        div.head {
            h1 { (reader.t("tickets")) }
            (live_note(reader))
        }
        nav.tabs aria-label=(reader.t("tabs")) {
            @for &tab in TicketCategory::VARIANTS {
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
