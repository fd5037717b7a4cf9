//! Quarantine: payloads that were not taken, with the reason, and reading them again.

use crate::pages::parts::address::in_query;
use crate::reader::Reader;
use crate::visitor::Visitor;
use axum::response::Redirect;
use hub_api::error::Result;
use hub_api::extract::{FormBody, Query};
use hub_api::quarantine_list::{QuarantineQuery, is_cut, list, readable};
use hub_api::quarantine_replay::{Replay, ReplayFilter, act};
use hub_core::actor::Act;
use hub_store::page::Page;
use hub_store::quarantine::QuarantineEntry;
use maud::{Markup, html};
use serde::Deserialize;

/// Characters of a payload that are shown at once; the API has all of it.
const SHOWN_MAX: usize = 600;

/// What the last replay came to, as the address carries it.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Told {
    pub(super) stored: Option<usize>,
    pub(super) refused: Option<usize>,
}

/// Shows a page of the list.
pub(crate) async fn page(
    visitor: Visitor,
    Query(query): Query<QuarantineQuery>,
    Query(told): Query<Told>,
) -> Result<Markup> {
    let held = list(&visitor.app, &visitor.session, &query).await?;
    let body = render(&visitor.reader, &query, told, &held);
    Ok(visitor.page(&visitor.reader.t("quarantine"), &body))
}

/// One payload, or all that the filter finds.
#[derive(Deserialize)]
pub(crate) struct ReplayForm {
    id: Option<i64>,
    #[serde(default)]
    appliance: String,
    #[serde(default)]
    reason: String,
}

/// Reads payloads again and shows what came of it.
pub(crate) async fn replay(visitor: Visitor, FormBody(form): FormBody<ReplayForm>) -> Result<Redirect> {
    let filter = ReplayFilter {
        appliance: form.appliance.parse().ok(),
        reason: Some(form.reason).filter(|text| !text.is_empty()),
    };
    let body = Replay {
        ids: form.id.into_iter().collect(),
        filter: form.id.is_none().then_some(filter),
        after: None,
    };
    let done = act(&visitor.app, &visitor.session, body).await?;
    let (stored, refused) = (done.stored + done.repeated, done.refused.len());
    Ok(Redirect::to(&format!("/quarantine?stored={stored}&refused={refused}")))
}

pub(crate) fn render(reader: &Reader, query: &QuarantineQuery, told: Told, held: &Page<QuarantineEntry>) -> Markup {
    html! {
        div.head { h1 { (reader.t("quarantine")) } p.muted { (reader.t("quarantine-what")) } }
        @if let (Some(stored), Some(refused)) = (told.stored, told.refused) {
            p.summary role="status" {
                (reader.with("quarantine-replayed", &[("stored", &stored.to_string()), ("refused", &refused.to_string())]))
            }
        }
        (search(reader, query))
        @if held.items.is_empty() { p.card.muted { (reader.t("quarantine-none")) } }
        @else {
            (table(reader, &held.items))
            @if reader.may(Act::ReplayQuarantine) { (replay_all(reader, query)) }
        }
        nav.paging aria-label=(reader.t("paging")) {
            @if let Some(next) = &held.next {
                a.button href=(address(query, next)) { (reader.t("paging-next")) }
            }
        }
    }
}

fn search(reader: &Reader, query: &QuarantineQuery) -> Markup {
    html! {
        form.search method="get" action="/quarantine" {
            label { (reader.t("quarantine-reason-holds"))
                input name="reason" maxlength="200" value=(query.reason.as_deref().unwrap_or_default()); }
            @if let Some(appliance) = query.appliance {
                input type="hidden" name="appliance" value=(appliance);
            }
            button { (reader.t("search")) }
        }
    }
}

fn replay_all(reader: &Reader, query: &QuarantineQuery) -> Markup {
    html! {
        form method="post" action="/quarantine/replay" {
            input type="hidden" name="appliance" value=[query.appliance];
            input type="hidden" name="reason" value=(query.reason.as_deref().unwrap_or_default());
            button { (reader.t("quarantine-replay-all")) }
        }
    }
}

fn table(reader: &Reader, held: &[QuarantineEntry]) -> Markup {
    let label = |column: &str| reader.t(&format!("column-{column}"));
    html! {
        table.cards {
            thead { tr {
                @for column in ["received", "appliance", "reason", "payload", "act"] { th scope="col" { (label(column)) } }
            } }
            tbody { @for held in held { (row(reader, held)) } }
        }
    }
}

fn row(reader: &Reader, held: &QuarantineEntry) -> Markup {
    let label = |column: &str| reader.t(&format!("column-{column}"));
    let kept = &held.kept;
    let text = readable(&kept.payload);
    let shown: String = text.chars().take(SHOWN_MAX).collect();
    html! {
        tr {
            td data-label=(label("received")) { time datetime=(kept.received_at) { (reader.time(kept.received_at)) } }
            td data-label=(label("appliance")) {
                a href={ "/appliances/" (kept.appliance) } { (held.device) }
                span.reason.muted { (kept.topic) }
            }
            td data-label=(label("reason")) { (kept.reason) }
            td data-label=(label("payload")) {
                details {
                    summary { (reader.with("payload-bytes", &[("bytes", &kept.payload.len().to_string())])) }
                    pre.payload { (shown) @if shown.len() < text.len() { "…" } }
                }
            }
            td data-label=(label("act")) {
                @if is_cut(held) { span.muted { (reader.t("quarantine-cut")) } }
                @else if reader.may(Act::ReplayQuarantine) {
                    form.inline method="post" action="/quarantine/replay" {
                        button name="id" value=(held.number) { (reader.t("quarantine-replay")) }
                    }
                }
            }
        }
    }
}

/// Where older payloads are.
fn address(query: &QuarantineQuery, after: &str) -> String {
    let mut address = format!("/quarantine?after={after}");
    if let Some(appliance) = query.appliance {
        address.push_str(&format!("&appliance={appliance}"));
    }
    if let Some(reason) = &query.reason {
        address.push_str(&format!("&reason={}", in_query(reason)));
    }
    address
}
