//! How a ticket ends: the outcome that a person writes, beside what the alarm does, and how a wrong one is corrected.

use super::forms::action;
use crate::reader::Reader;
use crate::words::{closed, code};
use hub_core::actor::Act;
use hub_core::finding::FindingState;
use hub_core::outcome::{NOTE_LEN_MAX, Outcome, PART_LEN_MAX, Resolution, Verdict};
use hub_core::ticket::{CORRECTION_REASON_LEN_MAX, CORRECTIONS_MAX, Settlement};
use hub_store::ticket::TicketView;
use maud::{Markup, html};
use strum::VariantArray;

/// The end of a closed ticket, and the form that corrects it.
pub(super) fn end(reader: &Reader, view: &TicketView) -> Markup {
    let correction = view.ticket.correction.as_ref();
    html! {
        @if let Some(outcome) = &view.ticket.outcome {
            p { strong { (closed(reader, "resolution", &outcome.resolution)) } }
            @if view.ticket.fault.is_some() { p { (closed(reader, "verdict", &outcome.verdict)) } }
            @if let Some(part) = &outcome.part { p { (reader.with("part-replaced", &[("part", part)])) } }
            @if !outcome.note.is_empty() { blockquote { (outcome.note) } }
            @if let Some(last) = correction {
                p.muted { (reader.with("outcome-corrected", &[("name", &last.by), ("time", &reader.time(last.at)), ("reason", &last.reason)])) }
            }
            @if reader.may(Act::CorrectOutcomes) && correction.is_none_or(|last| last.count < CORRECTIONS_MAX) {
                (correct(reader, view, outcome))
            }
        }
    }
}

fn correct(reader: &Reader, view: &TicketView, outcome: &Outcome) -> Markup {
    let learned = match view.ticket.settlement(outcome) {
        Some(Settlement::Repaired) => Some("correct-hint-repaired"),
        Some(Settlement::FalseAlarm) => Some("correct-hint-false-alarm"),
        Some(Settlement::LeftAsItIs) => Some("correct-hint-left-as-it-is"),
        None => None,
    };
    html! {
        details {
            summary { (reader.t("act-correct")) }
            form method="post" action=(action(view, "correction")) {
                @if let Some(key) = learned { p.muted { (reader.t(key)) } }
                (choices(reader, view, Some(outcome)))
                (part(reader, "correct-part", outcome.part.as_deref().unwrap_or_default()))
                (note(reader, "correct-note", &outcome.note))
                label for="correct-reason" { (reader.t("correct-reason")) }
                input #correct-reason name="reason" required maxlength=(CORRECTION_REASON_LEN_MAX);
                button { (reader.t("act-correct-confirm")) }
            }
        }
    }
}

pub(super) fn false_alarm(reader: &Reader, view: &TicketView) -> Markup {
    html! {
        details {
            summary { (reader.t("act-false-alarm")) }
            form method="post" action=(action(view, "false-alarm")) {
                p.muted { (reader.t("act-false-alarm-hint")) }
                (alarm(reader, view))
                (note(reader, "false-alarm-note", ""))
                button { (reader.t("act-false-alarm-confirm")) }
            }
        }
    }
}

pub(super) fn close(reader: &Reader, view: &TicketView) -> Markup {
    html! {
        details {
            summary { (reader.t("act-close")) }
            form method="post" action=(action(view, "close")) {
                (alarm(reader, view))
                (choices(reader, view, None))
                (part(reader, "close-part", ""))
                (note(reader, "close-note", ""))
                button.primary { (reader.t("act-close-confirm")) }
            }
        }
    }
}

/// Whether the alarm still stands, and whether anything has been read since: what the label should fit.
fn alarm(reader: &Reader, view: &TicketView) -> Markup {
    let newest = |since| view.appliance.last_sample_at.filter(|at| *at > since);
    html! {
        @if let Some(finding) = &view.finding {
            p.summary {
                @match finding.state {
                    FindingState::Open => (reader.with("alarm-stands", &[("time", &reader.time(finding.last_seen))])),
                    FindingState::Cleared => (reader.with("alarm-gone", &[("time", &reader.time(finding.last_seen))])),
                }
                " "
                @match newest(finding.prediction.at) {
                    Some(at) => (reader.with("reading-newest", &[("time", &reader.time(at))])),
                    None => (reader.t("reading-none-since")),
                }
            }
        }
    }
}

/// What was done, and whether the prediction was right: asked only where a fault was found, since everything else says it.
/// Nothing is chosen beforehand but what an outcome says already.
fn choices(reader: &Reader, view: &TicketView, said: Option<&Outcome>) -> Markup {
    let is_predicted = view.ticket.fault.is_some();
    let resolutions = Resolution::VARIANTS.iter();
    let resolutions = resolutions.filter(|one| is_predicted || **one != Resolution::FalseAlarm);
    html! {
        label { (reader.t("close-resolution"))
            select name="resolution" required {
                @if said.is_none() { option value="" selected { (reader.t("choose")) } }
                @for resolution in resolutions {
                    option value=(code(resolution)) selected[said.is_some_and(|said| said.resolution == *resolution)] {
                        (closed(reader, "resolution", resolution))
                    }
                }
            }
        }
        @if !is_predicted { input type="hidden" name="verdict" value=(code(&Verdict::NotChecked)); }
        @else { label.verdict { (reader.t("close-verdict"))
            select name="verdict" {
                option value="" { (reader.t("choose")) }
                @for verdict in [Verdict::Right, Verdict::OtherFault] {
                    option value=(code(&verdict)) selected[said.is_some_and(|said| said.verdict == verdict)] {
                        (closed(reader, "verdict", &verdict))
                    }
                }
            }
        } }
    }
}

/// The part that was replaced: what the next model learns from, beside the verdict.
fn part(reader: &Reader, id: &str, text: &str) -> Markup {
    html! {
        label for=(id) { (reader.t("part")) }
        input id=(id) name="part" maxlength=(PART_LEN_MAX) value=(text);
    }
}

fn note(reader: &Reader, id: &str, text: &str) -> Markup {
    html! {
        label for=(id) { (reader.t("note")) }
        textarea id=(id) name="note" rows="3" maxlength=(NOTE_LEN_MAX) { (text) }
    }
}
