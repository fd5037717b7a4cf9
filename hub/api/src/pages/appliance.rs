//! Appliances: the list, and what is known of one.

use super::layout::fact;
use super::visitor::Visitor;
use super::{device_agent, ticket_list};
use crate::error::Result;
use crate::extract::{Path, Query};
use crate::reader::Reader;
use crate::words::{closed, quantity};
use hub_core::id::ApplianceId;
use hub_core::reporting::version_told;
use hub_store::StoreError;
use hub_store::birth::KeptBirth;
use hub_store::desk::{CommandView, Unplaced};
use hub_store::page::{PAGE_MAX, Page};
use hub_store::reading::Latest;
use hub_store::site::ApplianceView;
use hub_store::ticket::{TicketFilter, TicketSummary};
use maud::{Markup, html};
use serde::Deserialize;

/// Appliances on a page.
const ROWS: usize = 50;
/// Commands on an appliance's page: the newest.
const COMMANDS: usize = 10;
/// Characters of a command that are shown.
const COMMAND_SHOWN_MAX: usize = 200;

/// Which page.
#[derive(Deserialize)]
pub(crate) struct ListQuery {
    after: Option<String>,
}

/// Shows a page of the list.
pub(crate) async fn list(visitor: Visitor, Query(query): Query<ListQuery>) -> Result<Markup> {
    let (actor, after) = (visitor.session.actor(), query.after.as_deref());
    let page = visitor.app.store().appliances(actor, after, ROWS).await?;
    let body = render_list(&visitor.reader, &page);
    Ok(visitor.page(&visitor.reader.t("nav-appliances"), &body))
}

fn render_list(reader: &Reader, page: &Page<ApplianceView>) -> Markup {
    let columns = ["appliance", "presence", "last-sample", "samples", "quarantined"];
    let label = |column: &str| reader.t(&format!("column-{column}"));
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
                                    (reader.word("family", &view.profile)) " " (view.device)
                                }
                            }
                            td data-label=(label("presence")) { (presence(reader, view)) }
                            td data-label=(label("last-sample")) { (when(reader, view.last_sample_at)) }
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

/// Shows one.
pub(crate) async fn page(visitor: Visitor, Path(id): Path<i64>) -> Result<Markup> {
    let actor = visitor.session.actor();
    let store = visitor.app.store();
    let view = store.appliance(actor, ApplianceId(id)).await?;
    let newest = store.tickets(actor, &TicketFilter::default(), None, PAGE_MAX).await?;
    let own: Vec<TicketSummary> = newest.items.into_iter().filter(|t| t.appliance.id == view.id).collect();
    let unplaced = store.unplaced(actor, view.id).await?;
    // The page is of use without them, while others look at long histories.
    let latest = match store.latest(actor, view.id).await {
        Err(StoreError::Unavailable(_) | StoreError::Refused(_)) => Vec::new(),
        latest => latest?,
    };
    let (now, id) = (visitor.app.now(), view.id);
    let commands = store.commands(actor, id, None, COMMANDS, now).await?.items;
    let agent = match store.birth(actor, id).await? {
        Some(kept) => Some((kept, version_told(&store.device_attributes(actor, id).await?.shared))),
        None => None,
    };
    let title = format!("{} {}", visitor.reader.word("family", &view.profile), view.device);
    let agent = agent.as_ref().map(|(kept, told)| (kept, *told));
    let body = render(&visitor.reader, &view, &unplaced, agent, &latest, &commands, &own);
    Ok(visitor.page(&title, &body))
}

/// `agent` is what its device agent says, with the version of the settings that it is told.
pub(super) fn render(
    reader: &Reader,
    view: &ApplianceView,
    unplaced: &Unplaced,
    agent: Option<(&KeptBirth, Option<u32>)>,
    latest: &[Latest],
    commands: &[CommandView],
    tickets: &[TicketSummary],
) -> Markup {
    let watch = format!("appliance:{}", view.id);
    html! {
        div.head {
            p.crumbs { a href="/appliances" { (reader.t("nav-appliances")) } " › " (view.device) }
            h1 { (reader.word("family", &view.profile)) " " (view.device) }
            (super::ticket::live_note(reader))
        }
        section.card #appliance data-live=(watch) {
            dl.facts.wide {
                (fact(&reader.t("column-presence"), &presence(reader, view)))
                (fact(&reader.t("column-last-sample"), &html! { (when(reader, view.last_sample_at)) }))
                (fact(&reader.t("column-samples"), &html! { (view.samples) }))
                (health(reader, view, unplaced))
                (fact(&reader.t("owner"), &html! { (view.owner.as_deref().unwrap_or("–")) }))
                (fact(&reader.t("service-point"), &html! { (view.service_point.as_deref().unwrap_or("–")) }))
                (fact(&reader.t("tenant"), &html! { (view.tenant) }))
            }
        }
        @if let Some((kept, told)) = agent { (device_agent::render(reader, kept, told, &watch)) }
        @if !latest.is_empty() { (newest(reader, latest, &watch)) }
        @if !commands.is_empty() { (told(reader, commands)) }
        section #appliance-tickets data-live=(watch) {
            h2 { (reader.t("tickets")) }
            @if tickets.is_empty() { p.muted { (reader.t("tickets-none")) } }
            @else { (ticket_list::table(reader, tickets)) }
        }
    }
}

/// How well its data arrives.
fn health(reader: &Reader, view: &ApplianceView, unplaced: &Unplaced) -> Markup {
    let flagged = |names: &[String]| {
        html! {
            @if names.is_empty() { (reader.t("none")) }
            @else { span.warn { span aria-hidden="true" { "▲" } " " (names.join(&reader.t("list-comma"))) } }
        }
    };
    html! {
        (fact(&reader.t("column-quarantined"), &html! {
            @if view.quarantined == 0 { "0" }
            @else { a href={ "/quarantine?appliance=" (view.id) } { (view.quarantined) } }
        }))
        (fact(&reader.t("gaps"), &html! { (view.gaps) }))
        (fact(&reader.t("dropped"), &html! { (view.dropped) }))
        (fact(&reader.t("repeated"), &html! { (view.repeated) }))
        (fact(&reader.t("unknown-channels"), &flagged(&unplaced.unknown)))
        (fact(&reader.t("out-of-range-channels"), &flagged(&unplaced.out_of_range)))
        (fact(&reader.t("skew"), &html! {
            @match view.skew_ms { Some(ms) => (reader.with("skew-ms", &[("ms", &ms.to_string())])), None => "–" }
        }))
    }
}

/// The newest value of each channel.
fn newest(reader: &Reader, latest: &[Latest], watch: &str) -> Markup {
    html! {
        section #appliance-latest data-live=(watch) {
            h2 { (reader.t("newest-values")) }
            table.cards {
                thead { tr {
                    th scope="col" { (reader.t("column-channel")) }
                    th scope="col" { (reader.t("column-value")) }
                    th scope="col" { (reader.t("column-measured")) }
                } }
                tbody { @for one in latest {
                    tr {
                        td data-label=(reader.t("column-channel")) { (reader.word("channel", &one.channel)) }
                        td data-label=(reader.t("column-value")) { (quantity(one.point.value, &one.unit)) }
                        td data-label=(reader.t("column-measured")) {
                            time datetime=(one.point.at) { (reader.time(one.point.at)) }
                        }
                    }
                } }
            }
        }
    }
}

/// The last commands and what became of them.
fn told(reader: &Reader, commands: &[CommandView]) -> Markup {
    html! {
        section #appliance-commands {
            h2 { (reader.t("commands")) }
            table.cards {
                thead { tr {
                    th scope="col" { (reader.t("column-command")) }
                    th scope="col" { (reader.t("column-state")) }
                    th scope="col" { (reader.t("column-asked-for")) }
                } }
                tbody { @for command in commands {
                    tr {
                        td data-label=(reader.t("column-command")) {
                            code.payload { (command.body.chars().take(COMMAND_SHOWN_MAX).collect::<String>()) }
                        }
                        td data-label=(reader.t("column-state")) { (closed(reader, "command", &command.state)) }
                        td data-label=(reader.t("column-asked-for")) { (reader.time(command.queued_at)) }
                    }
                } }
            }
        }
    }
}

fn presence(reader: &Reader, view: &ApplianceView) -> Markup {
    let (sign, kind, key) = match view.online {
        true => ("●", "good", "online"),
        false => ("○", "muted", "offline"),
    };
    html! {
        span class=(kind) { span aria-hidden="true" { (sign) } " " (reader.t(key)) }
        @if let Some(at) = view.presence_at {
            " " span.muted { (reader.with("presence-since", &[("time", &reader.time(at))])) }
        }
        @if !view.online && !view.presence_reason.is_empty() {
            " " span.muted { (reader.word("presence", &view.presence_reason)) }
        }
    }
}

fn when(reader: &Reader, at: Option<jiff::Timestamp>) -> String {
    at.map_or_else(|| "–".to_owned(), |at| reader.time(at))
}
