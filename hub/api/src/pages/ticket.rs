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
    let actor = visitor.session.actor();
    let view = visitor
        .app
        .store()
        .ticket(actor, TicketId(id), visitor.app.now())
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
    let held = || ticket.held.map(|reason| held_sentence(reader, view, reason));
    let sentences: Vec<String> = match (ticket.state, &ticket.outcome) {
        (TicketState::Closed, Some(outcome)) => {
            let resolution = closed(reader, "resolution", &outcome.resolution);
            let verdict = closed(reader, "verdict", &outcome.verdict);
            vec![reader.with("summary-closed", &[("resolution", &resolution), ("verdict", &verdict)])]
        }
        (TicketState::Closed, None) => vec![],
        (TicketState::Contacting, _) => vec![reader.t("summary-contacting")],
        (TicketState::ContactPlanned, _) => vec![planned(reader, view)],
        // An agreed visit and what a person has to do may both stand: an owner who rings back for another time.
        (TicketState::Appointment, _) => visit(reader, view).into_iter().chain(held()).collect(),
        (TicketState::PersonNeeded, _) => held().into_iter().chain(visit(reader, view)).collect(),
    };
    html! { @for sentence in sentences { p.summary { (sentence) } } }
}

fn planned(reader: &Reader, view: &TicketView) -> String {
    let Some(reason) = view.ticket.held else {
        return reader.t("summary-planned");
    };
    let why = hold(reader, reason, view.owner.as_ref());
    let until = view.ticket.contact_due.map(|at| reader.time(at)).unwrap_or_default();
    reader.with("event-waits", &[("reason", &why), ("until", &until)])
}

fn visit(reader: &Reader, view: &TicketView) -> Option<String> {
    let visit = view.ticket.appointment.as_ref()?;
    let slot = reader.slot(visit.slot, &zone(reader, view));
    let point = point(reader, view, &visit.service_point);
    Some(reader.with("summary-appointment", &[("slot", &slot), ("point", &point)]))
}

/// Why nobody was rung, or what a person has to do now that the owner was reached.
pub(super) fn held_sentence(reader: &Reader, view: &TicketView, reason: hub_core::call_rules::HoldReason) -> String {
    let why = hold(reader, reason, view.owner.as_ref());
    match reason {
        hub_core::call_rules::HoldReason::Reached => why,
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
