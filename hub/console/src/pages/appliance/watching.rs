//! Whether an appliance is watched, on its page and in the list.

use crate::pages::parts::fact::fact;
use crate::reader::Reader;
use crate::words::{closed, code};
use hub_core::watching::{WatchState, Watching};
use maud::{Markup, html};

/// The state, what is wrong with it, and the readings that were left out.
pub(super) fn render(reader: &Reader, profile: &str, told: &Watching) -> Markup {
    let warn = |text: &str| html! { p.warn { span aria-hidden="true" { "▲" } " " (text) } };
    let state = html! {
        (mark(reader, profile, told))
        @if let Some(at) = told.since {
            " " span.muted { (reader.with("presence-since", &[("time", &reader.time(at))])) }
        }
        @if let Some(model) = &told.model { p.muted { (by(reader, model)) } }
        @if told.several_states { (warn(&reader.t("watch-several-states"))) }
        @if let (WatchState::Calibrating, Some(channel)) = (told.state, &told.unsteady) {
            (warn(&unsteady(reader, profile, channel)))
        }
        @if told.missing > 0 && told.state != WatchState::ChannelsMissing { (warn(&missing(reader, told))) }
    };
    html! {
        (fact(&reader.t("watch"), &state))
        @if !told.unjudged.is_empty() { (fact(&reader.t("watch-unjudged"), &unjudged(reader, told))) }
    }
}

/// The state alone, with the reason where it is not watched.
pub(super) fn mark(reader: &Reader, profile: &str, told: &Watching) -> Markup {
    let (sign, kind) = match told.state {
        WatchState::Watched => ("●", "good"),
        WatchState::Calibrating | WatchState::NoReadings => ("○", "muted"),
        WatchState::NoModel
        | WatchState::TooSeldom
        | WatchState::ChannelsMissing
        | WatchState::TimesPassed
        | WatchState::CannotCalibrate => ("▲", "warn"),
    };
    html! { span class=(kind) { span aria-hidden="true" { (sign) } " " (state(reader, profile, told)) } }
}

fn state(reader: &Reader, profile: &str, told: &Watching) -> String {
    match told.state {
        WatchState::Calibrating => {
            let [done, of] = [told.calibrated, told.calibration].map(|count| count.to_string());
            reader.with("watch-calibrating", &[("done", &done), ("of", &of)])
        }
        WatchState::TooSeldom => {
            let [every, needs] = [told.every_ms, told.needs_ms].map(|ms| seconds(reader, ms));
            reader.with("watch-too-seldom", &[("every", &every), ("needs", &needs)])
        }
        WatchState::ChannelsMissing => {
            let why = missing(reader, told);
            reader.with("watch-channels-missing", &[("why", &why)])
        }
        WatchState::CannotCalibrate => {
            let why = unsteady(reader, profile, told.unsteady.as_deref().unwrap_or_default());
            reader.with("watch-cannot-calibrate", &[("why", &why)])
        }
        WatchState::NoReadings | WatchState::NoModel | WatchState::Watched | WatchState::TimesPassed => {
            closed(reader, "watch", &told.state)
        }
    }
}

/// Which model watches it; of the one that the hub brings for any profile what that is.
fn by(reader: &Reader, model: &str) -> String {
    let key = match model.split_once('/') {
        Some(("generic", _)) => "watch-by-generic",
        _ => "watch-by",
    };
    reader.with(key, &[("model", model)])
}

fn unsteady(reader: &Reader, profile: &str, channel: &str) -> String {
    reader.with("watch-unsteady", &[("channel", reader.feature(profile, channel))])
}

/// In seconds, however many: what the two are compared by.
fn seconds(reader: &Reader, ms: u64) -> String {
    let seconds = (ms as f64 / 100.0).round() / 10.0;
    reader.with("span-seconds", &[("seconds", &seconds.to_string())])
}

fn missing(reader: &Reader, told: &Watching) -> String {
    let [missing, of] = [told.missing, told.channels].map(|count| count.to_string());
    reader.with("watch-missing", &[("missing", &missing), ("of", &of)])
}

fn unjudged(reader: &Reader, told: &Watching) -> Markup {
    html! {
        ul.plain {
            @for (why, count) in &told.unjudged {
                li data-reason=(code(why)) { (closed(reader, "unjudged", why)) ": " (count) }
            }
        }
    }
}
