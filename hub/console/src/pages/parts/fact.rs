//! Facts as lines of a list.

use maud::{Markup, html};

/// One line of a list of facts.
pub(crate) fn fact(name: &str, value: &Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}
