//! The texts of the console, in both languages, compiled in. A missing text shows its key in brackets, and is an error.

use hub_core::language::Language;
use hub_words::{TextError, Texts};
use std::sync::LazyLock;

const ZH_CN: [&str; 5] = [
    include_str!("../i18n/zh-CN/console.ftl"),
    include_str!("../i18n/zh-CN/devices.ftl"),
    include_str!("../i18n/zh-CN/models.ftl"),
    include_str!("../i18n/zh-CN/story.ftl"),
    include_str!("../i18n/zh-CN/words.ftl"),
];
const EN: [&str; 5] = [
    include_str!("../i18n/en/console.ftl"),
    include_str!("../i18n/en/devices.ftl"),
    include_str!("../i18n/en/models.ftl"),
    include_str!("../i18n/en/story.ftl"),
    include_str!("../i18n/en/words.ftl"),
];

static TEXTS: LazyLock<Texts> =
    LazyLock::new(|| Texts::load(&ZH_CN, &EN).expect("the tests below read all files, which are compiled in"));

/// The text of a key, or `None` if there is none.
pub(crate) fn find(language: Language, key: &str, values: &[(&str, &str)]) -> Option<String> {
    match TEXTS.fill(language, key, values.iter().copied()) {
        Ok(text) => Some(text),
        Err(TextError::Incomplete { said, .. }) => {
            tracing::error!(
                key,
                language = language.tag(),
                said,
                "text shown without a value that it needs"
            );
            Some(said)
        }
        // The others are found when the files are loaded.
        Err(
            TextError::Missing { .. }
            | TextError::Broken { .. }
            | TextError::Twice { .. }
            | TextError::NotAValue { .. },
        ) => None,
    }
}

/// The text of a key that must exist.
pub(crate) fn text(language: Language, key: &str, values: &[(&str, &str)]) -> String {
    find(language, key, values).unwrap_or_else(|| {
        tracing::error!(key, language = language.tag(), "text missing in the translation files");
        format!("\u{27e6}{key}\u{27e7}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_core::language::is_han;
    use std::path::Path;

    #[test]
    fn both_languages_have_the_same_keys_with_the_same_values() {
        assert_eq!(TEXTS.differences(), [""; 0]);
    }

    #[test]
    fn no_text_was_left_in_the_other_language() {
        let named_alike = ["app-name", "language-en"];
        for key in TEXTS.keys(Language::En) {
            let blank: Vec<(&str, &str)> = TEXTS.needs(Language::En, key).map(|value| (value, "")).collect();
            let en = find(Language::En, key, &blank).unwrap();
            assert!(!en.chars().any(is_han) || key == "language-zh-cn", "{key} = {en}");
            let zh = find(Language::ZhCn, key, &blank).unwrap();
            let wordless = !zh.chars().any(char::is_alphabetic);
            assert!(
                wordless || zh.chars().any(is_han) || named_alike.contains(&key),
                "{key} = {zh}"
            );
        }
    }

    /// All source files below a folder.
    fn sources(folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => found.extend(sources(&path)),
                false => found.push(std::fs::read_to_string(path).unwrap()),
            }
        }
        found
    }

    /// The texts that code asks for by a fixed key exist, whichever page they are on.
    #[test]
    fn every_key_in_the_code_is_translated() {
        let mut seen = 0;
        for source in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
            for call in ["reader.t(\"", "reader.with(\"", "self.t(\"", "self.with(\""] {
                for rest in source.split(call).skip(1) {
                    let key = rest.split('"').next().unwrap();
                    seen += 1;
                    for language in Language::ALL {
                        assert!(find(language, key, &[]).is_some(), "{key} in {}", language.tag());
                    }
                }
            }
        }
        assert!(seen > 80, "the search finds the keys: {seen}");
    }

    /// Every kind of problem that can be met has its sentence.
    #[test]
    fn every_problem_is_translated() {
        let source = include_str!("../../api/src/error.rs");
        let kinds: Vec<&str> = source
            .lines()
            // Of the API's own, and of the rules of tickets and visits.
            .filter(|line| line.contains("=> (S::") || line.contains("=> \""))
            .filter_map(|line| line.split('"').nth(1))
            // A rule's refusal has its kind from elsewhere, and then only its title stands in the line.
            .filter(|kind| !kind.contains(' '))
            .collect();
        assert!(kinds.len() > 40, "{kinds:?}");
        for kind in kinds {
            for language in Language::ALL {
                let key = format!("problem-{kind}");
                assert!(
                    find(language, &key, &[]).is_some() || kind == "Refused by a rule",
                    "{key}"
                );
            }
        }
    }
}
