//! For whom a page is made: their language, how numbers and times are written in it, and what their roles let them do.

use crate::texts;
use axum::http::{HeaderMap, header};
use hub_api::auth::session::cookie;
use hub_core::actor::{Act, Actor};
use hub_core::appointment::Slot;
use hub_core::families::Families;
use hub_core::language::Language;
use hub_core::prediction::UNKNOWN_FAULT;
use hub_words::written;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use std::sync::Arc;

/// Name of the cookie that keeps the chosen language.
pub(crate) const COOKIE: &str = "forecall_language";

/// For whom a page is made.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    pub(crate) language: Language,
    /// Zone of times without a place of their own.
    pub(crate) zone: TimeZone,
    /// What families, their channels and their faults are called.
    pub(crate) families: Arc<Families>,
    /// Who it is, if somebody has logged in.
    pub(crate) actor: Option<Actor>,
}

impl Reader {
    /// By the cookie, else by Accept-Language (RFC 9110 §12.5.4), else English.
    pub(crate) fn of(headers: &HeaderMap, zone: TimeZone, families: Arc<Families>) -> Self {
        let chosen = cookie(headers, COOKIE).and_then(parse_language);
        let asked = headers
            .get(header::ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok());
        let language = chosen.or_else(|| preferred(asked?)).unwrap_or_default();
        Self {
            language,
            zone,
            families,
            actor: None,
        }
    }

    /// Whether a page offers them this. The store refuses all others who send it.
    pub(crate) fn may(&self, act: Act) -> bool {
        self.actor.as_ref().is_some_and(|actor| actor.may(act).is_ok())
    }

    /// A text.
    pub(crate) fn t(&self, key: &str) -> String {
        texts::text(self.language, key, &[])
    }

    /// A text with values.
    pub(crate) fn with(&self, key: &str, values: &[(&str, &str)]) -> String {
        texts::text(self.language, key, values)
    }

    /// The family of an appliance with this profile.
    pub(crate) fn family<'a>(&'a self, profile: &'a str) -> &'a str {
        self.families.name(profile, self.language)
    }

    /// A channel of such an appliance.
    pub(crate) fn channel<'a>(&'a self, profile: &str, channel: &'a str) -> &'a str {
        self.families.channel(profile, channel, self.language)
    }

    /// What a prediction about such an appliance names as a cause.
    pub(crate) fn feature<'a>(&'a self, profile: &str, feature: &'a str) -> &'a str {
        self.families.feature(profile, feature, self.language)
    }

    /// A fault of such an appliance. That it is unknown is a word of our own.
    pub(crate) fn fault(&self, profile: &str, class: &str) -> String {
        match class {
            UNKNOWN_FAULT => self.t("fault-unknown-fault"),
            class => self.families.fault(profile, class, self.language).to_owned(),
        }
    }

    /// A word of an open list (reasons, speakers): what nobody has translated is shown as it is.
    pub(crate) fn word(&self, list: &str, word: &str) -> String {
        let key = format!("{list}-{}", slug(word));
        texts::find(self.language, &key, &[]).unwrap_or_else(|| word.to_owned())
    }

    /// Day and time: `22 Nov 14:05`.
    pub(crate) fn time(&self, at: Timestamp) -> String {
        written::moment(self.language, &at.to_zoned(self.zone.clone()))
    }

    /// Day: `22 Nov`.
    pub(crate) fn day(&self, at: &Zoned) -> String {
        written::day(self.language, at)
    }

    /// Day with its year: `22 Nov 2026`.
    pub(crate) fn date(&self, at: Timestamp) -> String {
        written::date(self.language, &at.to_zoned(self.zone.clone()))
    }

    /// A visit, in the zone of the place it is at: `Tuesday 24 Nov, 09:00–12:00`.
    pub(crate) fn slot(&self, slot: Slot, zone: &TimeZone) -> String {
        let (start, end) = (slot.start.to_zoned(zone.clone()), slot.end.to_zoned(zone.clone()));
        let weekday = self.t(&format!("weekday-{}", start.weekday().to_monday_one_offset()));
        let values = [
            ("weekday", weekday.as_str()),
            ("day", &self.day(&start)),
            ("from", &written::clock(&start)),
            ("to", &written::clock(&end)),
        ];
        self.with("slot", &values)
    }

    /// A share of one, in whole percent.
    pub(crate) fn percent(&self, share: f64) -> String {
        self.with("percent", &[("value", &format!("{:.0}", share * 100.0))])
    }

    /// A span of milliseconds: `8.2 s`, `1 min 5 s`.
    pub(crate) fn span(&self, ms: u64) -> String {
        if ms < 60_000 {
            let seconds = format!("{:.1}", ms as f64 / 1000.0);
            return self.with("span-seconds", &[("seconds", &seconds)]);
        }
        let (minutes, seconds) = (ms / 60_000, ms / 1000 % 60);
        let values = [("minutes", minutes.to_string()), ("seconds", seconds.to_string())];
        self.with(
            "span-minutes",
            &values.each_ref().map(|(name, value)| (*name, value.as_str())),
        )
    }
}

/// A language by its tag, whatever follows the primary part.
pub(crate) fn parse_language(tag: &str) -> Option<Language> {
    match tag.trim().split('-').next()?.to_ascii_lowercase().as_str() {
        "zh" => Some(Language::ZhCn),
        "en" => Some(Language::En),
        _ => None,
    }
}

fn preferred(header: &str) -> Option<Language> {
    let ranked = header.split(',').take(16).filter_map(|part| {
        let (tag, quality) = part.split_once(";q=").unwrap_or((part, "1"));
        let quality: f32 = quality.trim().parse().ok()?;
        (quality > 0.0).then_some((parse_language(tag)?, quality))
    });
    // The first of equals: `max_by` would take the last.
    ranked
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
        .map(|(language, _)| language)
}

/// The end of a key: lower case, with `-` for what keys cannot hold.
fn slug(word: &str) -> String {
    let lower = word.to_ascii_lowercase();
    lower
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_language_that_we_have_is_taken() {
        assert_eq!(preferred("zh-TW,zh;q=0.9,en;q=0.8"), Some(Language::ZhCn));
        assert_eq!(preferred("de, en-GB;q=0.7, zh;q=0.3"), Some(Language::En));
        assert_eq!(preferred("en;q=0, zh;q=0.1"), Some(Language::ZhCn));
        assert_eq!(preferred("fr"), None);
    }

    #[test]
    fn a_visit_is_told_in_the_time_of_its_place() {
        let reader = |language| Reader {
            language,
            zone: TimeZone::UTC,
            families: Arc::default(),
            actor: None,
        };
        let slot = Slot {
            start: "2026-11-24T01:00:00Z".parse().unwrap(),
            end: "2026-11-24T04:00:00Z".parse().unwrap(),
        };
        let shanghai = TimeZone::get("Asia/Shanghai").unwrap();
        assert_eq!(
            reader(Language::En).slot(slot, &shanghai),
            "Tuesday 24 Nov, 09:00\u{2013}12:00"
        );
        assert_eq!(
            reader(Language::ZhCn).slot(slot, &shanghai),
            "11月24日星期二 09:00\u{2013}12:00"
        );
    }
}
