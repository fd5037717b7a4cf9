//! The choice of language, kept in a cookie.

use crate::pages::parts::address::local;
use crate::reader::{self, parse_language};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Redirect};
use hub_api::App;
use hub_api::auth::session::set_cookie;
use hub_api::extract::FormBody;
use serde::Deserialize;

/// A year, in seconds.
const KEPT: i64 = 31_536_000;

/// Which language, and where to go back to.
#[derive(Deserialize)]
pub(crate) struct Choice {
    language: String,
    back: String,
}

/// Keeps the choice and goes back.
pub(crate) async fn choose(State(app): State<App>, FormBody(choice): FormBody<Choice>) -> impl IntoResponse {
    let language = parse_language(&choice.language).unwrap_or_default();
    let cookie = set_cookie(reader::COOKIE, Some(language.tag()), KEPT, app.state.config.behind_tls);
    ([(header::SET_COOKIE, cookie)], Redirect::to(local(&choice.back)))
}
