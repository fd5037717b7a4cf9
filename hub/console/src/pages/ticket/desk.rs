//! What a person writes on a ticket: its label, notes and promises.

use super::forms::action;
use crate::reader::Reader;
use hub_core::actor::Act;
use hub_core::outcome::NOTE_LEN_MAX;
use hub_core::ticket::{PROMISE_LEN_MAX, PROMISED_TO_LEN_MAX, Promise, RELEASE_LEN_MAX, TicketCategory, TicketLabel};
use hub_store::ticket::TicketView;
use maud::{Markup, html};

pub(super) fn render(reader: &Reader, view: &TicketView) -> Markup {
    let works = reader.may(Act::WorkTickets);
    html! {
        @if works { (status(reader, view)) }
        @if reader.may(Act::NoteTickets) { (note(reader, view)) }
        @if works { (promise(reader, view)) }
    }
}

/// A promise that still stands, in a sentence.
pub(super) fn promised(reader: &Reader, promise: &Promise) -> String {
    let by = reader.time(promise.by);
    if promise.is_of_call() {
        return reader.with("promise-of-call", &[("by", &by)]);
    }
    reader.with(
        "promise-stands",
        &[("what", &promise.what), ("to", &promise.to), ("by", &by)],
    )
}

fn status(reader: &Reader, view: &TicketView) -> Markup {
    let can_be_set = |label: &&TicketLabel| label.category != TicketCategory::Resolved;
    html! {
        details {
            summary { (reader.t("act-status")) }
            form method="post" action=(action(view, "status")) {
                label { (reader.t("status-label"))
                    select name="label" required {
                        @for label in view.labels.all().iter().filter(can_be_set) {
                            option value=(label.id) selected[label.id == view.ticket.status.label] {
                                (label.name.get(reader.language))
                            }
                        }
                    }
                }
                button { (reader.t("act-status-confirm")) }
            }
        }
    }
}

fn note(reader: &Reader, view: &TicketView) -> Markup {
    html! {
        details {
            summary { (reader.t("act-note")) }
            form method="post" action=(action(view, "note")) {
                label for="note-text" { (reader.t("note")) }
                textarea id="note-text" name="text" rows="3" required maxlength=(NOTE_LEN_MAX) {}
                button { (reader.t("act-note-confirm")) }
            }
        }
    }
}

fn promise(reader: &Reader, view: &TicketView) -> Markup {
    html! {
        @for promise in view.ticket.promises() {
            form method="post" action=(action(view, "promise-kept")) {
                p { (promised(reader, promise)) }
                input type="hidden" name="by" value=(promise.by);
                input type="hidden" name="of_call" value=(promise.is_of_call());
                button { (reader.t("act-promise-kept")) }
            }
            details {
                summary { (reader.t("act-promise-release")) }
                form method="post" action=(action(view, "promise-released")) {
                    input type="hidden" name="by" value=(promise.by);
                    input type="hidden" name="of_call" value=(promise.is_of_call());
                    label { (reader.t("promise-release-reason"))
                        input name="reason" required maxlength=(RELEASE_LEN_MAX); }
                    button { (reader.t("act-promise-release-confirm")) }
                }
            }
        }
        details {
            summary { (reader.t("act-promise")) }
            form method="post" action=(action(view, "promise")) {
                label { (reader.t("promise-what"))
                    input name="what" required maxlength=(PROMISE_LEN_MAX); }
                label { (reader.t("promise-to"))
                    input name="to" required maxlength=(PROMISED_TO_LEN_MAX)
                        value=(view.owner.as_ref().map_or("", |owner| owner.name.as_str())); }
                label { (reader.t("promise-by"))
                    input name="by" type="datetime-local" required; }
                button { (reader.t("act-promise-confirm")) }
            }
        }
    }
}
