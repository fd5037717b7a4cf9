//! What a person can do with a ticket.

use super::forms::action;
use super::{approval, desk, outcome};
use crate::pages::parts::visit::{point, zone};
use crate::reader::Reader;
use crate::words::{closed, code, hold};
use hub_core::actor::Act;
use hub_core::appointment::{CancelledBy, REASON_LEN_MAX};

use hub_core::contact::ContactPhase;
use hub_store::ticket::TicketView;
use maud::{Markup, html};

pub(crate) fn render(reader: &Reader, view: &TicketView) -> Markup {
    html! {
        h2 #acts-title { (reader.t("acts")) }
        @if view.ticket.is_closed() { (outcome::end(reader, view)) }
        @else if !reader.may(Act::NoteTickets) { p.muted { (reader.t("acts-none")) } }
        @else if view.ticket.contact.phase == ContactPhase::InCall {
            p { (reader.t("acts-in-call")) }
            @if view.ticket.standing_visit().is_some() { (attend(reader, view)) }
            (desk::render(reader, view))
        } @else {
            @if reader.may(Act::WorkTickets) {
                div.acts { (approval::render(reader, view, "")) (take(reader, view)) (call(reader, view)) (book(reader, view)) }
            }
            @if view.ticket.standing_visit().is_some() { (visit(reader, view)) }
            (desk::render(reader, view))
            @if reader.may(Act::CloseTickets) { (close(reader, view)) }
        }
    }
}

fn close(reader: &Reader, view: &TicketView) -> Markup {
    html! {
        @if view.ticket.fault.is_some() { (outcome::false_alarm(reader, view)) }
        (outcome::close(reader, view))
    }
}

fn take(reader: &Reader, view: &TicketView) -> Markup {
    html! { form method="post" action=(action(view, "take")) { button { (reader.t("act-take")) } } }
}

/// The button stays in place when it is of no use, with the reason beside it.
fn call(reader: &Reader, view: &TicketView) -> Markup {
    let refusal = approval::impossible(view);
    html! {
        form method="post" action=(action(view, "call")) {
            button.primary disabled[refusal.is_some()] aria-describedby=[refusal.map(|_| "call-refusal")] {
                (reader.t("act-call"))
            }
            @if let Some(reason) = refusal {
                @let why = hold(reader, reason, view.owner.as_ref());
                p.muted #call-refusal { (reader.with("act-call-refused", &[("reason", &why)])) }
            }
            @else if view.ticket.contact.requested_by.is_some() { p.muted { (reader.t("act-call-requested")) } }
        }
    }
}

fn book(reader: &Reader, view: &TicketView) -> Markup {
    html! {
        @match (view.next_slot, &view.service_point) {
            (Some(slot), Some(service)) => {
                form method="post" action=(action(view, "book")) {
                    input type="hidden" name="start" value=(slot.start);
                    button { (reader.t("act-book")) }
                    p.muted { (reader.slot(slot, &zone(reader, view))) (reader.t("comma")) (point(reader, view, &service.id)) }
                }
            },
            _ => p.muted { (reader.t("act-book-none")) },
        }
    }
}

/// How a visit goes: the technician says it, also beside a call.
fn attend(reader: &Reader, view: &TicketView) -> Markup {
    html! {
        @if reader.may(Act::AttendVisits) {
            h3 { (reader.t("visit")) }
            div.acts {
                @for event in ["en_route", "done", "no_show"] {
                    form method="post" action=(action(view, "appointment")) {
                        input type="hidden" name="event" value=(event);
                        button { (closed(reader, "act-visit", &event)) }
                    }
                }
            }
        }
    }
}

/// What became of the visit: a button each for the technician's words, and a form for calling it off.
fn visit(reader: &Reader, view: &TicketView) -> Markup {
    html! {
        (attend(reader, view))
        @if reader.may(Act::WorkTickets) { (cancel(reader, view)) }
    }
}

fn cancel(reader: &Reader, view: &TicketView) -> Markup {
    html! {
        details {
            summary { (reader.t("act-visit-cancel")) }
            form method="post" action=(action(view, "appointment")) {
                input type="hidden" name="event" value="cancelled";
                label { (reader.t("visit-cancelled-by"))
                    select name="by" required {
                        @for by in [CancelledBy::Owner, CancelledBy::ServiceDesk] {
                            option value=(code(&by)) { (closed(reader, "cancelled-by", &by)) }
                        }
                    }
                }
                label for="visit-reason" { (reader.t("visit-reason")) }
                input #visit-reason name="reason" maxlength=(REASON_LEN_MAX);
                button { (reader.t("act-visit-cancel-confirm")) }
            }
        }
    }
}
