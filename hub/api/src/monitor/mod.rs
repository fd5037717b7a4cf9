//! What monitoring reads: `/metrics`, `/healthz` and `/readyz`.

mod metrics;
pub(crate) mod questions;
mod ready;
mod render;

use crate::state::App;
use axum::Router;
use axum::routing::get;

/// Whether monitoring asks: it has places of its own.
pub fn is_asked(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz" | "/metrics")
}

/// Whether health is asked for: it is told under any name, since it holds no secret and a load balancer calls the hub by its own.
pub(crate) fn is_health(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz")
}

/// Routes of monitoring.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready::handle))
        .route("/metrics", get(metrics::handle))
}
