//! Promises that stand, above the list of tickets: what is overdue first.

use crate::pages::parts::badge::about;
use crate::reader::Reader;
use hub_core::ticket::Promise;
use hub_store::ticket::TicketSummary;
use jiff::Timestamp;
use maud::{Markup, html};

/// Most promises that are shown, the first due first; `promised=true` of the API's list of tickets has them all.
pub(super) const PROMISES_MAX: usize = 20;

/// The promises of these tickets, in their order.
pub(crate) fn render(reader: &Reader, tickets: &[TicketSummary], now: Timestamp) -> Markup {
    let promised = || {
        tickets
            .iter()
            .filter_map(|summary| Some((summary, summary.ticket.promise.as_ref()?)))
    };
    let label = |column: &str| reader.t(&format!("column-{column}"));
    html! {
        @if promised().next().is_some() {
            h2 { (reader.t("promises")) }
            table.cards {
                thead { tr {
                    @for column in ["number", "fault", "promised", "promised-by", "assignee"] {
                        th scope="col" { (label(column)) }
                    }
                } }
                tbody { @for (summary, promise) in promised() {
                    tr {
                        td data-label=(label("number")) { "#" (summary.ticket.number) }
                        td data-label=(label("fault")) {
                            a.strong href={ "/tickets/" (summary.ticket.id) } {
                                (about(reader, &summary.appliance.profile, &summary.ticket))
                            }
                        }
                        td data-label=(label("promised")) { (what(reader, promise)) }
                        td data-label=(label("promised-by")) {
                            @if promise.is_overdue(now) { strong { (reader.t("promise-overdue")) } " " }
                            time datetime=(promise.by) { (reader.time(promise.by)) }
                        }
                        td data-label=(label("assignee")) { (summary.ticket.assignee.as_deref().unwrap_or("–")) }
                    }
                } }
            }
        }
    }
}

fn what(reader: &Reader, promise: &Promise) -> String {
    if promise.is_of_call() {
        return reader.t("promise-rings");
    }
    reader.with("promise-what-to", &[("what", &promise.what), ("to", &promise.to)])
}
