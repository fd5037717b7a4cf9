//! The scores of a family's appliance models, what they would have come to, and the calls that have stopped.

use crate::reader::Reader;
use crate::words::closed;
use hub_api::models_list::ShownModel;
use hub_core::actor::Act;
use hub_core::budget::gate::ALARM;
use hub_core::budget::history::WouldHave;
use hub_core::budget::ledger::{Ledger, ModelEntry, OTHER_MODELS};
use hub_core::budget::level::{Threshold, Thresholds};
use hub_core::budget::surge::{REASON_LEN_MAX, Stop};
use hub_core::id::TenantId;
use hub_words::written::number;
use jiff::Timestamp;
use maud::{Markup, html};

/// An appliance model as people call it.
pub(super) fn name(reader: &Reader, model: &str) -> String {
    match model {
        OTHER_MODELS => reader.t("model-others"),
        model => model.to_owned(),
    }
}

/// One line an appliance model; a sentence where none has scores of its own yet.
pub(super) fn table(reader: &Reader, ledger: &Ledger) -> Markup {
    let label = |column: &str| reader.t(&format!("column-{column}"));
    html! {
        @if ledger.models().is_empty() { p.muted { (reader.t("scores-none")) } }
        @else {
            table.cards {
                thead { tr {
                    @for column in ["model", "model-watched", "ticket-score", "call-score", "would-have"] {
                        th scope="col" { (label(column)) }
                    }
                } }
                tbody {
                    @for (model, entry) in ledger.models() {
                        tr {
                            td data-label=(label("model")) { (name(reader, model)) }
                            td.number data-label=(label("model-watched")) { (entry.watched) }
                            (cells(reader, entry))
                        }
                    }
                }
            }
        }
    }
}

fn cells(reader: &Reader, entry: &ModelEntry) -> Markup {
    let label = |column: &str| reader.t(&format!("column-{column}"));
    let Some(thresholds) = &entry.thresholds else {
        return html! { td colspan="3" { (reader.t("scores-none")) } };
    };
    html! {
        td data-label=(label("ticket-score")) {
            (score(reader, thresholds.tickets))
            span.muted.reason { (closed(reader, "basis", &thresholds.basis)) }
        }
        td data-label=(label("call-score")) {
            @match thresholds.calls {
                Some(calls) => (score(reader, calls)),
                None => (reader.t("score-no-calls")),
            }
        }
        td data-label=(label("would-have")) { (would_have(reader, entry, thresholds)) }
    }
}

fn score(reader: &Reader, threshold: Threshold) -> Markup {
    let (low, high) = threshold.interval;
    let comes_down = threshold.wanted < 0.99 * threshold.in_force;
    html! {
        (number(threshold.in_force.max(ALARM))) " "
        span.muted { (reader.with("score-interval", &[("low", &number(low)), ("high", &number(high))])) }
        @if comes_down {
            span.muted.reason { (reader.with("score-comes-down", &[("wanted", &number(threshold.wanted))])) }
        }
    }
}

fn would_have(reader: &Reader, entry: &ModelEntry, thresholds: &Thresholds) -> Markup {
    let told = |key: &str, would: WouldHave| {
        let all = (would.unconfirmed + would.confirmed).to_string();
        let (wrong, months) = (would.unconfirmed.to_string(), thresholds.device_months.to_string());
        reader.with(key, &[("all", &all), ("false", &wrong), ("months", &months)])
    };
    html! {
        (told("would-open", entry.tickets))
        @if thresholds.calls.is_some() { span.reason { (told("would-call", entry.calls)) } }
    }
}

/// Calls that have stopped: why, and a form for the person who lets them go on.
pub(super) fn stops(reader: &Reader, of: &TenantId, model: &ShownModel, now: Timestamp) -> Markup {
    let entries = model.budget.ledger.models().iter();
    let stopped = entries.filter_map(|(name, entry)| Some((name, entry.breaker.stop()?)));
    html! {
        @for (place, (appliances, stop)) in stopped.enumerate() {
            (stopped_calls(reader, appliances, stop, now))
            @if reader.may(Act::ReleaseCalls) && !stop.is_released(now) {
                (release(reader, of, &model.budget.family, appliances, place))
            }
        }
    }
}

fn stopped_calls(reader: &Reader, model: &str, stop: &Stop, now: Timestamp) -> Markup {
    let values = [
        ("model", name(reader, model)),
        ("time", reader.time(stop.at)),
        ("tickets", stop.tickets.to_string()),
        ("expected", number(stop.expected)),
    ];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    html! {
        p.problem role="status" {
            (reader.with("calls-stopped", &values))
            @if let Some(release) = stop.release.as_ref().filter(|_| stop.is_released(now)) {
                " " (reader.with("calls-released", &[
                    ("by", &release.by), ("until", &reader.time(release.until)), ("reason", &release.reason),
                ]))
            }
        }
    }
}

fn release(reader: &Reader, of: &TenantId, family: &str, model: &str, place: usize) -> Markup {
    let (reason, until) = (
        format!("release-reason-{family}-{place}"),
        format!("release-until-{family}-{place}"),
    );
    html! {
        details {
            summary { (reader.t("release-act")) }
            form method="post" action="/models/release" {
                input type="hidden" name="tenant" value=(of);
                input type="hidden" name="family" value=(family);
                input type="hidden" name="model" value=(model);
                label for=(reason) { (reader.t("release-reason")) }
                input id=(reason) name="reason" required maxlength=(REASON_LEN_MAX);
                label for=(until) { (reader.t("release-until")) }
                input id=(until) type="datetime-local" name="until" required;
                button { (reader.t("release-confirm")) }
            }
        }
    }
}
