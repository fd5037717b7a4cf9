//! The page of one's own account: what it may do, and the form that changes its password.

use crate::pages::parts::fact::fact;
use crate::reader::Reader;
use crate::visitor::Visitor;
use axum::response::{IntoResponse, Response};
use hub_api::Client;
use hub_api::auth::change_password::change_password;
use hub_api::error::{ApiError, Result};
use hub_api::extract::FormBody;
use hub_core::actor::Actor;
use maud::{Markup, html};
use serde::Deserialize;

/// The form as it is sent.
#[derive(Deserialize)]
pub(crate) struct Password {
    old: String,
    new: String,
    again: String,
}

/// What came of a change, above the form.
enum Told {
    Changed,
    Problem(&'static str),
}

/// Shows the page.
pub(crate) async fn page(visitor: Visitor) -> Markup {
    whole(&visitor, None)
}

/// Changes the password, or shows the form again with the reason.
pub(crate) async fn password(visitor: Visitor, client: Client, FormBody(form): FormBody<Password>) -> Result<Response> {
    if form.new != form.again {
        let page = whole(&visitor, Some(&Told::Problem("passwords-differ")));
        return Ok((axum::http::StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    match change_password(&visitor.app, client.address, &visitor.session, form.old, form.new).await {
        Ok(()) => Ok(whole(&visitor, Some(&Told::Changed)).into_response()),
        Err(error @ (ApiError::BadLogIn | ApiError::BadPassword { .. } | ApiError::Throttled(_))) => {
            let (status, kind, _) = error.kind();
            let kind = if kind == "bad-log-in" { "old-password" } else { kind };
            Ok((status, whole(&visitor, Some(&Told::Problem(kind)))).into_response())
        }
        Err(error) => Err(error),
    }
}

fn whole(visitor: &Visitor, told: Option<&Told>) -> Markup {
    let body = render(&visitor.reader, visitor.session.actor(), told);
    visitor.page(&visitor.reader.t("account"), &body)
}

fn render(reader: &Reader, actor: &Actor, told: Option<&Told>) -> Markup {
    let comma = reader.t("list-comma");
    let list = |words: &mut dyn Iterator<Item = String>| words.collect::<Vec<_>>().join(&comma);
    let all = || reader.t("account-all");
    let roles = list(&mut actor.roles.iter().map(|role| reader.t(&format!("role-{role}"))));
    let tenant = actor.tenant().map_or_else(all, str::to_owned);
    let sites = actor.sites().map_or_else(all, |sites| list(&mut sites.iter().cloned()));
    html! {
        section.card.narrow {
            h1 { (actor.name) }
            dl.facts {
                (fact(&reader.t("account-roles"), &html! { (roles) }))
                (fact(&reader.t("account-tenant"), &html! { (tenant) }))
                (fact(&reader.t("account-sites"), &html! { (sites) }))
            }
        }
        section.card.narrow {
            h2 { (reader.t("account-password")) }
            @match told {
                Some(Told::Changed) => { p.summary role="status" { (reader.t("account-password-changed")) } }
                Some(Told::Problem(kind)) => { p.problem role="alert" { (reader.t(&format!("problem-{kind}"))) } }
                None => {}
            }
            form method="post" action="/account/password" {
                label { (reader.t("account-password-old"))
                    input name="old" type="password" autocomplete="current-password" required maxlength="256"; }
                label { (reader.t("account-password-new"))
                    input name="new" type="password" autocomplete="new-password" required minlength="12" maxlength="256"; }
                label { (reader.t("account-password-again"))
                    input name="again" type="password" autocomplete="new-password" required minlength="12" maxlength="256"; }
                button.primary { (reader.t("account-password-change")) }
            }
            p.muted { (reader.t("account-password-rule")) }
        }
    }
}
