//! A call that is ready to ring: a button approves it, a form refuses it with a reason. Where the script runs, each has a key.

use super::forms::action;
use crate::reader::Reader;
use crate::words::hold;
use hub_core::call_rules::{HoldReason, never_rung};
use hub_core::contact::ContactPhase;
use hub_core::ticket::REFUSAL_LEN_MAX;
use hub_store::ticket::TicketView;
use maud::{Markup, html};

/// Why no call to the owner can be placed, no matter who asks for it.
pub(super) fn impossible(view: &TicketView) -> Option<HoldReason> {
    match &view.owner {
        _ if view.ticket.fault.is_none() => Some(HoldReason::NothingToSay),
        None => Some(HoldReason::NoOwner),
        Some(owner) => never_rung(owner.phone.is_some(), owner.do_not_call, owner.consent),
    }
}

/// What a person may decide about the call; nothing where none waits. `back` is the page that shows it, or empty for the ticket's own.
pub(super) fn render(reader: &Reader, view: &TicketView, back: &str) -> Markup {
    let contact = &view.ticket.contact;
    let waits = contact.waits_for_approval();
    let held_for = |reason| contact.phase == ContactPhase::Held && contact.reason == Some(reason);
    let was_refused = held_for(HoldReason::CallRefused);
    let goes_out_later = contact.phase == ContactPhase::Planned || held_for(HoldReason::Surge);
    html! {
        @if waits || was_refused { (approve(reader, view, back)) }
        @if waits || goes_out_later { (refuse(reader, view, back)) }
    }
}

fn approve(reader: &Reader, view: &TicketView, back: &str) -> Markup {
    let refusal = impossible(view);
    html! {
        form method="post" action=(action(view, "call/approve")) {
            input type="hidden" name="back" value=(back);
            button.primary data-key="a" aria-keyshortcuts="a" disabled[refusal.is_some()] { (reader.t("act-approve")) }
            @if let Some(reason) = refusal {
                p.muted { (reader.with("act-call-refused", &[("reason", &hold(reader, reason, view.owner.as_ref()))])) }
            } @else { p.muted { (reader.t("act-approve-hint")) } }
        }
    }
}

fn refuse(reader: &Reader, view: &TicketView, back: &str) -> Markup {
    html! {
        details data-key="r" {
            summary aria-keyshortcuts="r" { (reader.t("act-refuse")) }
            form method="post" action=(action(view, "call/refuse")) {
                input type="hidden" name="back" value=(back);
                label { (reader.t("refuse-reason"))
                    input name="reason" required maxlength=(REFUSAL_LEN_MAX); }
                p.muted { (reader.t("act-refuse-hint")) }
                button { (reader.t("act-refuse-confirm")) }
            }
        }
    }
}
