//! The words of calls, in translation files.

use hub_words::{TextError, Texts};

const ZH_CN: &str = include_str!("../i18n/zh-CN/call.ftl");
const EN: &str = include_str!("../i18n/en/call.ftl");

/// Reads the built-in translation files.
pub(crate) fn load() -> Result<Texts, TextError> {
    Texts::load(&[ZH_CN], &[EN])
}

/// The name of the text that is said of a term for which nobody has words.
pub(crate) fn any_term(value: &str) -> String {
    format!("{value}-other")
}

#[cfg(test)]
mod tests {
    #[test]
    fn both_languages_have_the_same_texts_with_the_same_values() {
        assert_eq!(super::load().unwrap().differences(), [""; 0]);
    }
}
