//! Who lives there: tenants, owners, service points and devices, and what the profiles say at first and later.

use hub_core::profile::{ApplianceProfile, Channel};
use hub_core::site::Site;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Owners' numbers, made up.
pub const PHONES: [(&str, &str); 6] = [
    ("acme/lin", "+8613800001111"),
    ("acme/wang", "+8613800002222"),
    ("acme/zhao", "+8613900003333"),
    ("acme/sun", "+8613900004444"),
    ("acme/he", "+493023125055"),
    ("beta/ann", "+8613700006666"),
];
/// Wang's number from the fourth week on, sealed with the second key.
pub const NUMBER_OF_WANG_LATER: &str = "+8613800002299";

/// What the profiles say in the first three weeks.
pub fn first_profiles() -> BTreeMap<String, ApplianceProfile> {
    let mut profiles = profiles();
    for name in ["washing-machine", "dishwasher"] {
        let profile = profiles.get_mut(name).unwrap();
        profile.version = 1;
        profile.channels.truncate(3);
    }
    profiles
}

/// What they say from the fourth week on. The heat pump has more channels than the table of readings has columns.
pub fn profiles() -> BTreeMap<String, ApplianceProfile> {
    let appliance = [
        ("phase", "/"),
        ("current_a", "A"),
        ("inlet_cel", "Cel"),
        ("vibration_m_s2", "m/s2"),
    ];
    let appliance = || appliance.map(|(name, unit)| (name.to_owned(), unit));
    let pump = (1..=34).map(|n| (format!("coil_{n}_cel"), "Cel"));
    let profile = |name: &str, version, channels: Vec<(String, &str)>| {
        let channels = (1..).zip(channels).map(|(id, (name, unit))| Channel {
            id,
            name,
            unit: unit.to_owned(),
            decimals: 3,
            min: -1_000.0,
            max: 1_000.0,
        });
        let profile = ApplianceProfile {
            name: name.to_owned(),
            version,
            channels: channels.collect(),
        };
        (name.to_owned(), profile)
    };
    [
        profile("washing-machine", 2, appliance().into()),
        profile("dishwasher", 2, appliance().into()),
        profile("heat-pump", 1, pump.collect()),
    ]
    .into()
}

/// The site file of the first day.
pub fn site() -> Site {
    serde_json::from_value(json!({"tenant": [acme(), beta()]})).unwrap()
}

/// The site file of the fourth week: somebody has another number, and a device is new.
pub fn later_site() -> Site {
    let mut acme = acme();
    let owners = acme["owner"].as_array_mut().unwrap();
    for owner in owners.iter_mut().filter(|owner| owner["id"] == "wang") {
        owner["phone"] = NUMBER_OF_WANG_LATER.into();
    }
    let devices = acme["device"].as_array_mut().unwrap();
    devices.push(json!({"id": "dw-2", "profile": "dishwasher", "service_point": "minhang"}));
    serde_json::from_value(json!({"tenant": [acme, beta()]})).unwrap()
}

fn acme() -> Value {
    json!({
        "id": "acme", "brand": text("安居电器", "Acme Appliances"), "visit_price": {"currency": "CNY", "amount": 80},
        "trunk": {"proxy": "127.0.0.1:5060", "domain": "trunk.example", "username": "acme",
            "password": "trunk-password-of-acme", "caller_number": "+862155550000"},
        "service_point": [point("pudong", "浦东", "Pudong"), point("minhang", "闵行", "Minhang")],
        "retention": [{"days": 400}, {"profile": "dishwasher", "days": null}],
        "owner": [
            owner("acme/lin", "zh-CN", "Asia/Shanghai", true), owner("acme/wang", "zh-CN", "Asia/Shanghai", true),
            owner("acme/zhao", "zh-CN", "Asia/Shanghai", false), owner("acme/sun", "en", "Asia/Shanghai", true),
            owner("acme/he", "en", "Europe/Berlin", true),
            {"id": "qian", "name": "Qian, no phone", "language": "zh-CN", "zone": "Asia/Shanghai", "consent_to_calls": true},
        ],
        "device": [
            machine("wm-1", "lin"), machine("wm-2", "wang"), machine("wm-3", "zhao"), machine("wm-4", "sun"),
            machine("wm-5", "he"),
            {"id": "wm-6", "profile": "washing-machine", "service_point": "minhang", "secret_sha256": sha256("secret-wm-6")},
            {"id": "dw-1", "profile": "dishwasher", "owner": "lin", "service_point": "pudong", "model": "dishwasher-quiet",
                "secret_sha256": sha256("secret-dw-1")},
            {"id": "dw-9", "profile": "dishwasher", "owner": "qian"},
        ],
    })
}

fn beta() -> Value {
    let ben = json!({"id": "ben", "name": "Ben", "phone": "+8613700007777", "language": "en", "zone": "Asia/Shanghai",
        "consent_to_calls": true});
    json!({
        "id": "beta", "brand": text("贝塔", "Beta"), "visit_price": {"currency": "EUR", "amount": 90},
        "call_rules": {"probability_min": 0.8, "attempts_max": 5},
        "trunk": {"proxy": "127.0.0.1:5070", "domain": "beta.example", "caller_number": "+862155550001"},
        "retention": [{"days": 800}],
        "owner": [owner("beta/ann", "en", "Asia/Shanghai", true), ben],
        "device": [
            {"id": "wm-1", "profile": "washing-machine", "owner": "ann", "secret_sha256": sha256("secret-beta")},
            {"id": "hp-1", "profile": "heat-pump", "owner": "ben"},
        ],
    })
}

fn text(zh_cn: &str, en: &str) -> Value {
    json!({"zh-CN": zh_cn, "en": en})
}

fn point(id: &str, zh_cn: &str, en: &str) -> Value {
    json!({"id": id, "name": text(zh_cn, en), "zone": "Asia/Shanghai", "slot": [
        {"day": "tuesday", "from": "09:00", "to": "12:00", "capacity": 1},
        {"day": "thursday", "from": "14:00", "to": "17:00", "capacity": 2},
    ]})
}

fn owner(name: &str, language: &str, zone: &str, consents: bool) -> Value {
    let (_, id) = name.split_once('/').unwrap();
    let (_, phone) = PHONES.iter().find(|(of, _)| *of == name).unwrap();
    json!({"id": id, "name": format!("Person {id}"), "phone": phone, "language": language, "zone": zone,
        "consent_to_calls": consents})
}

fn machine(id: &str, owner: &str) -> Value {
    json!({"id": id, "profile": "washing-machine", "owner": owner, "service_point": "pudong",
        "secret_sha256": sha256(&format!("secret-{id}"))})
}

fn sha256(secret: &str) -> String {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(secret);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
