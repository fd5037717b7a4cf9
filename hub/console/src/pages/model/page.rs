//! The page of a maker's model families.

use super::{floors, scores, story};
use crate::chart;
use crate::pages::parts::address::in_query;
use crate::pages::parts::fact::fact;
use crate::pages::parts::standing::standing;
use crate::reader::Reader;
use crate::visitor::Visitor;
use hub_api::error::Result;
use hub_api::extract::Query;
use hub_api::models_list::{ShownModel, list, tenant};
use hub_core::actor::Act;
use hub_core::budget::PER_1000_MAX;
use hub_core::budget::ledger::Ledger;
use hub_core::id::TenantId;
use hub_words::written::number;
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

/// Whose models.
#[derive(Deserialize)]
pub(crate) struct Whose {
    tenant: Option<String>,
}

/// Shows the models of a maker: of one's own, or of the first.
pub(crate) async fn page(visitor: Visitor, Query(query): Query<Whose>) -> Result<Markup> {
    let actor = visitor.session.actor();
    actor.may(Act::ReadFleet)?;
    let makers = match &actor.tenant {
        Some(own) => vec![own.clone()],
        None => tenants(&visitor).await?,
    };
    let asked = match &query.tenant {
        Some(name) => Some(tenant(name)?),
        None => makers.first().cloned(),
    };
    let reader = &visitor.reader;
    let body = match &asked {
        None => html! { div.head { h1 { (reader.t("models")) } } p.card.muted { (reader.t("models-none")) } },
        Some(of) => {
            let shown = list(&visitor.app, &visitor.session, of).await?;
            render(reader, &makers, of, &shown, visitor.app.now())
        }
    };
    Ok(visitor.page(&reader.t("models"), &body))
}

/// Makers of whom somebody of the whole hub chooses one.
async fn tenants(visitor: &Visitor) -> Result<Vec<TenantId>> {
    let tallies = visitor.app.store().tallies().await?;
    Ok(tallies.into_iter().map(|tally| tally.tenant).collect())
}

pub(crate) fn render(
    reader: &Reader,
    makers: &[TenantId],
    of: &TenantId,
    shown: &[ShownModel],
    now: Timestamp,
) -> Markup {
    html! {
        div.head { h1 { (reader.t("models")) } p.muted { (reader.t("models-what")) } }
        @if makers.len() > 1 {
            nav.tabs aria-label=(reader.t("models-makers")) {
                @for maker in makers {
                    a href={ "/models?tenant=" (in_query(maker.as_str())) } aria-current=[(maker == of).then_some("page")] {
                        (maker)
                    }
                }
            }
        }
        @if shown.is_empty() { p.card.muted { (reader.t("models-none")) } }
        @for model in shown { (family(reader, of, model, now)) }
    }
}

fn family(reader: &Reader, of: &TenantId, model: &ShownModel, now: Timestamp) -> Markup {
    let (name, ledger) = (&model.budget.family, &model.budget.ledger);
    html! {
        section.card id={ "family-" (name) } {
            h2 { (name) " " span.muted { (versions(reader, &model.versions)) } }
            (scores::stops(reader, of, model, now))
            dl.facts {
                (fact(&reader.t("budget"), &budget(reader, ledger)))
                (fact(&reader.t("faults-a-year"), &html! { (hundredths(reader, ledger.faults_a_year())) }))
                (fact(&reader.t("models-watched"), &html! { (ledger.watched()) }))
                (fact(&reader.t("models-reviewed"), &html! {
                    @match ledger.reviewed_at() {
                        Some(at) => time datetime=(at) { (reader.time(at)) },
                        None => (reader.t("models-never-reviewed")),
                    }
                }))
            }
            @if reader.may(Act::SetBudgets) { (statement(reader, of, name, ledger)) }
            h3 { (reader.t("scores")) }
            (scores::table(reader, ledger))
            (floors::render(reader, model))
            h3 { (reader.t("reliability")) }
            (chart::reliability(reader, name, &model.reliability))
            h3 { (reader.t("releases")) }
            (releases(reader, model))
            (story::book(reader, &model.budget.lines))
        }
    }
}

/// By version and fault class, as far as people have judged any.
fn releases(reader: &Reader, model: &ShownModel) -> Markup {
    let family = &model.budget.family;
    let mut served = reader.families.served();
    let served = served.find(|served| served.family == *family);
    let profile = served.map_or(family.as_str(), |served| served.profile.as_str());
    html! {
        @if model.releases.is_empty() { p.muted { (reader.t("releases-none")) } }
        @for release in &model.releases {
            h4 { (reader.fault(profile, &release.predicted.fault_class)) " " span.muted { (release.predicted.model) } }
            dl.facts { (standing(reader, release)) }
        }
    }
}

fn versions(reader: &Reader, versions: &[u32]) -> String {
    if versions.is_empty() {
        return reader.t("model-not-served");
    }
    let versions: Vec<String> = versions.iter().map(u32::to_string).collect();
    reader.with(
        "model-versions",
        &[("versions", &versions.join(&reader.t("list-comma")))],
    )
}

fn budget(reader: &Reader, ledger: &Ledger) -> Markup {
    let budgets = ledger.budgets();
    let values = [
        ("tickets", number(budgets.tickets.per_1000())),
        ("calls", number(budgets.calls.per_1000())),
    ];
    html! {
        (reader.with("budget-words", &values.each_ref().map(|(name, value)| (*name, value.as_str()))))
        span.muted.reason {
            @match ledger.statement() {
                Some(stated) => (reader.with("budget-stated", &[("by", &stated.by), ("time", &reader.time(stated.at))])),
                None => (reader.t("budget-default")),
            }
        }
    }
}

/// A share in percent, with what is behind the point.
pub(super) fn hundredths(reader: &Reader, share: f64) -> String {
    reader.with("percent", &[("value", &number(100.0 * share))])
}

/// The form in which an administrator states budgets.
fn statement(reader: &Reader, of: &TenantId, family: &str, ledger: &Ledger) -> Markup {
    let budgets = ledger.budgets();
    let field = |name: &str, words: String, value: f64, least: &str, most: f64| {
        html! {
            label { (words)
                input type="number" name=(name) required step="any" min=(least) max=(most) value=(value);
            }
        }
    };
    html! {
        details {
            summary { (reader.t("budget-act")) }
            form method="post" action="/models/budget" {
                p.muted { (reader.t("budget-what")) }
                input type="hidden" name="tenant" value=(of);
                input type="hidden" name="family" value=(family);
                (field("tickets", reader.t("budget-tickets"), budgets.tickets.per_1000(), "0.001", PER_1000_MAX))
                (field("calls", reader.t("budget-calls"), budgets.calls.per_1000(), "0.001", PER_1000_MAX))
                (field("faults_percent", reader.t("budget-faults"), 100.0 * ledger.faults_a_year(), "0.01", 50.0))
                button { (reader.t("budget-state")) }
            }
        }
    }
}
