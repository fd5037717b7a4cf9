//! What happened: every event of the ticket in words, and the record of every call.

use super::call_record;
use crate::pages::parts::attempt::line;
use crate::pages::parts::held::held_sentence;
use crate::pages::parts::visit::{point, zone};
use crate::reader::Reader;
use crate::words::{closed, hold};
use hub_core::appointment::AppointmentEvent;
use hub_core::call_result::Disposition;
use hub_core::outcome::Outcome;
use hub_core::ticket::{HUB, Settlement, TicketEvent};
use hub_store::ticket::{TicketView, TimelineEntry};
use jiff::Timestamp;
use maud::{Markup, html};

pub(crate) fn render(reader: &Reader, view: &TicketView) -> Markup {
    html! {
        h2 #story-title { (reader.t("story")) }
        ol.timeline {
            @for (n, entry) in view.timeline.iter().enumerate().rev() {
                li {
                    p.when {
                        time datetime=(entry.at) { (reader.time(entry.at)) }
                        " · " (actor(reader, &entry.actor))
                    }
                    p { (sentence(reader, view, &view.timeline[..n], entry)) }
                }
            }
        }
        @if !view.attempts.is_empty() {
            h3 { (reader.t("calls")) }
            @for attempt in view.attempts.iter().rev() {
                details.call {
                    summary { (line(reader, attempt)) }
                    (call_record::render(reader, attempt))
                }
            }
        }
    }
}

fn actor(reader: &Reader, actor: &str) -> String {
    if actor == HUB {
        reader.t("actor-hub")
    } else {
        actor.to_owned()
    }
}

/// One event in words; `before` is what happened until then.
pub(crate) fn sentence(reader: &Reader, view: &TicketView, before: &[TimelineEntry], entry: &TimelineEntry) -> String {
    match &entry.event {
        TicketEvent::Opened { .. } => reader.t("event-opened"),
        TicketEvent::Reported { kind, note } => {
            let kind = closed(reader, "kind", kind);
            reader.with("event-reported", &[("kind", &kind), ("note", note)])
        }
        TicketEvent::FindingGrew {
            fault_class,
            probability,
            ..
        } => {
            let fault = reader.fault(&view.appliance.profile, fault_class);
            let percent = reader.percent(f64::from(*probability));
            reader.with("event-finding-grew", &[("fault", &fault), ("percent", &percent)])
        }
        TicketEvent::FindingCleared => reader.t("event-finding-cleared"),
        TicketEvent::Waits { until, reason } => {
            let why = hold(reader, *reason, view.owner.as_ref());
            reader.with("event-waits", &[("reason", &why), ("until", &reader.time(*until))])
        }
        TicketEvent::Held { reason } => held_sentence(reader, view, *reason),
        TicketEvent::AttemptStarted { inbound: true, .. } => reader.t("event-attempt-inbound"),
        TicketEvent::AttemptStarted { inbound: false, .. } => reader.t("event-attempt-outbound"),
        TicketEvent::RangIn => reader.t("event-rang-in"),
        TicketEvent::NamedByCaller { rings_by } => {
            reader.with("event-named-by-caller", &[("by", &reader.time(*rings_by))])
        }
        TicketEvent::Chose {
            disposition,
            slot,
            rings_by,
            ..
        } => match (disposition, slot) {
            (Disposition::AppointmentBooked, Some(slot)) => {
                let slot = reader.slot(*slot, &zone(reader, view));
                reader.with("event-chose-slot", &[("slot", &slot)])
            }
            (disposition, _) => chose(reader, *disposition, *rings_by),
        },
        TicketEvent::AttemptEnded { result, .. } => {
            let result = closed(reader, "result", result);
            reader.with("event-attempt-ended", &[("result", &result)])
        }
        TicketEvent::Taken => reader.t("event-taken"),
        TicketEvent::StatusSet { label } => {
            let name = view.labels.name(label);
            reader.with("event-status-set", &[("label", name.get(reader.language))])
        }
        TicketEvent::Noted { text } => reader.with("event-noted", &[("text", text)]),
        TicketEvent::Promised { what, to, by } => {
            let by = reader.time(*by);
            reader.with("promise-stands", &[("what", what), ("to", to), ("by", &by)])
        }
        TicketEvent::PromiseKept { of_call, .. } => match promised(reader, before, *of_call) {
            Some(promise) => reader.with("event-promise-kept-of", &[("promise", &promise)]),
            None => reader.t("event-promise-kept"),
        },
        TicketEvent::PromiseReleased { reason, .. } if reason.is_empty() => reader.t("event-promise-over"),
        TicketEvent::PromiseReleased { reason, of_call, .. } => match promised(reader, before, *of_call) {
            Some(promise) => reader.with(
                "event-promise-released-of",
                &[("promise", &promise), ("reason", reason)],
            ),
            None => reader.with("event-promise-released", &[("reason", reason)]),
        },
        TicketEvent::CallRequested => reader.t("event-call-requested"),
        TicketEvent::CallApproved => reader.t("event-call-approved"),
        TicketEvent::CallRefused { reason } => reader.with("event-call-refused", &[("reason", reason)]),
        TicketEvent::Booked { slot, service_point } => {
            let slot = reader.slot(*slot, &zone(reader, view));
            let point = point(reader, view, service_point);
            reader.with("event-booked", &[("slot", &slot), ("point", &point)])
        }
        TicketEvent::Visit(event) => visit(reader, view, event),
        TicketEvent::Closed { outcome } => ended(reader, view, outcome),
        TicketEvent::Corrected { outcome, reason } => corrected(reader, view, before, outcome, reason),
    }
}

/// What was promised, of the promise of a call or of a person; nothing where it is not said which is meant.
fn promised(reader: &Reader, before: &[TimelineEntry], of_call: Option<bool>) -> Option<String> {
    if of_call? {
        return Some(reader.t("promise-rings"));
    }
    // A person's promise takes the place of the one before: the last stood.
    let last = before.iter().rev().find_map(|line| match &line.event {
        TicketEvent::Promised { what, to, .. } => Some(reader.with("promise-what-to", &[("what", what), ("to", to)])),
        _ => None,
    });
    // The newest lines alone are shown: that one may not be among them.
    Some(last.unwrap_or_else(|| reader.t("promise-of-person")))
}

/// A key that books nothing, and by when a person rings who was promised for it.
fn chose(reader: &Reader, disposition: Disposition, rings_by: Option<Timestamp>) -> String {
    let chose = closed(reader, "event-chose", &disposition);
    let Some(by) = rings_by else { return chose };
    let promised = reader.with("event-promised", &[("by", &reader.time(by))]);
    reader.with("sentences", &[("first", &chose), ("second", &promised)])
}

pub(super) fn ended(reader: &Reader, view: &TicketView, outcome: &Outcome) -> String {
    reader.with("summary-closed", &[("outcome", &in_words(reader, view, outcome))])
}

/// What was done, and whether the prediction was right where there was one.
fn in_words(reader: &Reader, view: &TicketView, outcome: &Outcome) -> String {
    let resolution = closed(reader, "resolution", &outcome.resolution);
    if view.ticket.fault.is_none() {
        return resolution;
    }
    let verdict = closed(reader, "verdict", &outcome.verdict);
    reader.with("outcome-judged", &[("resolution", &resolution), ("verdict", &verdict)])
}

/// What the outcome was, what it is, why, and what cannot be taken back.
fn corrected(reader: &Reader, view: &TicketView, before: &[TimelineEntry], outcome: &Outcome, reason: &str) -> String {
    let is = in_words(reader, view, outcome);
    let last = before.iter().rev().find_map(|line| match &line.event {
        TicketEvent::Closed { outcome } | TicketEvent::Corrected { outcome, .. } => Some(outcome),
        _ => None,
    });
    // The newest lines alone are shown: the one before may not be among them.
    let Some(last) = last else {
        return reader.with("event-corrected-to", &[("is", &is), ("reason", reason)]);
    };
    let was = in_words(reader, view, last);
    let said = reader.with("event-corrected", &[("was", &was), ("is", &is), ("reason", reason)]);
    let repaired = |outcome| view.ticket.settlement(outcome) == Some(Settlement::Repaired);
    if repaired(last) && !repaired(outcome) {
        return format!("{said} {}", reader.t("event-corrected-baseline"));
    }
    said
}

fn visit(reader: &Reader, view: &TicketView, event: &AppointmentEvent) -> String {
    match event {
        AppointmentEvent::Confirmed => reader.t("event-visit-confirmed"),
        AppointmentEvent::Moved { slot } => {
            let slot = reader.slot(*slot, &zone(reader, view));
            reader.with("event-visit-moved", &[("slot", &slot)])
        }
        AppointmentEvent::Cancelled { by, reason } => {
            let by = closed(reader, "cancelled-by", by);
            if reason.is_empty() {
                reader.with("event-visit-cancelled", &[("by", &by)])
            } else {
                reader.with("event-visit-cancelled-reason", &[("by", &by), ("reason", reason)])
            }
        }
        AppointmentEvent::EnRoute => reader.t("event-visit-en-route"),
        AppointmentEvent::Done => reader.t("event-visit-done"),
        AppointmentEvent::NoShow => reader.t("event-visit-no-show"),
    }
}
