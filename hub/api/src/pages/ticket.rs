//! The page of one ticket: who, why, and what happened and is to be done.

use super::visitor::Visitor;
use super::{story, ticket_acts, ticket_list, who, why};
use crate::error::Result;
use crate::extract::Path;
use crate::reader::Reader;
use crate::words::{closed, hold};
use hub_core::id::TicketId;
use hub_core::ticket::TicketState;
use hub_store::ticket::TicketView;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use uuid::Uuid;

/// Shows the ticket.
pub(crate) async fn page(visitor: Visitor, Path(id): Path<Uuid>) -> Result<Markup> {
    let scope = visitor.session.scope();
    let view = visitor
        .app
        .store()
        .ticket(scope, TicketId(id), visitor.app.now())
        .await?;
    let reader = &visitor.reader;
    let title = format!(
        "#{} {}",
        view.ticket.number,
        reader.word("fault", &view.ticket.fault_class)
    );
    Ok(visitor.page(&title, &render(reader, &view)))
}

pub(super) fn render(reader: &Reader, view: &TicketView) -> Markup {
    let ticket = &view.ticket;
    let watch = format!("ticket:{}", ticket.id);
    html! {
        div.head #head data-live=(watch) {
            p.crumbs { a href="/tickets" { (reader.t("tickets")) } " › #" (ticket.number) }
            h1 { (reader.word("fault", &ticket.fault_class)) }
            p.facts {
                (ticket_list::state(reader, ticket))
                (ticket_list::severity(reader, ticket.severity))
                a href={ "/appliances/" (view.appliance.id) } {
                    (reader.word("family", &view.appliance.profile)) " " (view.appliance.device)
                }
                span.muted {
                    (reader.t("column-opened")) " "
                    time datetime=(ticket.opened_at) { (reader.time(ticket.opened_at)) }
                }
                @if let Some(assignee) = &ticket.assignee {
                    span.muted { (reader.with("assigned-to", &[("name", assignee)])) }
                }
            }
            (summary(reader, view))
        }
        (live_note(reader))
        div.columns {
            section.card #who aria-labelledby="who-title" data-live=(watch) { (who::render(reader, view)) }
            section.card #why aria-labelledby="why-title" data-live=(watch) { (why::render(reader, view)) }
            div.stack {
                section.card #acts aria-labelledby="acts-title" data-live=(watch) { (ticket_acts::render(reader, view)) }
                section.card #story aria-labelledby="story-title" data-live=(watch) { (story::render(reader, view)) }
            }
        }
    }
}

/// What matters most now, in one sentence.
fn summary(reader: &Reader, view: &TicketView) -> Markup {
    let ticket = &view.ticket;
    let sentence = match (ticket.state, ticket.held, &ticket.appointment, &ticket.outcome) {
        (TicketState::Closed, _, _, Some(outcome)) => {
            let values = [
                ("resolution", closed(reader, "resolution", &outcome.resolution)),
                ("verdict", closed(reader, "verdict", &outcome.verdict)),
            ];
            reader.with(
                "summary-closed",
                &values.each_ref().map(|(name, value)| (*name, value.as_str())),
            )
        }
        (TicketState::Appointment, _, Some(visit), _) => {
            let values = [
                ("slot", reader.slot(visit.slot, &zone(reader, view))),
                ("point", point(reader, view, &visit.service_point)),
            ];
            reader.with(
                "summary-appointment",
                &values.each_ref().map(|(name, value)| (*name, value.as_str())),
            )
        }
        (TicketState::Contacting, ..) => reader.t("summary-contacting"),
        (TicketState::ContactPlanned, Some(reason), ..) => {
            let why = hold(reader, reason, view.owner.as_ref());
            let until = ticket.contact_due.map(|at| reader.time(at)).unwrap_or_default();
            reader.with("event-waits", &[("reason", &why), ("until", &until)])
        }
        (TicketState::ContactPlanned, None, ..) => reader.t("summary-planned"),
        (_, Some(reason), ..) => held_sentence(reader, view, reason),
        _ => return html! {},
    };
    html! { p.summary { (sentence) } }
}

/// Why nobody was rung, or what a person has to do now that the owner was reached.
pub(super) fn held_sentence(reader: &Reader, view: &TicketView, reason: hub_core::contact_plan::HoldReason) -> String {
    let why = hold(reader, reason, view.owner.as_ref());
    match reason {
        hub_core::contact_plan::HoldReason::Reached => why,
        _ => reader.with("event-held", &[("reason", &why)]),
    }
}

/// Where the script says that something new is there; empty without it.
pub(super) fn live_note(reader: &Reader) -> Markup {
    html! {
        p #live-note role="status" data-updated=(reader.t("live-updated")) {
            button.quiet #live-show type="button" hidden { (reader.t("live-show")) }
            span #live-text {}
        }
    }
}

/// Zone of the place where a visit happens.
pub(super) fn zone(reader: &Reader, view: &TicketView) -> TimeZone {
    let point = view.service_point.as_ref().map(|point| point.zone.as_str());
    let owner = view.owner.as_ref().map(|owner| owner.zone.as_str());
    point
        .or(owner)
        .and_then(|name| TimeZone::get(name).ok())
        .unwrap_or_else(|| reader.zone.clone())
}

/// A service point's name, if it is the ticket's own.
pub(super) fn point(reader: &Reader, view: &TicketView, id: &str) -> String {
    match &view.service_point {
        Some(point) if point.id == id => point.name.get(reader.language).to_owned(),
        _ => id.to_owned(),
    }
}
