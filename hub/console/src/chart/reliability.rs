//! The reliability diagram: stated probabilities against the share that was right, with counts; and the same as a list.

use super::scale::Scale;
use crate::reader::Reader;
use hub_core::budget::judged::Bin;
use maud::{Markup, html};

/// Side of the square plot, in the drawing's own units.
const SIDE: f64 = 220.0;
/// Room for the marks at the left.
const LEFT: f64 = 52.0;
/// Room at the right, for the count of the last point.
const RIGHT: f64 = 90.0;
/// Room above.
const ABOVE: f64 = 28.0;
/// Room for the marks below, and what they are of.
const BELOW: f64 = 44.0;
/// Radius of a point.
const DOT: f64 = 5.0;

/// The diagram of a family; a sentence where nobody has judged anything yet.
pub(super) fn draw(reader: &Reader, family: &str, bins: &[Bin]) -> Markup {
    if bins.is_empty() {
        return html! { p.muted { (reader.t("reliability-none")) } };
    }
    let (title, desc) = (format!("reliability-{family}"), format!("reliability-desc-{family}"));
    let across = scale(LEFT, LEFT + SIDE);
    let up = scale(ABOVE + SIDE, ABOVE);
    let (width, height) = (LEFT + SIDE + RIGHT, ABOVE + SIDE + BELOW);
    html! {
        svg.chart viewBox={ "0 0 " (width) " " (height) } role="img" aria-labelledby={ (title) " " (desc) } {
            title id=(title) { (reader.t("reliability")) }
            desc id=(desc) { (reader.t("reliability-what")) }
            text.chart-caption x="0" y="14" { (reader.t("reliability-right")) }
            @for mark in [0.0, 0.25, 0.5, 0.75, 1.0] {
                line.chart-grid x1=(p(LEFT)) x2=(p(LEFT + SIDE)) y1=(p(up.at(mark))) y2=(p(up.at(mark))) {}
                text.chart-label x=(p(LEFT - 7.0)) y=(p(up.at(mark) + 4.0)) text-anchor="end" { (reader.percent(mark)) }
                text.chart-label x=(p(across.at(mark))) y=(p(ABOVE + SIDE + 17.0)) text-anchor="middle" { (reader.percent(mark)) }
            }
            text.chart-caption x=(p(LEFT)) y=(p(height - 6.0)) { (reader.t("reliability-stated")) }
            line.chart-axis x1=(p(LEFT)) x2=(p(LEFT + SIDE)) y1=(p(ABOVE + SIDE)) y2=(p(ABOVE + SIDE)) {}
            line.chart-threshold x1=(p(across.at(0.0))) y1=(p(up.at(0.0))) x2=(p(across.at(1.0))) y2=(p(up.at(1.0))) {}
            @for bin in bins {
                @let (x, y) = (across.at(bin.stated), up.at(right(bin)));
                circle.chart-dot cx=(p(x)) cy=(p(y)) r=(p(DOT)) {}
                text.chart-label x=(p(x + 9.0)) y=(p(y + 4.0)) { (counted(reader, bin)) }
            }
        }
        ul {
            @for bin in bins {
                li {
                    (reader.with("reliability-line", &[
                        ("stated", &reader.percent(bin.stated)), ("counted", &counted(reader, bin)),
                    ]))
                }
            }
        }
    }
}

fn scale(from: f64, to: f64) -> Scale {
    Scale {
        low: 0.0,
        high: 1.0,
        from,
        to,
    }
}

/// Share of the predictions that were right.
fn right(bin: &Bin) -> f64 {
    f64::from(bin.counted.right) / f64::from(bin.counted.all().max(1))
}

fn counted(reader: &Reader, bin: &Bin) -> String {
    let (right, all) = (bin.counted.right.to_string(), bin.counted.all().to_string());
    reader.with("right-of", &[("right", &right), ("all", &all)])
}

/// A place, to a tenth of a unit.
fn p(place: f64) -> String {
    format!("{place:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_core::budget::precision::Counted;
    use hub_core::language::Language;
    use jiff::tz::TimeZone;

    #[test]
    fn a_point_lies_where_its_figures_say() {
        let reader = Reader {
            language: Language::En,
            zone: TimeZone::UTC,
            families: std::sync::Arc::default(),
            actor: None,
        };
        let bin = Bin {
            stated: 0.5,
            counted: Counted { right: 3, wrong: 1 },
        };
        let drawn = draw(&reader, "pump", &[bin]).into_string();
        let (x, y) = (LEFT + SIDE / 2.0, ABOVE + SIDE / 4.0);
        assert!(drawn.contains(&format!("cx=\"{x:.1}\" cy=\"{y:.1}\"")), "{drawn}");
        let plain = drawn.replace(['\u{2068}', '\u{2069}'], "");
        assert_eq!(
            plain.matches("3 of 4 right").count(),
            2,
            "beside the point and in the list: {plain}"
        );
        assert!(draw(&reader, "pump", &[]).into_string().contains("muted"));
    }
}
