//! Problems as a person reads them.

use crate::layout::Frame;
use crate::pages::parts::address::in_query;
use crate::reader::Reader;
use crate::visitor::path_and_query;
use axum::extract::Request;
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use hub_api::error::{ProblemKind, carry_over};
use hub_api::monitor;
use jiff::tz::TimeZone;
use maud::html;
use std::sync::Arc;

/// Turns the problem of a page's handler into a page, and "not logged in" into the log-in form.
pub(crate) async fn as_page(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    // A form that was sent too late leads back to the page it stood on, not to an address that only takes forms.
    let path = path_and_query(&parts);
    let back = match parts.method {
        Method::GET => path,
        _ => path.rsplit_once('/').map_or("/", |(page, _)| page).to_owned(),
    };
    let reader = Reader::of(&parts.headers, TimeZone::UTC, Arc::default());
    let response = next.run(Request::from_parts(parts, body)).await;
    match response.extensions().get::<ProblemKind>() {
        None => response,
        Some(ProblemKind("not-logged-in")) => {
            Redirect::to(&format!("/log-in?back={}", in_query(&back))).into_response()
        }
        Some(ProblemKind(kind)) => page(&reader, kind, &back, &response),
    }
}

fn page(reader: &Reader, kind: &str, back: &str, response: &Response) -> Response {
    let title = reader.t("problem");
    let body = html! {
        section.card.narrow {
            h1 { (title) }
            p.problem role="alert" { (reader.t(&format!("problem-{kind}"))) }
            p { a.button href=(back) { (reader.t("problem-back")) } }
        }
    };
    let frame = Frame {
        demo: None,
        reader,
        account: None,
        path: back,
    };
    let mut page = (response.status(), frame.page(&title, &body)).into_response();
    carry_over(response, &mut page);
    page
}

/// Shows what is refused in front of every page as a page; programs get the problem itself.
pub(crate) async fn in_front(request: Request, next: Next) -> Response {
    let reader =
        (!is_of_programs(request.uri().path())).then(|| Reader::of(request.headers(), TimeZone::UTC, Arc::default()));
    let response = next.run(request).await;
    match (reader, response.extensions().get::<ProblemKind>().copied()) {
        (Some(reader), Some(ProblemKind(kind))) => page(&reader, kind, "/tickets", &response),
        _ => response,
    }
}

fn is_of_programs(path: &str) -> bool {
    path.starts_with("/api/") || path.starts_with("/assets/") || monitor::is_asked(path)
}
