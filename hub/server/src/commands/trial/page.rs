//! The report as one page that needs nothing else: its style is in it, it has no script and names no address.

use super::data;
use super::found;
use super::watched;
use super::words::{Words, number, shown};
use hub_predict::trial::report::{FORMAT, Report};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("page.css");
/// Whatever a name from the file might smuggle in: nothing is loaded and nothing runs.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Draws the page.
pub(super) fn page(words: &Words, report: &Report) -> String {
    let title = words.with("title", &[("file", &shown(&report.file))]);
    let page = html! {
        (DOCTYPE)
        html lang=(words.language.tag()) {
            head {
                meta charset="utf-8";
                // By this a later trial knows that it may replace the file.
                meta name="generator" content=(FORMAT);
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (title) }
                    p.muted { (words.t("lead")) }
                    (cards(words, report))
                    (data::section(words, report))
                    (watched::section(words, report))
                    (watched::baselines(words, report))
                    (found::openings(words, report))
                    (found::services(words, report))
                    (found::next(words, report))
                }
            }
        }
    };
    page.into_string()
}

fn cards(words: &Words, report: &Report) -> Markup {
    let openings: usize = report.devices.iter().map(|device| device.openings.len()).sum();
    let cards = [
        (report.devices.len().to_string(), "card-devices"),
        (report.watched().count().to_string(), "card-watched"),
        (number(report.rates.device_months), "card-months"),
        (openings.to_string(), "card-opened"),
    ];
    html! {
        ul.cards {
            @for (count, what) in cards {
                li { b { (count) } (words.t(what)) }
            }
        }
    }
}
