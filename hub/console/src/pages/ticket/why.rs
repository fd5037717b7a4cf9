//! Why: what the model says and the readings that show it.

use crate::chart;
use crate::pages::parts::fact::fact;
use crate::pages::parts::standing::standing;
use crate::reader::Reader;
use crate::words::{band, closed, sentence};
use hub_core::finding::Finding;
use hub_core::prediction::FaultPrediction;
use hub_core::release::Release;
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
            @if let Some(opinion) = &prediction.second_opinion {
                (fact(&reader.t("second-opinion"), &html! { (closed(reader, "second-opinion", opinion)) }))
            }
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

/// What the probability stands on: with its count, or the model alone.
fn stands_on(reader: &Reader, prediction: &FaultPrediction) -> String {
    let Some(counted) = prediction.verdicts else {
        return reader.t("probability-of-model");
    };
    let (right, all) = (counted.right.to_string(), counted.all().to_string());
    let counted = reader.with("right-of", &[("right", &right), ("all", &all)]);
    reader.with("probability-counted", &[("counted", &counted)])
}
