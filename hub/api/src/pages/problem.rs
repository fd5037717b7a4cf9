//! Problems as a person reads them.

use crate::error::{ApiError, Fault, ProblemKind};
use crate::layout::Frame;
use crate::monitor;
use crate::pages::parts::address::in_query;
use crate::reader::Reader;
use crate::visitor::path_and_query;
use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::tz::TimeZone;
use maud::html;

/// Turns the problem of a page's handler into a page, and "not logged in" into the log-in form.
pub(crate) async fn as_page(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    // A form that was sent too late leads back to the page it stood on, not to an address that only takes forms.
    let path = path_and_query(&parts);
    let back = match parts.method {
        Method::GET => path,
        _ => path.rsplit_once('/').map_or("/", |(page, _)| page).to_owned(),
    };
    let reader = Reader::of(&parts.headers, TimeZone::UTC);
    let response = next.run(Request::from_parts(parts, body)).await;
    match response.extensions().get::<ProblemKind>() {
        None => response,
        Some(ProblemKind("not-logged-in")) => {
            Redirect::to(&format!("/log-in?back={}", in_query(&back))).into_response()
        }
        Some(ProblemKind(kind)) => {
            let mut page = page(&reader, kind, &back, &response);
            if let Some(fault) = response.extensions().get::<Fault>() {
                page.extensions_mut().insert(fault.clone());
            }
            page
        }
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
    if let Some(wait) = response.headers().get(header::RETRY_AFTER) {
        page.headers_mut().insert(header::RETRY_AFTER, wait.clone());
    }
    page
}

/// Says what the parts below every handler refuse without a word; what is refused is a page for people, a problem for programs.
pub(crate) async fn in_words(request: Request, next: Next) -> Response {
    let reader = (!is_of_programs(request.uri().path())).then(|| Reader::of(request.headers(), TimeZone::UTC));
    let response = said(next.run(request).await);
    match (reader, response.extensions().get::<ProblemKind>().copied()) {
        (Some(reader), Some(ProblemKind(kind))) => page(&reader, kind, "/tickets", &response),
        _ => response,
    }
}

fn is_of_programs(path: &str) -> bool {
    path.starts_with("/api/") || path.starts_with("/assets/") || monitor::is_asked(path)
}

/// The router, the bound of bodies and the deadline know statuses only.
fn said(response: Response) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_page = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if is_page || response.extensions().get::<ProblemKind>().is_some() {
        return response;
    }
    match response.status() {
        // The router adds Allow behind this.
        StatusCode::METHOD_NOT_ALLOWED => ApiError::MethodNotAllowed.into_response(),
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLong.into_response(),
        StatusCode::GATEWAY_TIMEOUT => ApiError::Late.into_response(),
        _ => response,
    }
}
