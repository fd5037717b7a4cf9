//! The texts of the console, in both languages, compiled in. A missing text shows its key in brackets, and is an error.

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use hub_core::language::Language;
use std::sync::LazyLock;

type Bundle = FluentBundle<FluentResource>;

const ZH_CN: [&str; 4] = [
    include_str!("../i18n/zh-CN/console.ftl"),
    include_str!("../i18n/zh-CN/devices.ftl"),
    include_str!("../i18n/zh-CN/story.ftl"),
    include_str!("../i18n/zh-CN/words.ftl"),
];
const EN: [&str; 4] = [
    include_str!("../i18n/en/console.ftl"),
    include_str!("../i18n/en/devices.ftl"),
    include_str!("../i18n/en/story.ftl"),
    include_str!("../i18n/en/words.ftl"),
];

static BUNDLES: LazyLock<[(Language, Bundle); 2]> = LazyLock::new(|| {
    [
        (Language::ZhCn, bundle(Language::ZhCn, &ZH_CN)),
        (Language::En, bundle(Language::En, &EN)),
    ]
});

fn bundle(language: Language, files: &[&str]) -> Bundle {
    let tag = language.tag().parse().expect("both tags are valid BCP 47");
    let mut bundle = Bundle::new_concurrent(vec![tag]);
    // Values are our own formatted texts; isolation marks would only break searching and tests.
    bundle.set_use_isolating(false);
    for file in files {
        let resource = FluentResource::try_new((*file).to_owned()).expect("the test `files_are_valid` reads them all");
        bundle
            .add_resource(resource)
            .expect("the test `files_are_valid` finds double keys");
    }
    bundle
}

fn of(language: Language) -> &'static Bundle {
    let [zh, en] = &*BUNDLES;
    match language {
        Language::ZhCn => &zh.1,
        Language::En => &en.1,
    }
}

/// The text of a key, or `None` if there is none.
pub(crate) fn find(language: Language, key: &str, values: &[(&str, &str)]) -> Option<String> {
    let bundle = of(language);
    let pattern = bundle.get_message(key)?.value()?;
    let args: FluentArgs<'_> = values.iter().map(|(name, value)| (*name, *value)).collect();
    let mut errors = Vec::new();
    let text = bundle.format_pattern(pattern, Some(&args), &mut errors).into_owned();
    if !errors.is_empty() {
        tracing::error!(key, language = language.tag(), ?errors, "text not fully translated");
    }
    Some(text)
}

/// The text of a key that must exist.
pub(crate) fn text(language: Language, key: &str, values: &[(&str, &str)]) -> String {
    find(language, key, values).unwrap_or_else(|| {
        tracing::error!(key, language = language.tag(), "text not translated");
        format!("\u{27e6}{key}\u{27e7}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::path::Path;

    /// Key → names of the values that its text takes.
    fn keys(files: &[&str]) -> BTreeMap<String, Vec<String>> {
        let mut found = BTreeMap::new();
        for line in files.iter().flat_map(|file| file.lines()) {
            if line.starts_with(['#', ' ']) || line.is_empty() {
                continue;
            }
            let (key, text) = line
                .split_once(" = ")
                .unwrap_or_else(|| panic!("not `key = text`: {line}"));
            let mut values: Vec<String> = text
                .split("{ $")
                .skip(1)
                .map(|rest| rest.split(' ').next().unwrap().to_owned())
                .collect();
            values.sort();
            values.dedup();
            assert!(found.insert(key.to_owned(), values).is_none(), "{key} occurs twice");
        }
        found
    }

    #[test]
    fn files_are_valid() {
        for (_, bundle) in &*BUNDLES {
            assert!(bundle.get_message("app-name").is_some());
        }
    }

    #[test]
    fn both_languages_have_the_same_keys_with_the_same_values() {
        assert_eq!(keys(&ZH_CN), keys(&EN));
    }

    fn is_han(c: char) -> bool {
        ('\u{4e00}'..='\u{9fff}').contains(&c)
    }

    #[test]
    fn no_text_was_left_in_the_other_language() {
        let named_alike = ["app-name", "language-en"];
        for (key, values) in keys(&EN) {
            let blank: Vec<(&str, &str)> = values.iter().map(|value| (value.as_str(), "")).collect();
            let en = find(Language::En, &key, &blank).unwrap();
            assert!(!en.chars().any(is_han) || key == "language-zh-cn", "{key} = {en}");
            let zh = find(Language::ZhCn, &key, &blank).unwrap();
            let wordless = !zh.chars().any(char::is_alphabetic);
            assert!(
                wordless || zh.chars().any(is_han) || named_alike.contains(&key.as_str()),
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
            .filter(|line| line.contains("=> (S::"))
            .filter_map(|line| line.split('"').nth(1))
            // A rule's refusal has its kind from elsewhere, and then only its title stands in the line.
            .filter(|kind| !kind.contains(' '))
            .chain([
                "ticket-closed",
                "ticket-in-call",
                "ticket-not-planned",
                "nothing-to-say",
                "ticket-not-reported",
                "no-such-status",
                "resolved-by-closing",
                "ticket-text",
                "promise-in-the-past",
                "no-promise",
                "nothing-predicted",
                "outcome-contradiction",
                "note-too-long",
            ])
            .collect();
        assert!(kinds.len() > 20, "{kinds:?}");
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
