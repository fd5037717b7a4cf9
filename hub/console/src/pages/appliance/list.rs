//! The list of appliances.

use super::presence::{last_sample, presence};
use super::watching::mark;
use crate::reader::Reader;
use crate::visitor::Visitor;
use hub_api::error::Result;
use hub_api::extract::Query;
use hub_core::watching::Watching;
use hub_store::page::Page;
use hub_store::site::ApplianceView;
use maud::{Markup, html};
use serde::Deserialize;

/// Appliances on a page.
const ROWS: usize = 50;

/// The page.
#[derive(Deserialize)]
pub(crate) struct ListQuery {
    after: Option<String>,
}

/// Shows a page of the list.
pub(crate) async fn page(visitor: Visitor, Query(query): Query<ListQuery>) -> Result<Markup> {
    let (actor, after) = (visitor.session.actor(), query.after.as_deref());
    let page = visitor.app.store().appliances(actor, after, ROWS).await?;
    let body = render(&visitor.reader, &page);
    Ok(visitor.page(&visitor.reader.t("nav-appliances"), &body))
}

pub(crate) fn render(reader: &Reader, page: &Page<ApplianceView>) -> Markup {
    let columns = [
        "appliance",
        "presence",
        "watch",
        "last-sample",
        "samples",
        "quarantined",
    ];
    let label = |column: &str| reader.t(&format!("column-{column}"));
    let watched = |view: &ApplianceView| Watching::told(view.watching.clone(), &view.profile, &reader.families);
    html! {
        div.head { h1 { (reader.t("nav-appliances")) } }
        @if page.items.is_empty() { p.card.muted { (reader.t("appliances-none")) } }
        @else {
            table.cards {
                thead { tr { @for column in columns { th scope="col" { (label(column)) } } } }
                tbody {
                    @for view in &page.items {
                        tr {
                            td data-label=(label("appliance")) {
                                a.strong href={ "/appliances/" (view.id) } {
                                    (reader.family(&view.profile)) " " (view.device)
                                }
                            }
                            td data-label=(label("presence")) { (presence(reader, view)) }
                            td data-label=(label("watch")) { (mark(reader, &view.profile, &watched(view))) }
                            td data-label=(label("last-sample")) { (last_sample(reader, view)) }
                            td data-label=(label("samples")) { (view.samples) }
                            td data-label=(label("quarantined")) { (view.quarantined) }
                        }
                    }
                }
            }
        }
        nav.paging aria-label=(reader.t("paging")) {
            @if let Some(next) = &page.next {
                a.button href={ "/appliances?after=" (next) } { (reader.t("paging-next")) }
            }
        }
    }
}
