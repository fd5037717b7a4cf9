//! The first section: what the export is like.

use super::pieces::{LISTED_MAX, fact, more, name, table};
use super::words::{Words, number, shown, time};
use hub_predict::trial::DeviceBy;
use hub_predict::trial::report::{ChannelQuality, DeviceQuality, Quality, Report};
use maud::{Markup, html};

pub(super) fn section(words: &Words, report: &Report) -> Markup {
    let quality = &report.quality;
    html! {
        section {
            h2 { (words.t("data")) }
            dl {
                (fact(&words.t("data-rows"), quality.rows_read))
                (fact(&words.t("data-refused"), quality.refused.iter().map(|refusal| refusal.count).sum::<usize>()))
                (fact(&words.t("data-devices"), quality.devices.len()))
                (fact(&words.t("data-span"), span(words, quality)))
                (fact(&words.t("data-time"), name(&quality.time_column)))
                (fact(&words.t("data-device"), device_column(words, quality)))
                @if !quality.text_columns.is_empty() {
                    (fact(&words.t("data-texts"), name(&quality.text_columns.join(", "))))
                }
                (times(words, quality))
            }
            @if !quality.refused.is_empty() {
                h3 { (words.t("data-refused")) }
                (table(words, &["reason", "#count", "#first-line"], html! {
                    @for refusal in &quality.refused {
                        tr {
                            td { (words.of("refused", &refusal.reason)) }
                            td.n { (refusal.count) }
                            td.n { (refusal.first_line) }
                        }
                    }
                }))
            }
            h3 { (words.t("channels")) }
            (channels(words, quality))
            details {
                summary { (words.t("devices")) }
                (devices(words, quality))
            }
        }
    }
}

fn span(words: &Words, quality: &Quality) -> String {
    match (quality.from, quality.to) {
        (Some(from), Some(to)) => words.with("data-span-value", &[("from", &time(from)), ("to", &time(to))]),
        _ => words.t("none"),
    }
}

fn device_column(words: &Words, quality: &Quality) -> String {
    let column = shown(quality.device_column.as_deref().unwrap_or_default());
    match quality.device_found_by {
        DeviceBy::Name => words.with("data-device-name", &[("column", &column)]),
        DeviceBy::Shape => words.with("data-device-shape", &[("column", &column)]),
        DeviceBy::None => words.t("data-device-none"),
    }
}

/// What is odd about the times, over all devices.
fn times(words: &Words, quality: &Quality) -> Markup {
    let sum = |of: fn(&DeviceQuality) -> usize| quality.devices.iter().map(of).sum::<usize>();
    let first = |of: fn(&DeviceQuality) -> Option<usize>| quality.devices.iter().filter_map(of).min();
    let found = [
        (
            "data-back",
            sum(|device| device.back),
            first(|device| device.first_back_line),
        ),
        (
            "data-leaps",
            sum(|device| device.leaps),
            first(|device| device.first_leap_line),
        ),
        ("data-duplicates", sum(|device| device.duplicates), None),
        ("data-same-time", sum(|device| device.same_time), None),
        ("data-gaps", sum(|device| device.gaps), None),
    ];
    html! {
        @for (key, count, line) in found {
            (fact(&words.t(key), counted(words, count, line)))
        }
    }
}

fn counted(words: &Words, count: usize, line: Option<usize>) -> String {
    match line {
        Some(line) => words.with(
            "count-first-line",
            &[("count", &count.to_string()), ("line", &line.to_string())],
        ),
        None => count.to_string(),
    }
}

fn channels(words: &Words, quality: &Quality) -> Markup {
    let headings = [
        "channel",
        "unit",
        "seems",
        "#values",
        "#missing",
        "#unreadable",
        "#range",
        "#stuck",
    ];
    table(
        words,
        &headings,
        html! {
            @for channel in &quality.channels {
                tr {
                    td { (name(&channel.name)) }
                    td { (shown(&channel.unit)) }
                    td { (words.of("kind", &channel.kind)) }
                    td.n { (channel.values) }
                    td.n { (channel.missing) }
                    td.n { (counted(words, channel.unreadable, channel.first_unreadable_line)) }
                    td.n { (range(words, channel)) }
                    td.n { (words.with("stuck-value", &[("count", &channel.stuck_devices.to_string())])) }
                }
            }
        },
    )
}

fn range(words: &Words, channel: &ChannelQuality) -> String {
    match (channel.lowest, channel.highest) {
        (Some(low), Some(high)) => words.with("range-value", &[("low", &number(low)), ("high", &number(high))]),
        _ => words.t("none"),
    }
}

fn devices(words: &Words, quality: &Quality) -> Markup {
    let seconds = |seconds: Option<f64>| seconds.map_or_else(|| words.t("none"), |seconds| words.span(seconds));
    let headings = ["device", "#rows", "#interval", "#longest-gap", "data-span"];
    html! {
        (table(words, &headings, html! {
            @for device in quality.devices.iter().take(LISTED_MAX) {
                tr {
                    td { (name(&device.name)) }
                    td.n { (device.rows) }
                    td.n { (seconds(device.interval_s)) }
                    td.n { (seconds(device.longest_gap_s)) }
                    td.t {
                        @if let (Some(from), Some(to)) = (device.from, device.to) {
                            (words.with("data-span-value", &[("from", &time(from)), ("to", &time(to))]))
                        }
                    }
                }
            }
        }))
        (more(words, quality.devices.len()))
    }
}
