//! An attempt to reach the owner.

use crate::reader::Reader;
use crate::words::closed;
use hub_core::contact::ContactAttempt;
use maud::{Markup, html};

/// An attempt in a line.
pub(crate) fn line(reader: &Reader, attempt: &ContactAttempt) -> Markup {
    html! {
        time datetime=(attempt.started_at) { (reader.time(attempt.started_at)) } " – "
        (closed(reader, "direction", &attempt.direction)) (reader.t("colon"))
        @match attempt.result {
            Some(result) => (reader.t(&format!("result-{}", result.as_str().replace('_', "-")))),
            None => (closed(reader, "attempt", &attempt.state)),
        }
        @if let Some(disposition) = attempt.disposition {
            (reader.t("comma")) (reader.t(&format!("disposition-{}", disposition.as_str().replace('_', "-"))))
        }
    }
}
