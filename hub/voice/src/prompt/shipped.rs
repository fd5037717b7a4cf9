//! Words of the families that come with the hub, as tests hand them in.

use crate::value::Value;
use hub_core::language::Language;

const PROFILES: [&str; 2] = [
    include_str!("../../../../models/profiles/washing-machine.toml"),
    include_str!("../../../../models/profiles/pump-rig.toml"),
];
const MODELS: [&str; 2] = [
    include_str!("../../../../models/washing-machine/manifest.toml"),
    include_str!("../../../../models/pump-rig/manifest.toml"),
];

/// A family, by the name of its profile.
pub fn appliance(profile: &str, language: Language) -> Value {
    let known = PROFILES.map(|file| file.parse::<toml::Table>().unwrap());
    let family = known.iter().find(|family| family["name"].as_str() == Some(profile));
    Value::Term(family.map(|family| text(&family["words"]["spoken"], language)))
}

/// A fault class.
pub fn fault(class: &str, language: Language) -> Value {
    let known = MODELS.map(|file| file.parse::<toml::Table>().unwrap());
    let mut classes = known
        .iter()
        .flat_map(|model| model["classification"]["classes"].as_array().unwrap());
    let found = classes.find(|known| known["name"].as_str() == Some(class));
    Value::Term(found.map(|class| text(&class["spoken"], language)))
}

fn text(words: &toml::Value, language: Language) -> String {
    words[language.tag()].as_str().unwrap().to_owned()
}
