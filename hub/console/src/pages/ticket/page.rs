//! The page of one ticket: who, why, and what happened and is to be done.

use super::{acts, desk, story, who, why};
use crate::pages::parts::badge::{about, severity, state};
use crate::pages::parts::held::held_sentence;
use crate::pages::parts::live::live_note;
use crate::pages::parts::visit::{point, zone};
use crate::reader::Reader;
use crate::visitor::Visitor;
use crate::words::{code, hold};
use hub_api::error::Result;
use hub_api::extract::Path;
use hub_core::contact::ContactPhase;
use hub_core::id::TicketId;
use hub_store::ticket::TicketView;
use maud::{Markup, html};
use std::iter::once;
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
        about(reader, &view.appliance.profile, &view.ticket)
    );
    Ok(visitor.page(&title, &render(reader, &view)))
}

pub(crate) fn render(reader: &Reader, view: &TicketView) -> Markup {
    let ticket = &view.ticket;
    let watch = format!("ticket:{}", ticket.id);
    html! {
        div.head #head data-live=(watch) {
            p.crumbs { a href="/tickets" { (reader.t("tickets")) } " › #" (ticket.number) }
            h1 { (about(reader, &view.appliance.profile, ticket)) }
            p.facts {
                (state(reader, ticket, &view.labels.name(&ticket.status.label)))
                @if let Some(fault) = &ticket.fault { (severity(reader, fault.severity)) }
                a href={ "/appliances/" (view.appliance.id) } {
                    (reader.family(&view.appliance.profile)) " " (view.appliance.device)
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
            @for promise in ticket.promises().filter(|_| !ticket.is_closed()) { p.summary { (desk::promised(reader, promise)) } }
        }
        (live_note(reader))
        div.columns {
            section.card #who aria-labelledby="who-title" data-live=(watch) { (who::render(reader, view)) }
            section.card #why aria-labelledby="why-title" data-live=(watch) { (why::render(reader, view)) }
            div.stack {
                section.card #acts aria-labelledby="acts-title" data-live=(watch) { (acts::render(reader, view)) }
                section.card #story aria-labelledby="story-title" data-live=(watch) { (story::render(reader, view)) }
            }
        }
    }
}

/// What matters most now, in one sentence.
fn summary(reader: &Reader, view: &TicketView) -> Markup {
    let ticket = &view.ticket;
    let held = || ticket.contact.reason.map(|reason| held_sentence(reader, view, reason));
    let sentences: Vec<String> = match (&ticket.outcome, ticket.contact.phase) {
        (Some(outcome), _) => {
            vec![story::ended(reader, view, outcome)]
        }
        (None, ContactPhase::InCall) => once(reader.t("summary-contacting"))
            .chain(visit(reader, view))
            .collect(),
        (None, ContactPhase::Planned) => once(planned(reader, view)).chain(visit(reader, view)).collect(),
        // An agreed visit and what a person has to do may both stand: an owner who rings back for another time.
        (None, ContactPhase::Done) => visit(reader, view).into_iter().chain(held()).collect(),
        (None, ContactPhase::Held) => held().into_iter().chain(visit(reader, view)).collect(),
    };
    html! { @for sentence in sentences { p.summary { (sentence) } } }
}

fn planned(reader: &Reader, view: &TicketView) -> String {
    let Some(reason) = view.ticket.contact.reason else {
        return reader.t("summary-planned");
    };
    let why = hold(reader, reason, view.owner.as_ref());
    let until = view.ticket.contact.due.map(|at| reader.time(at)).unwrap_or_default();
    reader.with("event-waits", &[("reason", &why), ("until", &until)])
}

fn visit(reader: &Reader, view: &TicketView) -> Option<String> {
    let visit = view.ticket.appointment.as_ref()?;
    let slot = reader.slot(visit.slot, &zone(reader, view));
    let point = point(reader, view, &visit.service_point);
    let key = format!("summary-visit-{}", code(&visit.state).replace('_', "-"));
    Some(reader.with(&key, &[("slot", &slot), ("point", &point)]))
}
