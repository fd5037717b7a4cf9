//! For whom a connection counts, and, behind a proxy whose connections carry everybody's requests, for whom a request does.

use crate::auth::session::Session;
use crate::client::Client;
use crate::error::ApiError;
use crate::monitor;
use crate::places::{Lot, Place};
use crate::state::App;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Gives monitoring its places, and a request through a trusted proxy one of its client's. A person is known only when the
/// session is read.
pub(crate) async fn admit(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_monitoring = monitor::is_asked(request.uri().path());
    if let Some(place) = request.extensions().get::<Arc<Place>>() {
        if is_monitoring {
            place.monitoring();
        } else {
            place.other();
        }
    }
    let (mut parts, body) = request.into_parts();
    let client = Client::from_request_parts(&mut parts, &app).await;
    let client = client.ok().filter(|client| client.by_proxy && !is_monitoring);
    let Some(client) = client else {
        return next.run(Request::from_parts(parts, body)).await;
    };
    let Some(place) = behind_proxy(&app, &mut parts, client).await.map(Arc::new) else {
        app.requests.count_refusal();
        return ApiError::Busy.into_response();
    };
    // Instead of the connection's, which is the proxy's: what is known of the session counts for this request.
    parts.extensions.insert(Arc::clone(&place));
    let response = next.run(Request::from_parts(parts, body)).await;
    response.map(|body| Body::new(Held { body, _place: place }))
}

async fn behind_proxy(app: &App, parts: &mut Parts, client: Client) -> Option<Place> {
    if let Some(place) = app.requests.enter(Lot::of(client.address)) {
        return Some(place);
    }
    // Somebody who has logged in does not pay for strangers at the same address.
    let session = Session::from_request_parts(parts, app).await.ok()?;
    app.requests.enter(Lot::Person(session.token_hash))
}

/// The body of an answer, which holds a place until it is sent or given up.
struct Held {
    body: Body,
    _place: Arc<Place>,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
