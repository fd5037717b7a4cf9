//! The washing machine as a hub knows it, with two fault classes.

use hub_core::families::{Families, FaultWords, ModelWords};
use hub_core::profile::Family;
use hub_core::site::Localised;
use std::collections::BTreeMap;

/// See the module.
pub fn families() -> Families {
    let profile = include_str!("../../../../models/profiles/washing-machine.toml");
    let family: Family = toml::from_str(profile).expect("the profile that comes with the hub is valid");
    let words = |zh_cn: &str, en: &str| Localised {
        zh_cn: zh_cn.to_owned(),
        en: en.to_owned(),
    };
    let fault = |class: &str, name, spoken| (class.to_owned(), FaultWords { name, spoken });
    let faults = [
        fault(
            "drain_pump_wear",
            words("排水泵磨损", "Drain pump wearing out"),
            words("排水泵可能快要坏了。", "The drain pump may soon fail."),
        ),
        fault(
            "door_gasket",
            words("门封圈渗漏", "Door seal leaking"),
            words("门封圈可能开始漏水。", "The door seal may have begun to leak."),
        ),
    ];
    let model = ModelWords {
        family: "washing-machine".to_owned(),
        profile: "washing-machine".to_owned(),
        version: 1,
        by_floors: false,
        faults: BTreeMap::from(faults),
        features: BTreeMap::new(),
        basis: hub_core::release::Basis::default(),
        bases: BTreeMap::new(),
    };
    Families::new([family], [model])
}
