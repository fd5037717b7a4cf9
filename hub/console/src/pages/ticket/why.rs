//! Why: what the model says and the readings that show it.

use crate::chart;
use crate::pages::parts::fact::fact;
use crate::reader::Reader;
use crate::words::{band, closed, sentence};
use hub_core::finding::Finding;
use hub_core::prediction::FaultPrediction;
use hub_core::release::{Release, Unreleased};
use hub_store::ticket::TicketView;
use hub_words::written::number;
use maud::{Markup, html};

pub(super) fn render(reader: &Reader, view: &TicketView) -> Markup {
    html! {
        h2 #why-title { (reader.t("why")) }
        @match &view.finding {
            Some(finding) => (found(reader, &view.appliance.profile, finding, view.release.as_ref())),
            None => p.muted { (reader.t("why-none")) },
        }
    }
}

fn found(reader: &Reader, profile: &str, finding: &Finding, release: Option<&Release>) -> Markup {
    let prediction = &finding.prediction;
    html! {
        ol.sensors {
            @for sensor in &prediction.top {
                li {
                    (sentence(reader, profile, sensor))
                    span.muted.share { (reader.with("share", &[("percent", &reader.percent(f64::from(sensor.share)))])) }
                }
            }
        }
        (chart::evidence(reader, profile, &finding.evidence))
        dl.facts {
            (fact(&reader.t("probability"), &html! {
                (band(reader, prediction.probability))
                span.muted.reason { (stands_on(reader, prediction)) }
            }))
            (fact(&reader.t("score"), &html! {
                (reader.with("score-of-threshold", &[("score", &number(f64::from(prediction.score)))]))
            }))
            (fact(&reader.t("time-left"), &html! { (reader.t("time-left-not-estimated")) }))
            (fact(&reader.t("since"), &html! {
                time datetime=(prediction.since) { (reader.time(prediction.since)) }
            }))
            (fact(&reader.t("seen"), &html! {
                (reader.with("seen-count", &[("count", &finding.count.to_string())])) " "
                (closed(reader, "finding", &finding.state))
            }))
            (fact(&reader.t("model"), &html! {
                (prediction.model)
                @if let Some(hash) = &prediction.model_hash { " " code title=(hash) { (hash.get(..12).unwrap_or(hash)) } }
            }))
            @if let Some(release) = release { (standing(reader, release)) }
        }
    }
}

/// What people made of such predictions, and what that is good for. Approvals are counted apart from verdicts: they say that a call was
/// worth it, not that the fault was there.
fn standing(reader: &Reader, release: &Release) -> Markup {
    let verdicts = release.verdicts();
    let judged = verdicts.right.saturating_add(verdicts.wrong);
    let counted = [("right", verdicts.right.to_string()), ("judged", judged.to_string())];
    let counted = counted.each_ref().map(|(name, value)| (*name, value.as_str()));
    let needed = release
        .verdicts_needed()
        .map_or(String::new(), |needed| needed.to_string());
    let decided = [
        ("approved", release.tally.approved.to_string()),
        ("refused", release.tally.refused.to_string()),
    ];
    let decided = decided.each_ref().map(|(name, value)| (*name, value.as_str()));
    html! {
        (fact(&reader.t("evidence-kind"), &html! { (closed(reader, "evidence-kind", &release.basis.kind)) }))
        (fact(&reader.t("release"), &html! {
            (reader.with("release-verdicts", &counted)) (reader.t("comma"))
            @match release.withheld() {
                None => (reader.t("release-released")),
                Some(Unreleased::NoNamedFault) => (reader.t("release-no-named-fault")),
                Some(Unreleased::TooFewVerdicts | Unreleased::TooOftenWrong) => {
                    (reader.with("release-needed", &[("needed", &needed)]))
                },
            }
        }))
        (fact(&reader.t("release-decided"), &html! { (reader.with("release-decided-count", &decided)) }))
    }
}

/// What the probability stands on: with its count, or the model alone.
fn stands_on(reader: &Reader, prediction: &FaultPrediction) -> String {
    let Some(counted) = prediction.verdicts else {
        return reader.t("probability-of-model");
    };
    let (right, all) = (counted.right.to_string(), counted.all().to_string());
    let counted = reader.with("right-of", &[("right", &right), ("all", &all)]);
    reader.with("probability-counted", &[("counted", &counted)])
}
