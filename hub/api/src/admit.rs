//! For whom the connection of a request counts.

use crate::monitor;
use crate::places::Place;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use std::sync::Arc;

/// Gives monitoring its places. A person is known only when the session is read.
pub(crate) async fn admit(request: Request, next: Next) -> Response {
    if let Some(place) = request.extensions().get::<Arc<Place>>() {
        if monitor::is_asked(request.uri().path()) {
            place.monitoring();
        } else {
            place.other();
        }
    }
    next.run(request).await
}
