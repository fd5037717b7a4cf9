//! Why: what the model says and the readings that show it.

use crate::chart;
use crate::pages::parts::fact::fact;
use crate::reader::Reader;
use crate::words::{band, closed, sentence};
use hub_core::finding::Finding;
use hub_store::ticket::TicketView;
use hub_words::written::number;
use maud::{Markup, html};

pub(super) fn render(reader: &Reader, view: &TicketView) -> Markup {
    html! {
        h2 #why-title { (reader.t("why")) }
        @match &view.finding {
            Some(finding) => (found(reader, &view.appliance.profile, finding)),
            None => p.muted { (reader.t("why-none")) },
        }
    }
}

fn found(reader: &Reader, profile: &str, finding: &Finding) -> Markup {
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
            (fact(&reader.t("probability"), &html! { (band(reader, prediction.probability)) }))
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
        }
    }
}
