//! The words of calls, in translation files.

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::resolver::ResolverError;
use fluent_bundle::resolver::errors::ReferenceKind;
use fluent_bundle::{FluentArgs, FluentError, FluentResource};
use hub_core::language::Language;

const ZH: &str = include_str!("../i18n/zh-CN/call.ftl");
const EN: &str = include_str!("../i18n/en/call.ftl");

/// Why a translation file cannot be used. Only a broken build can show this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// The file does not parse or names a text twice.
    #[error("the call's texts in {0} do not parse")]
    Broken(&'static str),
    /// A text is missing or refers to an unknown value.
    #[error("the call's text {message:?} in {language} is missing or wants an unknown value")]
    Message {
        /// The file's language.
        language: &'static str,
        /// The text's name.
        message: String,
    },
}

/// The calls' texts in all languages.
pub struct Texts {
    zh: FluentBundle<FluentResource>,
    en: FluentBundle<FluentResource>,
}

impl Texts {
    /// Reads the built-in translation files.
    pub fn new() -> Result<Self, TextError> {
        Ok(Self {
            zh: bundle(Language::ZhCn, ZH)?,
            en: bundle(Language::En, EN)?,
        })
    }

    fn bundle(&self, language: Language) -> &FluentBundle<FluentResource> {
        match language {
            Language::ZhCn => &self.zh,
            Language::En => &self.en,
        }
    }

    /// Whether there is a text of this name.
    pub fn has(&self, language: Language, name: &str) -> bool {
        self.bundle(language).has_message(name)
    }

    /// The text of this name, with the values that it needs.
    pub fn fill(&self, language: Language, name: &str, args: &FluentArgs<'_>) -> Result<String, TextError> {
        match self.format(language, name, Some(args)) {
            Some((text, errors)) if errors.is_empty() => Ok(text),
            _ => Err(TextError::Message {
                language: language.tag(),
                message: name.to_owned(),
            }),
        }
    }

    /// The names of the values that a text needs; none if there is no such text.
    pub fn needs(&self, language: Language, name: &str) -> Vec<String> {
        // Formatted without any, it complains of each.
        let (_, errors) = self.format(language, name, None).unwrap_or_default();
        let needed = errors.into_iter().filter_map(|error| match error {
            FluentError::ResolverError(ResolverError::Reference(ReferenceKind::Variable { id })) => Some(id),
            _ => None,
        });
        needed.collect()
    }

    fn format(
        &self,
        language: Language,
        name: &str,
        args: Option<&FluentArgs<'_>>,
    ) -> Option<(String, Vec<FluentError>)> {
        let bundle = self.bundle(language);
        let pattern = bundle.get_message(name)?.value()?;
        let mut errors = Vec::new();
        let text = bundle.format_pattern(pattern, args, &mut errors).into_owned();
        Some((text, errors))
    }
}

/// The name of the text that is said of a term for which nobody has words.
pub fn any_term(value: &str) -> String {
    format!("{value}-other")
}

fn bundle(language: Language, source: &str) -> Result<FluentBundle<FluentResource>, TextError> {
    let broken = || TextError::Broken(language.tag());
    let resource = FluentResource::try_new(source.to_owned()).map_err(|_| broken())?;
    let tag = language.tag().parse().map_err(|_| broken())?;
    let mut bundle = FluentBundle::new_concurrent(vec![tag]);
    // Isolation marks are for screens; a voice stumbles over them.
    bundle.set_use_isolating(false);
    bundle.add_resource(resource).map_err(|_| broken())?;
    Ok(bundle)
}
