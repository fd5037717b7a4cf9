//! What counts as normal for an appliance, on its page.

use crate::pages::parts::fact::fact;
use crate::reader::Reader;
use crate::words::closed;
use hub_core::normal::{Counted, LearnedNormal, LeftOut, NoNormal, Normal, NormalFeature, NormalStage};
use hub_words::written::{number, quantity};
use maud::{Markup, html};

/// Columns of a feature, beside its name.
const COLUMNS: [&str; 5] = ["normal-now", "normal-first", "harmless", "average", "away"];

/// What is known, or why nothing is.
pub(crate) fn render(reader: &Reader, profile: &str, told: &Result<LearnedNormal, NoNormal>) -> Markup {
    html! {
        section.card #appliance-normal {
            h2 { (reader.t("normal")) }
            @match told {
                Ok(baseline) => (known(reader, profile, baseline)),
                Err(why) => { p.muted { (closed(reader, "normal-unknown", why)) } }
            }
        }
    }
}

fn known(reader: &Reader, profile: &str, baseline: &LearnedNormal) -> Markup {
    html! {
        p.muted { (reader.with("normal-as-of", &[("time", &reader.time(baseline.as_of))])) }
        dl.facts.wide {
            (fact(&reader.t("normal-model"), &html! { (baseline.model) }))
            (fact(&reader.t("normal-learned"), &learned(reader, profile, baseline)))
            @if let Some(at) = baseline.watched_since {
                (fact(&reader.t("normal-watched-since"), &html! { time datetime=(at) { (reader.time(at)) } }))
            }
            @if let Some(steps) = baseline.compared { (fact(&reader.t("normal-compared"), &html! { (steps) })) }
        }
        @if !baseline.features.is_empty() { (table(reader, profile, &baseline.features)) }
    }
}

/// From how much the normal was learned, or how far that has come and what holds it up.
fn learned(reader: &Reader, profile: &str, baseline: &LearnedNormal) -> Markup {
    let of = counted(reader, baseline);
    let warn = |text: &str| html! { p.warn { span aria-hidden="true" { "▲" } " " (text) } };
    html! {
        @match baseline.stage {
            NormalStage::Calibrated => (of),
            NormalStage::Calibrating | NormalStage::CannotCalibrate => {
                (reader.with("normal-learning", &[("done", &baseline.calibrated.to_string()), ("of", &of)]))
            }
        }
        @if baseline.stage == NormalStage::CannotCalibrate { (warn(&reader.t("normal-cannot-calibrate"))) }
        @if let Some(feature) = &baseline.refused_by {
            (warn(&reader.with("watch-unsteady", &[("channel", reader.feature(profile, feature))])))
        }
    }
}

/// How much is needed: `42 programme runs`.
fn counted(reader: &Reader, baseline: &LearnedNormal) -> String {
    let count = baseline.calibration.to_string();
    let length = length(reader, baseline.period_s.unwrap_or_default());
    let (key, values) = match baseline.counted {
        Counted::Readings => ("normal-readings", vec![("count", count.as_str())]),
        Counted::Runs => ("normal-runs", vec![("count", count.as_str())]),
        Counted::Periods => (
            "normal-periods",
            vec![("count", count.as_str()), ("length", length.as_str())],
        ),
    };
    reader.with(key, &values)
}

/// A period of the clock: in hours, where these are whole.
fn length(reader: &Reader, seconds: f64) -> String {
    let hours = seconds / 3_600.0;
    if hours >= 1.0 && hours.fract() == 0.0 {
        reader.with("span-hours", &[("hours", &hours.to_string())])
    } else {
        reader.span((seconds * 1_000.0) as u64)
    }
}

fn table(reader: &Reader, profile: &str, features: &[NormalFeature]) -> Markup {
    html! {
        table.cards {
            thead { tr {
                th scope="col" { (reader.t("column-feature")) }
                @for column in COLUMNS { th scope="col" { (label(reader, column)) } }
            } }
            tbody { @for feature in features {
                tr {
                    td data-label=(reader.t("column-feature")) { (reader.feature(profile, &feature.name)) }
                    @match &feature.normal {
                        Some(normal) => (cells(reader, feature, normal)),
                        None => {
                            td colspan=(COLUMNS.len()) {
                                @if let Some(why) = feature.left_out { (left_out(reader, why)) }
                            }
                        }
                    }
                }
            } }
        }
    }
}

fn label(reader: &Reader, column: &str) -> String {
    reader.t(&format!("column-{column}"))
}

fn cells(reader: &Reader, feature: &NormalFeature, normal: &Normal) -> Markup {
    let [now, first, harmless, average, away] = COLUMNS.map(|column| label(reader, column));
    let in_unit = |value: f64| quantity(value, &feature.unit);
    let spread = |value: f64| match normal.by_ratio {
        true => quantity(100.0 * value, "%"),
        false => in_unit(value),
    };
    html! {
        td data-label=(now) { (in_unit(normal.now)) }
        td data-label=(first) { @match normal.first { Some(first) => (in_unit(first)), None => "–" } }
        td data-label=(harmless) {
            "± " (spread(normal.harmless)) " "
            span.muted { (reader.with("normal-floor", &[("floor", &spread(normal.floor))])) }
        }
        td data-label=(average) { (in_unit(normal.average)) }
        td data-label=(away) {
            @match feature.left_out {
                Some(why) => (left_out(reader, why)),
                None => {
                    (signed(normal.deviation))
                    @if let Some(from_first) = normal.deviation_from_first {
                        " " span.muted { (reader.with("normal-from-first", &[("away", &signed(from_first))])) }
                    }
                }
            }
        }
    }
}

/// Why a feature is not compared: a warning where that is a sensor's fault.
fn left_out(reader: &Reader, why: LeftOut) -> Markup {
    let said = closed(reader, "left-out", &why);
    match why {
        LeftOut::Silent | LeftOut::Stuck => html! { span.warn { span aria-hidden="true" { "▲" } " " (said) } },
        LeftOut::NotCalibrated | LeftOut::Condition => html! { span.muted { (said) } },
    }
}

fn signed(value: f64) -> String {
    let said = number(value);
    if value > 0.0 { format!("+{said}") } else { said }
}
