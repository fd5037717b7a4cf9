//! The last sections: what would have been opened, what it was worth against the service dates, and what to do next.

use super::pieces::{LISTED_MAX, fact, more, name, table};
use super::plot;
use super::words::{Words, number, shown, signed, time};
use hub_predict::trial::COOL_DOWN_DAYS;
use hub_predict::trial::report::{DeviceReport, Moved, Opening, Rate, Report, Services, Share};
use maud::{Markup, html};

/// Device-months below which a rate of 1 in 1,000 cannot be shown.
const MONTHS_ENOUGH: f64 = 1_000.0;

pub(super) fn openings(words: &Words, report: &Report) -> Markup {
    let step = [
        ("threshold", number(report.step.threshold)),
        ("hold", report.step.hold.to_string()),
        ("days", COOL_DOWN_DAYS.to_string()),
    ];
    let opened = || {
        report
            .devices
            .iter()
            .flat_map(|device| device.openings.iter().map(move |opening| (device, opening)))
    };
    html! {
        section {
            h2 { (words.t("openings")) }
            p { (words.filled("openings-lead", &step)) }
            @if let Some(rate) = &report.rates.opened {
                p { (words.t("rate-opened")) ": " (rated(words, rate)) }
            }
            p.note { (words.t("never-rings")) }
            @if opened().next().is_none() {
                p { (words.t("openings-none")) }
            } @else {
                (listed(words, report, opened()))
                (more(words, opened().count()))
            }
            @for device in &report.devices {
                (course(words, report, device))
            }
        }
    }
}

fn listed<'r>(words: &Words, report: &Report, opened: impl Iterator<Item = (&'r DeviceReport, &'r Opening)>) -> Markup {
    let mut headings = vec!["device", "opened-at", "#score", "moved"];
    headings.extend(report.services.as_ref().map(|_| "outcome"));
    table(
        words,
        &headings,
        html! {
            @for (device, opening) in opened.take(LISTED_MAX) {
                tr {
                    td { (name(&device.name)) }
                    td.t { (time(opening.at)) }
                    td.n { (number(opening.score)) }
                    td {
                        @for moved in &opening.moved { div { (moved_by(words, moved)) } }
                        @if opening.again { div.muted { (words.t("again")) } }
                        @if opening.slow { div.muted { (words.t("slow")) } }
                    }
                    @if let Some(outcome) = opening.outcome {
                        td { (words.of("outcome", &outcome)) }
                    }
                }
            }
        },
    )
}

/// How much a channel moved, in its unit, as a part of what is normal, and in floors.
fn moved_by(words: &Words, moved: &Moved) -> String {
    let (channel, floors) = (shown(&moved.channel), signed(moved.floors, 2));
    let normal = words.value(moved.normal, &moved.unit);
    let Some(now) = moved.now else {
        let values = [("channel", channel.as_str()), ("floors", &floors), ("normal", &normal)];
        return words.with("moved-silent", &values);
    };
    let change = match moved.normal {
        0.0 => signed(now, 3),
        normal => format!("{} %", signed((now - normal) / normal.abs() * 100.0, 1)),
    };
    let now = words.value(now, &moved.unit);
    let values = [
        ("channel", channel.as_str()),
        ("now", &now),
        ("normal", &normal),
        ("change", &change),
        ("floors", &floors),
    ];
    words.with("moved-value", &values)
}

fn course(words: &Words, report: &Report, device: &DeviceReport) -> Markup {
    let Some(plot) = &device.plot else {
        return html! {};
    };
    let highest = device.highest.as_ref().filter(|_| device.openings.is_empty());
    html! {
        h3 { (name(&device.name)) }
        @if let Some(highest) = highest {
            p { (words.with("highest", &[("score", &number(highest.score)), ("at", &time(highest.at))])) }
        }
        (plot::draw(words, report, device, plot))
    }
}

fn rated(words: &Words, rate: &Rate) -> String {
    let values = [
        ("rate", number(rate.per_1000)),
        ("low", number(rate.bounds.low)),
        ("high", number(rate.bounds.high)),
        ("count", rate.count.to_string()),
        ("months", number(rate.device_months)),
    ];
    words.filled("rate-bounds", &values)
}

pub(super) fn services(words: &Words, report: &Report) -> Markup {
    html! {
        section {
            h2 { (words.t("services")) }
            @match &report.services {
                None => { p { (words.t("services-none")) } },
                Some(services) => { (against(words, report, services)) },
            }
        }
    }
}

fn against(words: &Words, report: &Report, services: &Services) -> Markup {
    let days = services.within_days.to_string();
    let lead = services.lead_days_median.map_or_else(|| words.t("none"), number);
    html! {
        p { (words.with("services-within", &[("days", &days)])) }
        dl {
            (fact(&words.t("services-found"), shared(words, &services.found)))
            (fact(&words.t("services-missed"), services.missed))
            (fact(&words.t("services-lead"), lead))
            (fact(&words.t("services-followed"), shared(words, &services.followed)))
            (fact(&words.t("services-without"), services.without_service))
            @if let Some(rate) = &report.rates.without_service {
                (fact(&words.with("rate-without", &[("days", &days)]), rated(words, rate)))
            }
            (fact(&words.with("services-early", &[("days", &days)]), services.too_early))
            (fact(&words.t("services-not-watched"), services.not_watched))
            (fact(&words.t("services-unknown"), services.unknown_devices))
            (fact(&words.t("services-refused"), services.refused))
        }
        p.muted { (words.t("bounds-say")) }
        (table(words, &["device", "service-at", "service-lead"], html! {
            @for service in services.services.iter().take(LISTED_MAX) {
                tr {
                    td { (name(&service.device)) }
                    td.t { (time(service.at)) }
                    td {
                        @match service.lead_days {
                            Some(days) => { (words.with("service-lead-days", &[("days", &number(days))])) },
                            None if service.watched => { (words.t("service-missed")) },
                            None => { (words.t("service-not-watched")) },
                        }
                    }
                }
            }
        }))
        (more(words, services.services.len()))
    }
}

fn shared(words: &Words, share: &Share) -> String {
    let (count, of) = (share.count.to_string(), share.of.to_string());
    let Some(bounds) = share.bounds else {
        return words.with("share", &[("count", &count), ("of", &of)]);
    };
    let percent = |share: f64| format!("{:.0}", share * 100.0);
    let (low, high) = (percent(bounds.low), percent(bounds.high));
    words.with(
        "share-bounds",
        &[("count", &count), ("of", &of), ("low", &low), ("high", &high)],
    )
}

pub(super) fn next(words: &Words, report: &Report) -> Markup {
    let unknown: Vec<String> = report
        .watched_channels()
        .filter(|channel| channel.floor_unit.is_none())
        .map(|channel| shown(&channel.name))
        .collect();
    html! {
        section {
            h2 { (words.t("next")) }
            ul {
                @if unknown.is_empty() {
                    li { (words.t("next-units-done")) }
                } @else {
                    li { (words.with("next-units", &[("channels", &unknown.join(", "))])) }
                }
                @if report.rates.device_months < MONTHS_ENOUGH { li { (words.t("next-long")) } }
                @if report.services.is_none() { li { (words.t("next-services")) } }
                li { (words.t("next-review")) }
                li { (words.t("next-profile")) }
            }
        }
    }
}
