//! What all pages have around them.

use crate::assets;
use crate::reader::Reader;
use hub_api::{DemoBanner, DemoPart};
use hub_core::actor::Act;
use hub_core::language::Language;
use maud::{DOCTYPE, Markup, html};

/// The frame of a page.
pub(crate) struct Frame<'a> {
    pub(crate) demo: Option<&'a DemoBanner>,
    pub(crate) reader: &'a Reader,
    /// Log-in name, if somebody has logged in.
    pub(crate) account: Option<&'a str>,
    /// Where the page is, to come back to after a change of language.
    pub(crate) path: &'a str,
}

impl Frame<'_> {
    /// A whole page.
    pub(crate) fn page(&self, title: &str, body: &Markup) -> Markup {
        let reader = self.reader;
        html! {
            (DOCTYPE)
            html lang=(reader.language.tag()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) @if !self.is_owners() { " – " (reader.t("app-name")) } }
                    link rel="icon" href=(assets::icon()) type="image/svg+xml";
                    link rel="stylesheet" href=(assets::style());
                    @if self.account.is_some() { script src=(assets::script()) defer {} }
                }
                body {
                    a.skip href="#main" { (reader.t("skip")) }
                    (self.header())
                    @if let Some(demo) = self.demo { (banner(reader, demo)) }
                    main #main { (body) }
                }
            }
        }
    }

    /// Owners know the maker's brand and not this program's name.
    fn is_owners(&self) -> bool {
        self.path.starts_with("/claim")
    }

    fn header(&self) -> Markup {
        let reader = self.reader;
        html! {
            header.top {
                @if !self.is_owners() { a.brand href="/tickets" { (reader.t("app-name")) } }
                @if self.account.is_some() {
                    nav aria-label=(reader.t("nav")) {
                        (self.link("/tickets", "nav-tickets"))
                        (self.link("/ready-to-ring", "ready"))
                        (self.link("/appliances", "nav-appliances"))
                        @if reader.may(Act::ReadFleet) { (self.link("/models", "nav-models")) }
                        @if reader.may(Act::ReadQuarantine) { (self.link("/quarantine", "nav-quarantine")) }
                    }
                }
                div.grow {}
                (self.languages())
                @if let Some(account) = self.account {
                    form.inline method="post" action="/log-out" {
                        a.account href="/account" { (account) }
                        button.quiet { (reader.t("log-out")) }
                    }
                }
            }
        }
    }

    fn link(&self, href: &str, key: &str) -> Markup {
        let here = self.path.starts_with(href);
        html! { a href=(href) aria-current=[here.then_some("page")] { (self.reader.t(key)) } }
    }

    fn languages(&self) -> Markup {
        html! {
            form.inline method="post" action="/language" aria-label=(self.reader.t("language")) {
                input type="hidden" name="back" value=(self.path);
                @for language in Language::ALL {
                    @let key = format!("language-{}", language.tag().to_lowercase());
                    button.quiet name="language" value=(language.tag()) lang=(language.tag())
                        aria-pressed=(language == self.reader.language) { (self.reader.t(&key)) }
                }
            }
        }
    }
}

fn banner(reader: &Reader, demo: &DemoBanner) -> Markup {
    let list = |parts: &[DemoPart]| {
        let words: Vec<String> = parts
            .iter()
            .map(|part| reader.t(&format!("demo-part-{}", demo_word(*part))))
            .collect();
        words.join(&reader.t("list-comma"))
    };
    html! {
        aside.demo aria-label=(reader.t("demo")) {
            strong { (reader.t("demo")) }
            span { (reader.with("demo-simulated", &[("parts", &list(&demo.simulated))])) }
            span { (reader.with("demo-real", &[("parts", &list(&demo.real))])) }
        }
    }
}

/// The word after `demo-part-` in the translation files.
fn demo_word(part: DemoPart) -> &'static str {
    match part {
        DemoPart::Appliances => "appliances",
        DemoPart::Owners => "owners",
        DemoPart::Administrator => "administrator",
        DemoPart::Phones => "phones",
        DemoPart::Carrier => "carrier",
        DemoPart::TimeLapse => "time-lapse",
        DemoPart::Mqtt => "mqtt",
        DemoPart::Database => "database",
        DemoPart::Prediction => "prediction",
        DemoPart::Sip => "sip",
        DemoPart::Audio => "audio",
        DemoPart::Console => "console",
    }
}
