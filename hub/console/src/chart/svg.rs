//! The drawing itself.

use super::data::PanelData;
use super::panel::{Panel, lay_out};
use super::scale::{Scale, time_marks};
use crate::reader::Reader;
use hub_core::prediction::Evidence;
use hub_words::written::number;
use jiff::Timestamp;
use maud::{Markup, html};
use std::fmt::Write;

/// Width of the drawing in its own units.
const WIDTH: f64 = 560.0;
/// Room for the marks at the left.
const LEFT: f64 = 52.0;
/// Room at the right, so that the last label fits.
const RIGHT: f64 = 14.0;
/// Height of a caption with the gap above it.
const CAPTION: f64 = 37.0;
/// Height of a plot.
const PLOT: f64 = 78.0;
/// Room for the times below.
const BELOW: f64 = 28.0;

/// Draws the panels above each other on one axis of time.
pub(super) fn draw(reader: &Reader, evidence: &Evidence, panels: &[PanelData]) -> Markup {
    let times = time_scale(evidence);
    let xs: Vec<f64> = evidence.points.iter().map(|p| x(&times, p.at)).collect();
    let laid: Vec<Panel> = (0u16..)
        .zip(panels)
        .map(|(n, data)| lay_out(data, &xs, f64::from(n) * (CAPTION + PLOT) + CAPTION, PLOT))
        .collect();
    let end = laid.last().map_or(0.0, |panel| panel.bottom);
    let span_from = x(&times, evidence.anomalous_since).clamp(LEFT, WIDTH - RIGHT);
    html! {
        svg.chart viewBox={ "0 0 " (WIDTH) " " (end + BELOW) } role="img" aria-labelledby="chart-title chart-desc" {
            title #chart-title { (reader.t("chart-title")) }
            desc #chart-desc { (description(reader, evidence)) }
            @for (panel, data) in laid.iter().zip(panels) {
                (plot(panel, data, span_from))
            }
            @for (at, label) in first_and_last(evidence).map(|(from, to)| time_marks(reader, from, to)).unwrap_or_default() {
                @let x = x(&times, at);
                line.chart-tick x1=(p(x)) x2=(p(x)) y1=(p(end)) y2=(p(end + 4.0)) {}
                text.chart-label x=(p(x)) y=(p(end + 19.0)) text-anchor="middle" { (label) }
            }
        }
    }
}

fn plot(panel: &Panel, data: &PanelData, span_from: f64) -> Markup {
    let right = WIDTH - RIGHT;
    let height = panel.bottom - panel.top;
    html! {
        text.chart-caption x="0" y=(p(panel.top - 9.0)) { (data.caption) }
        rect.chart-span x=(p(span_from)) y=(p(panel.top)) width=(p(right - span_from)) height=(p(height)) {}
        @if let Some((upper, lower)) = panel.band {
            rect.chart-band x=(p(LEFT)) y=(p(upper)) width=(p(right - LEFT)) height=(p((lower - upper).max(1.0))) {}
        }
        @for (y, value) in &panel.marks {
            line.chart-grid x1=(p(LEFT)) x2=(p(right)) y1=(p(*y)) y2=(p(*y)) {}
            text.chart-label x=(p(LEFT - 7.0)) y=(p(y + 4.0)) text-anchor="end" { (number(*value)) }
        }
        @if let Some(y) = panel.threshold {
            line.chart-threshold x1=(p(LEFT)) x2=(p(right)) y1=(p(y)) y2=(p(y)) {}
        }
        line.chart-axis x1=(p(LEFT)) x2=(p(right)) y1=(p(panel.bottom)) y2=(p(panel.bottom)) {}
        @for line in &panel.lines {
            polyline.chart-line points=(points(line)) {}
        }
    }
}

fn points(line: &[(f64, f64)]) -> String {
    let mut text = String::with_capacity(line.len() * 12);
    for (x, y) in line {
        // Writing into a String cannot fail.
        let _ = write!(text, "{x:.1},{y:.1} ");
    }
    text.truncate(text.trim_end().len());
    text
}

/// A place, to a tenth of a unit.
fn p(place: f64) -> String {
    format!("{place:.1}")
}

fn first_and_last(evidence: &Evidence) -> Option<(Timestamp, Timestamp)> {
    Some((evidence.points.first()?.at, evidence.points.last()?.at))
}

fn seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}

fn time_scale(evidence: &Evidence) -> Scale {
    let (from, to) = first_and_last(evidence).map_or((0.0, 1.0), |(from, to)| (seconds(from), seconds(to)));
    Scale {
        low: from,
        high: if to > from { to } else { from + 1.0 },
        from: LEFT,
        to: WIDTH - RIGHT,
    }
}

fn x(times: &Scale, at: Timestamp) -> f64 {
    times.at(seconds(at))
}

fn description(reader: &Reader, evidence: &Evidence) -> String {
    let Some((from, to)) = first_and_last(evidence) else {
        return String::new();
    };
    let highest = evidence.points.iter().map(|p| f64::from(p.score)).fold(0.0, f64::max);
    let values = [
        ("from", reader.time(from)),
        ("to", reader.time(to)),
        ("since", reader.time(evidence.anomalous_since)),
        ("highest", number(highest)),
    ];
    reader.with(
        "chart-description",
        &values.each_ref().map(|(name, value)| (*name, value.as_str())),
    )
}

#[cfg(test)]
#[path = "svg_tests.rs"]
mod tests;
