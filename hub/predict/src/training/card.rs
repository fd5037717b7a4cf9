//! What a model was made of and what it opens, for people: `CARD.md`, and the lines that the command prints.

use std::fmt::Write;

use super::classes::{DEVICES_NAMED_MIN, OfClass};
use super::judge::{Judged, OfFault, Outcome};
use super::{CardFacts, DEVICES_MIN};
use crate::manifest::Manifest;
use crate::trial::poisson;
use hub_core::budget::level::DEVICE_MONTHS_MIN;
use hub_core::prediction::UNKNOWN_FAULT;
use hub_core::release::EvidenceKind;

/// Faults that a card lists.
const LISTED_MAX: usize = 50;

pub(super) fn evidence(evidence: Option<EvidenceKind>) -> &'static str {
    match evidence {
        Some(evidence) => evidence.name(),
        None => "evidence not stated, so taken for simulated",
    }
}

/// What is said of it, each with its heading.
pub(super) fn lines(manifest: &Manifest, facts: &CardFacts, judged: &Judged) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        (
            "recordings",
            format!(
                "{} rows of {} devices in {} files ({}); {} with a known fault, which teach nothing",
                facts.rows,
                facts.devices,
                facts.files,
                evidence(facts.evidence),
                facts.faulty
            ),
        ),
        (
            "step",
            format!(
                "mean of {} s; {} of the devices are watched",
                facts.period_s, facts.watched
            ),
        ),
        ("floors", floors(manifest, facts)),
        ("conditions", conditions(manifest, facts)),
        ("thresholds", thresholds(manifest, facts)),
        ("healthy", healthy(judged)),
    ];
    if !facts.left_out.is_empty() {
        lines.push(("left out", facts.left_out.join(", ")));
    }
    if !judged.faults.is_empty() {
        lines.push(("faults", faults(manifest, judged)));
    }
    if !facts.classes.is_empty() {
        lines.push(("names", names(&facts.classes)));
    }
    lines
}

fn floors(manifest: &Manifest, facts: &CardFacts) -> String {
    match facts.floors {
        0 => format!(
            "of the table by unit: a fleet's own need {DEVICES_MIN} healthy devices, each watched for 30 days; of {} features none has them",
            manifest.features.len()
        ),
        learned => format!("{learned} learned from the fleet, the others of the table by unit"),
    }
}

fn conditions(manifest: &Manifest, facts: &CardFacts) -> String {
    let rules = manifest
        .detector
        .as_ref()
        .map_or(&[][..], |rule| rule.conditions.as_slice());
    let mut by: Vec<&str> = rules.iter().map(|rule| rule.by.as_str()).collect();
    by.sort_unstable();
    by.dedup();
    match by.is_empty() {
        true => "none: no channel tells any, or there are fewer than 1,000 steps".to_owned(),
        false => format!("{} features freed of {}", facts.conditions, by.join(", ")),
    }
}

fn thresholds(manifest: &Manifest, facts: &CardFacts) -> String {
    let threshold = manifest.baseline.threshold;
    let call = manifest.detector.as_ref().and_then(|rule| rule.call);
    let of = format!("{} whole months of healthy devices", facts.device_months);
    match (facts.device_months < DEVICE_MONTHS_MIN, call) {
        (true, _) => format!(
            "{threshold:.2} for tickets, as shipped, and none for calls: {of}, and {DEVICE_MONTHS_MIN} are needed"
        ),
        (false, Some(call)) => format!("{threshold:.2} for tickets, {call:.2} for calls, from {of}"),
        (false, None) => format!("{threshold:.2} for tickets, none for calls, from {of}"),
    }
}

fn healthy(judged: &Judged) -> String {
    let (count, months) = (judged.false_alarms, judged.device_months);
    let mut said = format!("{count} alarms in {months:.1} months of devices without a fault");
    if months >= 1.0 {
        let bounds = poisson(count);
        let per = |count: f64| 1_000.0 * count / months;
        let _ = write!(
            said,
            ": {:.1} for each 1,000 a month ({:.1} to {:.1})",
            per(count as f64),
            per(bounds.low),
            per(bounds.high)
        );
    }
    let _ = write!(said, ", {} that would have called", judged.false_calls);
    said
}

fn faults(manifest: &Manifest, judged: &Judged) -> String {
    let (found, watched) = judged.found();
    let mut said = format!("{found} of {watched} found, {} missed", watched - found);
    if judged.faults.len() > watched {
        let _ = write!(said, ", {} not watched", judged.faults.len() - watched);
    }
    if let Some(lead) = judged.lead_days() {
        let _ = write!(said, ", {lead:.1} days before their end (median)");
    }
    if manifest.detector.as_ref().is_some_and(|rule| rule.call.is_some()) {
        let called = judged.faults.iter().filter(|one| one.call).count();
        let _ = write!(said, "; {called} would have called");
    }
    let _ = write!(said, "; {} alarms of these devices at other times", judged.outside);
    said
}

/// What alarms are named, and what they are not.
fn names(classes: &[OfClass]) -> String {
    let of = |class: &OfClass| {
        let OfClass {
            name,
            word,
            found,
            devices,
            right,
            wrong,
            is_named,
        } = class;
        let named = match (is_named, *devices < DEVICES_NAMED_MIN) {
            _ if name == UNKNOWN_FAULT => "no name, since alarms without a name are called so".to_owned(),
            (true, _) => format!("{right} of {found} named by other devices with it"),
            (false, true) => {
                let devices = if *devices == 1 {
                    "1 device".to_owned()
                } else {
                    format!("{devices} devices")
                };
                format!("no name, found in {devices} where {DEVICES_NAMED_MIN} are needed")
            }
            (false, false) => format!("no name, since other devices with it name too few of {found}"),
        };
        match wrong {
            0 => format!("{word}: {named}"),
            wrong => format!("{word}: {named}, {wrong} named as something else"),
        }
    };
    let mut listed: Vec<String> = classes.iter().take(LISTED_MAX).map(of).collect();
    let more = classes.len().saturating_sub(LISTED_MAX);
    if more > 0 {
        listed.push(format!("and {more} more"));
    }
    listed.join("; ")
}

/// The card.
pub(super) fn card(manifest: &Manifest, facts: &CardFacts, judged: &Judged) -> String {
    let mut text = format!(
        "# Model card: {}\n\nFor appliances that report the channels of profile `{}`. Made by `forecall train` for the detector that needs no\n\
         network: each appliance is compared with itself. {}.\n\n",
        manifest.id(),
        manifest.profile,
        match manifest.classification.classes.is_empty() {
            true => "It names no fault, and rings nobody by itself",
            false => {
                "It names faults by the direction in which those that are known moved their devices,\nand rings about one by itself only when verdicts of closed tickets have released its class"
            }
        }
    );
    for (what, said) in lines(manifest, facts, judged) {
        let _ = writeln!(text, "- **{what}**: {said}");
    }
    text.push_str(
        "\nFigures of healthy devices are of the recordings that the model was learned from, so they are better than those of devices that it\n\
         has not seen. Of faults only those count that the maker named.\n",
    );
    if facts.evidence != Some(EvidenceKind::Fleet) {
        text.push_str("\nThe recordings are not of a fleet in use: what customers do, and a year's seasons, may not be in them.\n");
    }
    if !judged.faults.is_empty() {
        text.push_str(
            "\n| device | fault | since | found after | days before its end |\n| --- | --- | --- | --- | --- |\n",
        );
        for one in judged.faults.iter().take(LISTED_MAX) {
            text.push_str(&row(one));
        }
        let more = judged.faults.len().saturating_sub(LISTED_MAX);
        if more > 0 {
            let _ = writeln!(text, "\nand {more} more.");
        }
    }
    text
}

fn row(one: &OfFault) -> String {
    let clean = |text: &str| text.replace(['|', '\n', '\r'], " ");
    let (after, lead) = match one.outcome {
        Outcome::Found { after_days, lead_days } => (
            format!("{after_days:.1} days"),
            lead_days.map_or_else(|| "–".to_owned(), |lead| format!("{lead:.1}")),
        ),
        Outcome::Missed => ("missed".to_owned(), "–".to_owned()),
        Outcome::NotWatched => ("not watched".to_owned(), "–".to_owned()),
    };
    let (device, class) = (clean(&one.fault.device), clean(&one.fault.class));
    format!("| {device} | {class} | {} | {after} | {lead} |\n", one.fault.since)
}
