//! Pieces that the sections of the page are made of.

use super::words::{Words, shown};
use maud::{Markup, html};

/// Devices and services that a list shows; all of them are in the JSON.
pub(super) const LISTED_MAX: usize = 200;

/// A table that is scrolled by itself on a narrow screen; headings of columns of numbers begin with `#`.
pub(super) fn table(words: &Words, headings: &[&str], rows: Markup) -> Markup {
    html! {
        div.scroll {
            table {
                thead {
                    tr {
                        @for heading in headings {
                            @match heading.strip_prefix('#') {
                                Some(key) => { th.n scope="col" { (words.t(key)) } },
                                None => { th scope="col" { (words.t(heading)) } },
                            }
                        }
                    }
                }
                tbody { (rows) }
            }
        }
    }
}

/// How many a list does not show.
pub(super) fn more(words: &Words, all: usize) -> Markup {
    html! {
        @if all > LISTED_MAX {
            p.muted { (words.with("more", &[("n", &(all - LISTED_MAX).to_string())])) }
        }
    }
}

/// A name from the file: whichever way it is written, it turns nothing beside it.
pub(super) fn name(name: &str) -> Markup {
    html! { bdi { (shown(name)) } }
}

/// A term and what is said of it.
pub(super) fn fact(term: &str, said: impl maud::Render) -> Markup {
    html! {
        dt { (term) }
        dd { (said) }
    }
}
