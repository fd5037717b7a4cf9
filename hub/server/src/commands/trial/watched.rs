//! The second and the third section: what is watched and what not, and each unit's own normal.

use super::pieces::{LISTED_MAX, more, name, table};
use super::words::{Words, number, shown};
use hub_predict::trial::report::{DeviceReport, Report, Watch, is_watched};
use maud::{Markup, html};

pub(super) fn section(words: &Words, report: &Report) -> Markup {
    let thin: u32 = report.devices.iter().map(|device| device.thin_steps).sum();
    let (count, of) = (report.watched().count().to_string(), report.devices.len().to_string());
    html! {
        section {
            h2 { (words.t("watched")) }
            p { (step(words, report)) }
            p { (running(words, report)) }
            h3 { (words.t("channels-watched")) }
            p {
                @for (n, channel) in report.watched_channels().enumerate() {
                    @if n > 0 { ", " }
                    (name(&channel.name))
                }
                @if report.watched_channels().next().is_none() { (words.t("none")) }
            }
            (channels_not(words, report))
            h3 { (words.t("devices")) }
            p { (words.with("devices-watched", &[("count", &count), ("of", &of)])) }
            (devices_not(words, report))
            (lacking(words, report))
            @if thin > 0 {
                p.muted { (words.with("thin", &[("count", &thin.to_string())])) }
            }
        }
    }
}

fn step(words: &Words, report: &Report) -> String {
    let values = [
        ("period", words.span(report.step.period_s)),
        ("interval", words.span(report.step.interval_s)),
        ("calibration", report.step.calibration.to_string()),
    ];
    words.filled("step", &values)
}

fn running(words: &Words, report: &Report) -> String {
    let Some(running) = &report.running else {
        return words.t("running-none");
    };
    let key = if running.named {
        "running-named"
    } else {
        "running-found"
    };
    let values = [
        ("channel", shown(&running.channel)),
        ("from", number(running.from)),
        ("rows", running.idle_rows.to_string()),
    ];
    words.filled(key, &values)
}

fn channels_not(words: &Words, report: &Report) -> Markup {
    let channels = report.quality.channels.iter();
    let mut left_out = channels
        .filter(|channel| !is_watched(channel.kind, report.step.period_s))
        .peekable();
    html! {
        @if left_out.peek().is_some() {
            h3 { (words.t("channels-not")) }
            (table(words, &["channel", "seems", "why"], html! {
                @for channel in left_out {
                    tr {
                        td { (name(&channel.name)) }
                        td { (words.of("kind", &channel.kind)) }
                        td { (words.of("why", &channel.kind)) }
                    }
                }
            }))
        }
    }
}

/// Why a device is watched or not.
pub(super) fn watch(words: &Words, report: &Report, device: &DeviceReport) -> String {
    match &device.watch {
        Watch::Watched => words.t("watch-watched"),
        Watch::TooFewSteps { have, need } => words.with(
            "watch-too-few-steps",
            &[("have", &have.to_string()), ("need", &need.to_string())],
        ),
        Watch::TooSeldom { every_s } => {
            let values = [
                ("every", words.span(*every_s as f64)),
                ("period", words.span(report.step.period_s)),
            ];
            words.filled("watch-too-seldom", &values)
        }
        Watch::SeveralStates { channel } => words.with("watch-several-states", &[("channel", &shown(channel))]),
        Watch::NoChannel => words.t("watch-no-channel"),
    }
}

fn devices_not(words: &Words, report: &Report) -> Markup {
    let left_out = || report.devices.iter().filter(|device| device.watch != Watch::Watched);
    html! {
        @if left_out().next().is_some() {
            (table(words, &["device", "why"], html! {
                @for device in left_out().take(LISTED_MAX) {
                    tr {
                        td { (name(&device.name)) }
                        td { (watch(words, report, device)) }
                    }
                }
            }))
            (more(words, left_out().count()))
        }
    }
}

fn lacking(words: &Words, report: &Report) -> Markup {
    let devices = || report.devices.iter().filter(|device| !device.lacking.is_empty());
    html! {
        @if devices().next().is_some() {
            h3 { (words.t("lacking")) }
            (table(words, &["device", "channel", "why"], html! {
                @for device in devices().take(LISTED_MAX) {
                    @for lacking in &device.lacking {
                        tr {
                            td { (name(&device.name)) }
                            td { (name(&lacking.channel)) }
                            td { (words.of("lack", &lacking.why)) }
                        }
                    }
                }
            }))
            (more(words, devices().count()))
        }
    }
}

pub(super) fn baselines(words: &Words, report: &Report) -> Markup {
    html! {
        section {
            h2 { (words.t("baselines")) }
            p { (words.with("baselines-lead", &[("calibration", &report.step.calibration.to_string())])) }
            @for device in report.watched().take(LISTED_MAX) {
                details {
                    summary { (name(&device.name)) }
                    (baseline(words, device))
                }
            }
            @if report.watched().next().is_none() { p { (words.t("none")) } }
            (more(words, report.watched().count()))
        }
    }
}

fn baseline(words: &Words, device: &DeviceReport) -> Markup {
    table(
        words,
        &["channel", "#centre", "#floor", "#noise"],
        html! {
            @for baseline in &device.baselines {
                tr {
                    td { (name(&baseline.channel)) }
                    td.n { (words.value(baseline.centre, &baseline.unit)) }
                    td.n { (words.value(baseline.floor, &baseline.unit)) }
                    td.n { (words.value(baseline.noise, &baseline.unit)) }
                }
            }
        },
    )
}
