//! Whether an appliance is there, and when it last said something.

use crate::reader::Reader;
use hub_store::site::ApplianceView;
use maud::{Markup, html};

/// Online or not, since when, and why.
pub(super) fn presence(reader: &Reader, view: &ApplianceView) -> Markup {
    let (sign, kind, key) = match view.online {
        true => ("●", "good", "online"),
        false => ("○", "muted", "offline"),
    };
    html! {
        span class=(kind) { span aria-hidden="true" { (sign) } " " (reader.t(key)) }
        @if let Some(at) = view.presence_at {
            " " span.muted { (reader.with("presence-since", &[("time", &reader.time(at))])) }
        }
        @if !view.online && !view.presence_reason.is_empty() {
            " " span.muted { (why(reader, &view.presence_reason)) }
        }
    }
}

/// Why the last session ended: a code, and a sentence for the maker's log behind it.
fn why(reader: &Reader, reason: &str) -> String {
    reader.word("presence", reason.split_once(": ").map_or(reason, |(code, _)| code))
}

/// When its last sample was taken.
pub(super) fn last_sample(reader: &Reader, view: &ApplianceView) -> String {
    view.last_sample_at.map_or_else(|| "–".to_owned(), |at| reader.time(at))
}
