//! What monitoring reads: `/metrics`, `/healthz` and `/readyz`.

mod metrics;
mod ready;
mod render;

use crate::state::App;
use axum::Router;
use axum::routing::get;
use hub_core::accepting::Accepting;
use hub_core::metric::Metric;
use std::fmt;
use std::sync::Arc;

/// How the API asks the other parts of the hub how they are. All are asked at every look and must answer at once.
#[derive(Clone)]
pub struct Monitor {
    /// What they count.
    pub metrics: Arc<dyn Fn() -> Vec<Metric> + Send + Sync>,
    /// What keeps the hub from taking work: part and reason, for an administrator. Empty: nothing.
    pub problems: Arc<dyn Fn() -> Vec<(&'static str, String)> + Send + Sync>,
    /// What an administrator has to know although the hub takes work, in the same form.
    pub notices: Arc<dyn Fn() -> Vec<(&'static str, String)> + Send + Sync>,
    /// How all listeners of the hub fare, this one's among them: told with the notices.
    pub accepting: Arc<Accepting>,
}

/// Nothing is counted and nothing is wrong.
impl Default for Monitor {
    fn default() -> Self {
        Self {
            metrics: Arc::new(Vec::new),
            problems: Arc::new(Vec::new),
            notices: Arc::new(Vec::new),
            accepting: Arc::default(),
        }
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Monitor")
    }
}

/// Whether monitoring asks: it has places of its own.
pub(crate) fn is_asked(path: &str) -> bool {
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
