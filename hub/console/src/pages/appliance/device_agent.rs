//! What the device agent of an appliance says of itself, on the appliance's page.

use crate::pages::parts::fact::fact;
use crate::reader::Reader;
use crate::words::closed;
use hub_store::birth::KeptBirth;
use maud::{Markup, html};

/// `told` is the version of the settings that the device is told.
pub(crate) fn render(reader: &Reader, kept: &KeptBirth, told: Option<u32>, watch: &str) -> Markup {
    let birth = &kept.birth;
    html! {
        section.card #appliance-agent data-live=(watch) {
            h2 { (reader.t("device-agent")) }
            dl.facts.wide {
                (fact(&reader.t("device-model"), &html! { (birth.model) }))
                (fact(&reader.t("device-firmware"), &html! { (birth.firmware) }))
                (fact(&reader.t("device-sdk"), &html! { (birth.sdk) }))
                (fact(&reader.t("device-reset"), &html! { (closed(reader, "reset", &birth.reset)) }))
                (fact(&reader.t("device-settings"), &settings(reader, birth.settings, told)))
                (fact(&reader.t("device-dropped-events"),
                    &given_up(reader, birth.dropped_events, kept.dropped_events_in_all)))
                (fact(&reader.t("device-dropped-telemetry"),
                    &given_up(reader, birth.dropped_telemetry, kept.dropped_telemetry_in_all)))
                (fact(&reader.t("device-said"), &html! { time datetime=(kept.at) { (reader.time(kept.at)) } }))
            }
        }
    }
}

/// What is in force, and what is not yet.
fn settings(reader: &Reader, in_force: u64, told: Option<u32>) -> Markup {
    let now = match in_force {
        0 => reader.t("settings-none"),
        version => reader.with("settings-in-force", &[("version", &version.to_string())]),
    };
    let waiting = told.filter(|told| u64::from(*told) != in_force);
    html! {
        (now)
        @if let Some(told) = waiting {
            " " span.warn {
                span aria-hidden="true" { "▲" } " "
                (reader.with("settings-waiting", &[("version", &told.to_string())]))
            }
        }
    }
}

fn given_up(reader: &Reader, since_start: u64, in_all: u64) -> Markup {
    html! {
        (since_start)
        @if in_all != since_start { " " span.muted { (reader.with("in-all", &[("count", &in_all.to_string())])) } }
    }
}
