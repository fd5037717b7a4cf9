//! The book of a family: what happened to its ledger, newest first.

use super::page::hundredths;
use super::scores::name;
use crate::reader::Reader;
use hub_core::budget::change::LedgerChange;
use hub_store::budget::LedgerLine;
use hub_words::written::number;
use maud::{Markup, html};

pub(super) fn book(reader: &Reader, lines: &[LedgerLine]) -> Markup {
    html! {
        @if !lines.is_empty() {
            details {
                summary { (reader.t("book")) }
                ol.plain {
                    @for line in lines {
                        li {
                            time datetime=(line.at) { (reader.time(line.at)) } " "
                            span.muted { (reader.word("speaker", &line.by)) } (reader.t("colon"))
                            (told(reader, &line.change))
                        }
                    }
                }
            }
        }
    }
}

fn told(reader: &Reader, change: &LedgerChange) -> String {
    let (key, values) = match change {
        LedgerChange::Stated { budgets, faults_a_year } => (
            "book-stated",
            vec![
                ("tickets", number(budgets.tickets.per_1000())),
                ("calls", number(budgets.calls.per_1000())),
                ("faults", hundredths(reader, *faults_a_year)),
            ],
        ),
        LedgerChange::Renewed {
            model,
            tickets,
            calls,
            would_open,
            device_months,
            ..
        } => (
            match calls {
                Some(_) => "book-renewed",
                None => "book-renewed-no-calls",
            },
            vec![
                ("model", name(reader, model)),
                ("tickets", number(*tickets)),
                ("calls", number(calls.unwrap_or_default())),
                ("false", would_open.unconfirmed.to_string()),
                ("months", device_months.to_string()),
            ],
        ),
        LedgerChange::Stopped {
            model,
            tickets,
            expected,
        } => (
            "book-stopped",
            vec![
                ("model", name(reader, model)),
                ("tickets", tickets.to_string()),
                ("expected", number(*expected)),
            ],
        ),
        LedgerChange::Released { model, reason, until } => (
            "book-released",
            vec![
                ("model", name(reader, model)),
                ("reason", reason.clone()),
                ("until", reader.time(*until)),
            ],
        ),
    };
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    reader.with(key, &values)
}
