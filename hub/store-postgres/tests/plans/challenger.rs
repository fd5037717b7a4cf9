//! What a challenger says beside the load: of each appliance several things at once, as one does to which everything is an alarm.

use hub_core::id::ApplianceId;
use hub_core::shadow::ShadowSaid;
use hub_store::prediction::{Challenge, ShadowCommit};
use jiff::Timestamp;
use std::collections::BTreeMap;

const FAMILY: &str = "washing-machine";

/// Nothing of no appliance.
pub fn said(appliances: &[ApplianceId], at: Timestamp) -> ShadowCommit {
    if appliances.is_empty() {
        return ShadowCommit::default();
    }
    let each = |appliance: &ApplianceId| {
        let alarm = ShadowSaid::Alarm {
            at,
            fault_class: "drain_pump_wear".to_owned(),
            probability: 0.5,
        };
        let said = [ShadowSaid::Judges { at }, alarm, ShadowSaid::Clear { at }];
        said.map(|said| (FAMILY.to_owned(), *appliance, said))
    };
    ShadowCommit {
        begun: vec![Challenge {
            family: FAMILY.to_owned(),
            model: format!("{FAMILY}/2"),
            hash: "5f".repeat(32),
            champion: format!("{FAMILY}/1"),
        }],
        said: appliances.iter().flat_map(each).collect(),
        dropped: BTreeMap::new(),
    }
}
