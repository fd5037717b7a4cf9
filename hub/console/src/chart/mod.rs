//! Charts: inline SVG made on the server. Works without scripts, in print and in e-mail, and its words can be
//! read aloud. Colours come from the style sheet, so that light and dark need no second drawing.

mod data;
mod panel;
mod reliability;
mod scale;
mod svg;
mod table;

use crate::reader::Reader;
use hub_core::budget::judged::Bin;
use hub_core::prediction::Evidence;
use maud::{Markup, html};

/// Sensors that get a panel of their own.
const SENSORS_SHOWN: usize = 3;

/// The chart with its table, for an appliance with this profile; a sentence where there is nothing to draw.
pub(crate) fn evidence(reader: &Reader, profile: &str, evidence: &Evidence) -> Markup {
    if evidence.points.len() < 2 {
        return html! { p.muted { (reader.t("chart-empty")) } };
    }
    let panels = data::panels(reader, profile, evidence, SENSORS_SHOWN);
    html! {
        (svg::draw(reader, evidence, &panels))
        ul.legend aria-hidden="true" {
            li.key-line { (reader.t("legend-line")) }
            li.key-band { (reader.t("legend-band")) }
            li.key-span { (reader.t("legend-span")) }
            li.key-threshold { (reader.t("legend-threshold")) }
        }
        (table::details(reader, profile, evidence))
    }
}

/// Stated probabilities of a model family against what people found.
pub(crate) fn reliability(reader: &Reader, family: &str, bins: &[Bin]) -> Markup {
    reliability::draw(reader, family, bins)
}
