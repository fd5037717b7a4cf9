//! What is known of one appliance.

use super::presence::{last_sample, presence};
use super::{baseline, device_agent, normal};
use super::{waiting, watching};
use crate::pages::parts::fact::fact;
use crate::pages::parts::live::live_note;
use crate::pages::parts::ticket_table::table;
use crate::reader::Reader;
use crate::visitor::Visitor;
use crate::words::{closed, code};
use hub_api::error::Result;
use hub_api::extract::Path;
use hub_api::normal_get;
use hub_core::actor::Act;
use hub_core::id::ApplianceId;
use hub_core::outcome::NOTE_LEN_MAX;
use hub_core::reporting::version_told;
use hub_core::ticket::TicketKind;
use hub_core::watching::Watching;
use hub_store::StoreError;
use hub_store::birth::KeptBirth;
use hub_store::device::{CommandView, Unplaced};
use hub_store::page::PAGE_MAX;
use hub_store::reading::Latest;
use hub_store::site::ApplianceView;
use hub_store::ticket::{TicketFilter, TicketSummary};
use hub_words::written::quantity;
use maud::{Markup, html};

/// Commands on an appliance's page: the newest.
const COMMANDS: usize = 10;
/// Characters of a command that are shown.
const COMMAND_SHOWN_MAX: usize = 200;

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
    let waiting = if actor.may(Act::ReadFindings).is_ok() {
        waiting::of(store.findings(actor, None, PAGE_MAX).await?.items, view.id)
    } else {
        Vec::new()
    };
    let (now, id) = (visitor.app.now(), view.id);
    let normal = normal_get::of(&visitor.app, &visitor.session, id).await?;
    let commands = store.commands(actor, id, None, COMMANDS, now).await?.items;
    let agent = match store.birth(actor, id).await? {
        Some(kept) => Some((kept, version_told(&store.device_attributes(actor, id).await?.shared))),
        None => None,
    };
    let learned = store.baseline(actor, id).await?;
    let title = format!("{} {}", visitor.reader.family(&view.profile), view.device);
    let agent = agent.as_ref().map(|(kept, told)| (kept, *told));
    let body = html! {
        (render(&visitor.reader, &view, &unplaced, agent, &latest, &commands, &own))
        (waiting::render(&visitor.reader, &view.profile, &waiting))
        (normal::render(&visitor.reader, &view.profile, &normal))
        (baseline::render(&visitor.reader, &learned, now, &format!("appliance:{id}")))
    };
    Ok(visitor.page(&title, &body))
}

/// `agent` is what its device agent says, with the version of the settings that it is told.
pub(crate) fn render(
    reader: &Reader,
    view: &ApplianceView,
    unplaced: &Unplaced,
    agent: Option<(&KeptBirth, Option<u32>)>,
    latest: &[Latest],
    commands: &[CommandView],
    tickets: &[TicketSummary],
) -> Markup {
    let watch = format!("appliance:{}", view.id);
    let watched = Watching::told(view.watching.clone(), &view.profile, &reader.families);
    html! {
        div.head {
            p.crumbs { a href="/appliances" { (reader.t("nav-appliances")) } " › " (view.device) }
            h1 { (reader.family(&view.profile)) " " (view.device) }
            (live_note(reader))
        }
        section.card #appliance data-live=(watch) {
            dl.facts.wide {
                (fact(&reader.t("column-presence"), &presence(reader, view)))
                (fact(&reader.t("column-last-sample"), &html! { (last_sample(reader, view)) }))
                (watching::render(reader, &view.profile, &watched))
                (fact(&reader.t("column-samples"), &html! { (view.samples) }))
                (health(reader, view, unplaced))
                (fact(&reader.t("owner"), &html! { (view.owner.as_deref().unwrap_or("–")) }))
                (fact(&reader.t("service-point"), &html! { (view.service_point.as_deref().unwrap_or("–")) }))
                (fact(&reader.t("tenant"), &html! { (view.tenant) }))
            }
        }
        @if let Some((kept, told)) = agent { (device_agent::render(reader, kept, told, &watch)) }
        @if !latest.is_empty() { (newest(reader, &view.profile, latest, &watch)) }
        @if !commands.is_empty() { (told(reader, commands)) }
        section #appliance-tickets data-live=(watch) {
            h2 { (reader.t("tickets")) }
            @if tickets.is_empty() { p.muted { (reader.t("tickets-none")) } }
            @else { (table(reader, tickets)) }
        }
        @if reader.may(Act::WorkTickets) { section.card.narrow { (open_ticket(reader, view)) } }
    }
}

fn open_ticket(reader: &Reader, view: &ApplianceView) -> Markup {
    html! {
        details {
            summary { (reader.t("act-open")) }
            form method="post" action={ "/appliances/" (view.id) "/tickets" } {
                label { (reader.t("open-kind"))
                    select name="kind" required {
                        @for kind in TicketKind::reported() {
                            option value=(code(&kind)) { (closed(reader, "kind", &kind)) }
                        }
                    }
                }
                label for="open-note" { (reader.t("open-note")) }
                textarea id="open-note" name="note" rows="3" required maxlength=(NOTE_LEN_MAX) {}
                button.primary { (reader.t("act-open-confirm")) }
            }
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
            @if view.quarantined == 0 || !reader.may(Act::ReadQuarantine) { (view.quarantined) }
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
fn newest(reader: &Reader, profile: &str, latest: &[Latest], watch: &str) -> Markup {
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
                        td data-label=(reader.t("column-channel")) { (reader.channel(profile, &one.channel)) }
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
