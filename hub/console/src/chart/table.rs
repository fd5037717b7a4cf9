//! The chart's numbers, for those who cannot or do not want to look at lines.

use crate::reader::Reader;
use hub_core::prediction::{Evidence, EvidencePoint};
use hub_words::written::{number, quantity};
use maud::{Markup, html};

/// Rows of the table: enough to see the course, few enough to listen to.
const ROWS_MAX: usize = 40;

/// The table, folded away.
pub(super) fn details(reader: &Reader, profile: &str, evidence: &Evidence) -> Markup {
    let every = evidence.points.len().div_ceil(ROWS_MAX).max(1);
    let note = [("every", every.to_string()), ("all", evidence.points.len().to_string())];
    html! {
        details {
            summary { (reader.t("table-title")) }
            p.muted { (reader.with("table-note", &note.each_ref().map(|(name, value)| (*name, value.as_str())))) }
            div.scroll tabindex="0" role="region" aria-label=(reader.t("table-title")) {
                table {
                    thead { tr {
                        th scope="col" { (reader.t("table-time")) }
                        th scope="col" { (reader.t("table-score")) }
                        @for channel in &evidence.channels {
                            th scope="col" { (reader.feature(profile, &channel.channel)) }
                        }
                    } }
                    tbody {
                        @for point in evidence.points.iter().step_by(every) { (row(reader, evidence, point)) }
                    }
                }
            }
        }
    }
}

fn row(reader: &Reader, evidence: &Evidence, point: &EvidencePoint) -> Markup {
    let anomalous = point.at >= evidence.anomalous_since;
    html! {
        tr.anomalous[anomalous] {
            th scope="row" { (reader.time(point.at)) }
            td { (number(f64::from(point.score))) }
            @for (channel, value) in evidence.channels.iter().zip(&point.values) {
                td { @if value.is_finite() { (quantity(*value, &channel.unit)) } @else { "–" } }
            }
        }
    }
}
