//! Findings about an appliance that have no ticket: what was seen is not enough for one, as the fleet's months have it.

use crate::reader::Reader;
use hub_core::finding::{Finding, FindingState};
use hub_core::id::ApplianceId;
use hub_words::written::number;
use maud::{Markup, html};

/// Those of an appliance that wait for a higher score.
pub(super) fn of(findings: Vec<Finding>, appliance: ApplianceId) -> Vec<Finding> {
    let waits = |finding: &Finding| {
        let is_open = finding.state == FindingState::Open && finding.ticket.is_none();
        finding.appliance == appliance && is_open && finding.ticket_from.is_some()
    };
    findings.into_iter().filter(waits).collect()
}

/// A line each.
pub(crate) fn render(reader: &Reader, profile: &str, waiting: &[Finding]) -> Markup {
    html! {
        @if !waiting.is_empty() {
            section #appliance-waiting {
                h2 { (reader.t("findings-waiting")) }
                ul.plain { @for finding in waiting { li { (line(reader, profile, finding)) } } }
            }
        }
    }
}

fn line(reader: &Reader, profile: &str, finding: &Finding) -> String {
    let values = [
        ("fault", reader.fault(profile, &finding.fault_class)),
        ("time", reader.time(finding.last_seen)),
        ("score", number(f64::from(finding.prediction.score))),
        ("from", number(finding.ticket_from.unwrap_or_default())),
    ];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    reader.with("finding-waits", &values)
}
