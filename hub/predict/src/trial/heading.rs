//! What a heading says of its column: the channel's name, and its unit where the heading gives one in brackets.

/// Units as people write them, and the SenML unit (RFC 8428 §12.1) whose floor holds for them: parts of a value stay the same
/// parts in milliampere.
const UNITS: [(&str, &[&str]); 9] = [
    ("Cel", &["cel", "°c", "℃", "c", "degc", "deg c", "celsius"]),
    ("A", &["a", "ma", "amp", "amps", "ampere"]),
    ("W", &["w", "kw", "watt"]),
    ("V", &["v", "mv", "kv", "volt"]),
    ("bar", &["bar"]),
    ("m/s2", &["m/s2", "m/s²", "m/s^2", "mm/s2", "mm/s²"]),
    ("1/min", &["1/min", "rpm", "min-1", "min⁻¹", "r/min", "u/min"]),
    ("l/min", &["l/min", "lpm", "l/h", "l/s", "m3/h", "m³/h"]),
    ("mm/min", &["mm/min"]),
];

/// Words in the plain name of a channel that is an acceleration.
const ACCELERATIONS: [&str; 6] = ["acc", "vib", "加速度", "振动", "beschleunigung", "schwing"];

/// A heading, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heading {
    /// The channel.
    pub(crate) name: String,
    /// Its unit as it is written; empty without one.
    pub(crate) unit: String,
}

/// `temp [Cel]`, `temp (°C)` or `temp`.
pub(crate) fn heading(text: &str) -> Heading {
    let bare = |name: &str| Heading {
        name: name.to_owned(),
        unit: String::new(),
    };
    let (open, close) = match text.chars().last() {
        Some(']') => ('[', 1),
        Some(')') => ('(', 1),
        Some('）') => ('（', '）'.len_utf8()),
        _ => return bare(text),
    };
    let inside = text.get(..text.len() - close).and_then(|text| text.rsplit_once(open));
    match inside {
        Some((name, unit)) if !name.trim().is_empty() && !unit.trim().is_empty() => Heading {
            name: name.trim().to_owned(),
            unit: unit.trim().to_owned(),
        },
        _ => bare(text),
    }
}

impl Heading {
    /// With the whole text as the name; what stands in the brackets is a unit only if it is known.
    pub(crate) fn whole(&self, text: &str) -> Self {
        let unit = senml(self).map(|_| self.unit.clone());
        Self {
            name: text.to_owned(),
            unit: unit.unwrap_or_default(),
        }
    }
}

/// The SenML unit of a heading's unit; none where no floor is known for it. Grams and the acceleration of the earth are one letter.
pub(crate) fn senml(heading: &Heading) -> Option<&'static str> {
    let written = heading.unit.to_lowercase();
    if written == "g" {
        let name = plain(&heading.name);
        return ACCELERATIONS.iter().any(|word| name.contains(word)).then_some("m/s2");
    }
    let known = UNITS.iter().find(|(_, names)| names.contains(&written.as_str()));
    known.map(|(unit, _)| *unit)
}

/// A name as it is compared: letters and digits alone, small ones.
pub(crate) fn plain(name: &str) -> String {
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_gives_its_unit_in_brackets_of_any_kind() {
        for (text, name, unit, known) in [
            ("temp [Cel]", "temp", "Cel", Some("Cel")),
            ("temp (°C)", "temp", "°C", Some("Cel")),
            ("电流（A）", "电流", "A", Some("A")),
            ("flow(L/min)", "flow", "L/min", Some("l/min")),
            ("humidity [%]", "humidity", "%", None),
            ("vibration (g)", "vibration", "g", Some("m/s2")),
            ("weight (g)", "weight", "g", None),
            ("speed", "speed", "", None),
            ("(odd)", "(odd)", "", None),
            ("odd ()", "odd ()", "", None),
        ] {
            let found = heading(text);
            assert_eq!((found.name.as_str(), found.unit.as_str()), (name, unit), "{text}");
            assert_eq!(senml(&found), known, "{text}");
        }
    }
}
