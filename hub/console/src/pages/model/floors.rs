//! The floors by which a family judges: those that a tenant's fleets have shown, or the model's own.

use crate::reader::Reader;
use hub_api::models_list::ShownModel;
use hub_store::floors::FleetFloors;
use hub_words::written::number;
use maud::{Markup, html};

/// Nothing of a family that judges by a network.
pub(super) fn render(reader: &Reader, model: &ShownModel) -> Markup {
    html! {
        @if model.by_floors || !model.floors.is_empty() {
            h3 { (reader.t("floors")) }
            @if model.floors.is_empty() { p.muted { (reader.t("floors-none")) } }
            @for learned in &model.floors {
                details {
                    summary { (name(reader, learned)) ": " (source(reader, learned)) }
                    ul.plain { @for (feature, floor) in &learned.floors {
                        li { (reader.feature(&learned.fleet.profile, feature)) ": " (number(*floor)) }
                    } }
                }
            }
        }
    }
}

/// The appliance model, with the family where its devices do not say what they are.
fn name(reader: &Reader, learned: &FleetFloors) -> String {
    if learned.appliance_model == learned.fleet.profile {
        return reader.family(&learned.fleet.profile).to_owned();
    }
    learned.appliance_model.clone()
}

fn source(reader: &Reader, learned: &FleetFloors) -> String {
    let (count, month) = (learned.appliances.to_string(), learned.month.to_string());
    reader.with("floors-learned", &[("count", &count), ("month", &month)])
}
