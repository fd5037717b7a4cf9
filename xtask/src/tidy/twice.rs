//! A bound that two stores have is a rule, and a rule stands once: in `hub-core`, or with the stores' trait.

use super::source::{self, Token};
use super::{TextFile, Violation};
use std::collections::BTreeMap;
use std::path::Path;

/// Where the stores are.
const STORES: [&str; 2] = ["hub/store/src/memory", "hub/store-postgres/src"];

/// Checks that no constant has the same name in both.
pub fn check(files: &[TextFile]) -> Vec<Violation> {
    let [first, second] = STORES.map(|store| constants(files, Path::new(store)));
    second
        .into_iter()
        .filter_map(|(name, (file, line))| {
            let (other, _) = first.get(&name)?;
            let text = format!(
                "{name} is a constant of {} too: put it where both take it from, as hub_store::bounds",
                other.path.display()
            );
            Some(Violation::new(&file.path, line, text))
        })
        .collect()
}

/// The constants of a store, each with where it is.
fn constants<'a>(files: &'a [TextFile], store: &Path) -> BTreeMap<String, (&'a TextFile, usize)> {
    let own = files
        .iter()
        .filter(|file| file.path.starts_with(store) && file.has_extension("rs"));
    let mut found = BTreeMap::new();
    for file in own {
        // What is no Rust is another rule's.
        let tokens = source::tokens(&file.text).unwrap_or_default();
        for (place, pair) in tokens.windows(2).enumerate() {
            let before = place.checked_sub(1).and_then(|place| tokens.get(place));
            let is_parameter = before.is_some_and(|before| ["<", ","].contains(&before.text.as_str()));
            if pair[0].text == "const" && !is_parameter && is_shouted(&pair[1]) {
                found.insert(pair[1].text.clone(), (file, pair[1].line));
            }
        }
    }
    found
}

fn is_shouted(name: &Token) -> bool {
    let is_letter = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.text != "_" && name.text.chars().all(is_letter)
}

#[cfg(test)]
mod tests {
    use super::{TextFile, check};

    fn file(path: &str, text: &str) -> TextFile {
        TextFile {
            path: path.into(),
            text: text.into(),
        }
    }

    #[test]
    fn a_bound_stands_in_one_store_only() {
        let memory = file(
            "hub/store/src/memory/said.rs",
            "const STATE_MAX: usize = 4096;\nconst OWN: u8 = 1;\nfn f<const N: usize>() { const fn g() {} }\n",
        );
        let postgres = file(
            "hub/store-postgres/src/telemetry/said.rs",
            "use x;\npub(crate) const STATE_MAX: i64 = 4096;\nconst OTHER: u8 = 1;\nfn f<const N: usize>() {}\n",
        );
        let elsewhere = file("hub/broker/src/a.rs", "const OWN: u8 = 1;\nconst OTHER: u8 = 1;\n");
        let found = check(&[memory, postgres, elsewhere]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].line, 2);
        assert!(found[0].text.contains("STATE_MAX") && found[0].text.contains("memory/said.rs"));
    }
}
