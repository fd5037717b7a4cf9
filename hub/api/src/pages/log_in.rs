//! The log-in page.

use crate::auth::log_in::{SESSION, log_in};
use crate::auth::session::{COOKIE, Session, set_cookie};
use crate::client::Client;
use crate::error::{ApiError, Result};
use crate::extract::{FormBody, Query};
use crate::layout::Frame;
use crate::pages::parts::address::local;
use crate::reader::Reader;
use crate::state::{App, Inner};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
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
            let token = Some(opened.token.as_str());
            let cookie = set_cookie(COOKIE, token, SESSION.as_secs(), app.state.config.behind_tls);
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
    app.store().close_session(session.token_hash).await?;
    let cookie = set_cookie(COOKIE, None, 0, app.state.config.behind_tls);
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
