//! The log-in page.

use crate::layout::Frame;
use crate::pages::parts::address::local;
use crate::reader::Reader;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use hub_api::Client;
use hub_api::auth::log_in::{log_in, no_cookie};
use hub_api::auth::session::Session;
use hub_api::error::{ApiError, Result};
use hub_api::extract::{FormBody, Query};
use hub_api::{App, Inner, session_close};
use maud::{Markup, html};
use serde::Deserialize;

/// Where to go afterwards.
#[derive(Deserialize)]
pub(crate) struct Back {
    #[serde(default)]
    back: String,
}

/// The form as it is sent.
#[derive(Deserialize)]
pub(crate) struct LogIn {
    name: String,
    password: String,
    #[serde(default)]
    back: String,
}

/// Shows the form.
pub(crate) async fn form(State(app): State<App>, reader: Reader, Query(query): Query<Back>) -> Markup {
    render(&app, &reader, &query.back, None)
}

/// Logs in, or shows the form again with the reason.
pub(crate) async fn submit(
    State(app): State<App>,
    client: Client,
    reader: Reader,
    FormBody(form): FormBody<LogIn>,
) -> Result<Response> {
    match log_in(&app, client.address, form.name.trim(), form.password).await {
        Ok(opened) => {
            let cookie = opened.cookie(app.state.config.behind_tls);
            Ok(([(header::SET_COOKIE, cookie)], Redirect::to(local(&form.back))).into_response())
        }
        Err(error @ (ApiError::BadLogIn | ApiError::Throttled(_))) => {
            let (status, kind, _) = error.kind();
            let page = render(&app, &reader, &form.back, Some(kind));
            Ok((status, page).into_response())
        }
        Err(error) => Err(error),
    }
}

/// Ends the session.
pub(crate) async fn log_out(State(app): State<App>, session: Session) -> Result<Response> {
    session_close::act(&app, &session).await?;
    let cookie = no_cookie(app.state.config.behind_tls);
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/log-in")).into_response())
}

fn render(app: &Inner, reader: &Reader, back: &str, problem: Option<&str>) -> Markup {
    let body = html! {
        section.card.narrow {
            h1 { (reader.t("log-in")) }
            @if let Some(problem) = problem {
                p.problem role="alert" { (reader.t(&format!("problem-{problem}"))) }
            }
            form method="post" action="/log-in" {
                input type="hidden" name="back" value=(local(back));
                label { (reader.t("log-in-name"))
                    input name="name" autocomplete="username" required maxlength="64" autofocus; }
                label { (reader.t("log-in-password"))
                    input name="password" type="password" autocomplete="current-password" required maxlength="256"; }
                button.primary { (reader.t("log-in")) }
            }
            p.muted { (reader.t("log-in-hint")) }
        }
    };
    Frame {
        demo: app.state.demo.as_ref(),
        reader,
        account: None,
        path: "/log-in",
    }
    .page(&reader.t("log-in"), &body)
}
