//! What the script fills on pages that stay open.

use crate::reader::Reader;
use maud::{Markup, html};

/// Where the script says that something new is there; empty without it.
pub(crate) fn live_note(reader: &Reader) -> Markup {
    html! {
        p #live-note role="status" data-updated=(reader.t("live-updated")) {
            button.quiet #live-show type="button" hidden { (reader.t("live-show")) }
            span #live-text {}
        }
    }
}
