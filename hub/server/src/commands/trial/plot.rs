//! The course of a device as inline SVG: the score, and below it the channels that moved most, with what is normal.

use super::words::{Words, day, number, shown, time};
use hub_predict::trial::report::{DeviceReport, Plot, Report};
use jiff::Timestamp;
use maud::{Markup, html};
use std::fmt::Write;

/// Width of the drawing in its own units.
const WIDTH: f64 = 600.0;
/// Room for the numbers at the left.
const LEFT: f64 = 62.0;
/// Height of a caption, of a plot, and of the dates below.
const CAPTION: f64 = 26.0;
const PLOT: f64 = 84.0;
const BELOW: f64 = 24.0;
/// Part of the range that is left free above and below.
const AIR: f64 = 0.08;

/// One of the plots.
struct Panel<'p> {
    caption: String,
    values: &'p [Option<f64>],
    /// Lower and upper edge of what is normal.
    band: Option<(f64, f64)>,
    threshold: Option<f64>,
}

/// Where times lie.
struct Axis {
    from: f64,
    span: f64,
}

impl Axis {
    fn of(times: &[Timestamp]) -> Option<Self> {
        let (from, to) = (seconds(*times.first()?), seconds(*times.last()?));
        (to > from).then_some(Self { from, span: to - from })
    }

    fn holds(&self, at: Timestamp) -> bool {
        (0.0..=self.span).contains(&(seconds(at) - self.from))
    }

    fn x(&self, at: Timestamp) -> f64 {
        let part = (seconds(at) - self.from) / self.span;
        LEFT + part.clamp(0.0, 1.0) * (WIDTH - LEFT)
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1_000.0
}

/// Draws a device; nothing where there is nothing to draw.
pub(super) fn draw(words: &Words, report: &Report, device: &DeviceReport, plot: &Plot) -> Markup {
    let Some(axis) = Axis::of(&plot.times) else {
        return html! {};
    };
    let panels = panels(words, report, plot);
    let height = panels.len() as f64 * (CAPTION + PLOT);
    let title = words.with("plot-title", &[("device", &shown(&device.name))]);
    let ends = plot.times.first().zip(plot.times.last());
    let (from, to) = ends.map_or_else(Default::default, |(from, to)| (time(*from), time(*to)));
    let services = report.services.iter().flat_map(|services| &services.services);
    let serviced = services
        .filter(|service| service.device == device.name)
        .map(|service| service.at)
        .filter(|at| axis.holds(*at));
    // What is normal is learned again then.
    let band_to = serviced.clone().next().map_or(WIDTH, |at| axis.x(at));
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (height + BELOW) } role="img" {
            title { (title) }
            desc { (words.with("plot-description", &[("from", &from), ("to", &to)])) }
            @for (n, panel) in panels.iter().enumerate() {
                (draw_panel(panel, &plot.times, &axis, n as f64 * (CAPTION + PLOT) + CAPTION, band_to))
            }
            @for at in device.openings.iter().map(|opening| opening.at) {
                (marker("opening", axis.x(at), height, &words.t("legend-opening"), at))
            }
            @for at in serviced {
                (marker("service", axis.x(at), height, &words.t("legend-service"), at))
            }
            @if let Some((from, to)) = ends {
                text x=(p(LEFT)) y=(p(height + 17.0)) { (day(*from)) }
                text x=(p(WIDTH)) y=(p(height + 17.0)) text-anchor="end" { (day(*to)) }
            }
        }
        p.legend aria-hidden="true" {
            span.key-opening { (words.t("legend-opening")) }
            span.key-service { (words.t("legend-service")) }
        }
    }
}

fn panels<'p>(words: &Words, report: &Report, plot: &'p Plot) -> Vec<Panel<'p>> {
    let score = Panel {
        caption: words.t("plot-score"),
        values: &plot.score,
        band: None,
        threshold: Some(report.step.threshold),
    };
    let channels = plot.channels.iter().map(|channel| {
        let (name, unit) = (shown(&channel.channel), shown(&channel.unit));
        Panel {
            caption: match unit.as_str() {
                "" => words.with("plot-channel", &[("channel", &name)]),
                unit => words.with("plot-channel-unit", &[("channel", &name), ("unit", unit)]),
            },
            values: &channel.values,
            band: Some((channel.low, channel.high)),
            threshold: None,
        }
    });
    std::iter::once(score).chain(channels).collect()
}

fn draw_panel(panel: &Panel<'_>, times: &[Timestamp], axis: &Axis, top: f64, band_to: f64) -> Markup {
    let (low, high) = range(panel);
    let bottom = top + PLOT;
    let y = |value: f64| bottom - (value - low) / (high - low) * PLOT;
    let width = p(band_to - LEFT);
    html! {
        text.caption x="0" y=(p(top - 8.0)) { (panel.caption) }
        @if let Some((lower, upper)) = panel.band {
            rect.band x=(p(LEFT)) y=(p(y(upper))) width=(width) height=(p((y(lower) - y(upper)).max(1.0))) {}
        }
        @for value in [low, high] {
            text x=(p(LEFT - 6.0)) y=(p(y(value).clamp(top + 10.0, bottom))) text-anchor="end" { (number(value)) }
        }
        @if let Some(threshold) = panel.threshold {
            line.threshold x1=(p(LEFT)) x2=(p(WIDTH)) y1=(p(y(threshold))) y2=(p(y(threshold))) {}
        }
        line.axis x1=(p(LEFT)) x2=(p(WIDTH)) y1=(p(bottom)) y2=(p(bottom)) {}
        @for line in lines(panel.values, times, axis, y) {
            polyline points=(line) {}
        }
    }
}

/// A range that holds all of a panel, never empty.
fn range(panel: &Panel<'_>) -> (f64, f64) {
    let edges = panel.band.into_iter().flat_map(|(low, high)| [low, high]);
    let floor = panel.threshold.into_iter().flat_map(|threshold| [0.0, threshold]);
    let all = panel.values.iter().flatten().copied().chain(edges).chain(floor);
    let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if low > high {
        return (0.0, 1.0);
    }
    let air = ((high - low) * AIR).max(high.abs() * 1e-3).max(1e-9);
    // A score is never below zero.
    (if panel.threshold.is_some() { 0.0 } else { low - air }, high + air)
}

/// Unbroken stretches of a course.
fn lines(values: &[Option<f64>], times: &[Timestamp], axis: &Axis, y: impl Fn(f64) -> f64) -> Vec<String> {
    let mut all = vec![String::new()];
    for (value, at) in values.iter().zip(times) {
        match (value, all.last_mut()) {
            (Some(value), Some(line)) => {
                // Writing into a String cannot fail.
                let _ = write!(line, "{:.1},{:.1} ", axis.x(*at), y(*value));
            }
            _ => all.push(String::new()),
        }
    }
    all.retain(|line| !line.is_empty());
    all
}

fn marker(class: &str, x: f64, height: f64, what: &str, at: Timestamp) -> Markup {
    html! {
        line class=(class) x1=(p(x)) x2=(p(x)) y1=(p(CAPTION)) y2=(p(height)) {
            title { (what) " " (time(at)) }
        }
    }
}

/// A place, to a tenth of a unit.
fn p(place: f64) -> String {
    format!("{place:.1}")
}
