//! Why an appliance's baseline has started over, and what a restart for another firmware waits for, on the appliance's page.

use crate::pages::parts::fact::fact;
use crate::reader::Reader;
use hub_core::baseline::{Baseline, FirmwareChange, Restart, RestartReason};
use jiff::Timestamp;
use maud::{Markup, html};

/// Nothing where there is nothing to say.
pub(crate) fn render(reader: &Reader, baseline: &Baseline, now: Timestamp, watch: &str) -> Markup {
    html! {
        section.card #appliance-baseline data-live=(watch) {
            h2 { (reader.t("baseline")) }
            @if let Some(firmware) = &baseline.firmware {
                dl.facts.wide {
                    (fact(&reader.t("baseline-firmware"), &html! {
                        (firmware.baseline)
                        @if let Some(waits) = waiting(reader, baseline, &firmware.told, now) {
                            p.warn { span aria-hidden="true" { "▲" } " " (waits) }
                        }
                    }))
                }
            }
            @if baseline.restarts.is_empty() { p.muted { (reader.t("restarts-none")) } }
            @else {
                ul.plain { @for restart in &baseline.restarts {
                    li {
                        time datetime=(restart.at) { (reader.time(restart.at)) }
                        " " (why(reader, restart))
                    }
                } }
            }
        }
    }
}

/// What the restart for the version that was told last waits for.
fn waiting(reader: &Reader, baseline: &Baseline, version: &str, now: Timestamp) -> Option<String> {
    match baseline.change(now) {
        FirmwareChange::Nothing => None,
        FirmwareChange::Due => Some(reader.with("firmware-due", &[("version", version)])),
        FirmwareChange::WaitsForFault => Some(reader.with("firmware-waits-for-fault", &[("version", version)])),
        FirmwareChange::WaitsUntil(until) => {
            let time = reader.time(until);
            Some(reader.with("firmware-waits-until", &[("version", version), ("time", &time)]))
        }
    }
}

fn why(reader: &Reader, restart: &Restart) -> String {
    match &restart.reason {
        RestartReason::Repaired => reader.t("restart-repaired"),
        RestartReason::NewOwner => reader.t("restart-new-owner"),
        RestartReason::OtherProfile => reader.t("restart-other-profile"),
        RestartReason::Firmware { from, to } => reader.with("restart-firmware", &[("from", from), ("to", to)]),
    }
}
