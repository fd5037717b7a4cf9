//! Lines of log that a request can cause: a few a second of each kind, and what was not shown as a number.

use crate::error::Fault;
use crate::state::{App, Inner};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use hub_core::lines::WINDOW;
use tokio::time::{Instant, sleep};

impl Inner {
    /// Whether a line of this kind is to be written now; if not, it is counted.
    pub(crate) fn tells(&self, kind: &'static str) -> bool {
        self.lines.shows(kind, Instant::now().into_std())
    }
}

/// Logs what failed on our side, whatever page or problem the client gets.
pub(crate) async fn faults(State(app): State<App>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    match response.extensions().get::<Fault>() {
        Some(Fault::Away { cause }) if app.tells("store_away") => {
            tracing::warn!(cause, "request failed: store unavailable");
        }
        Some(Fault::Damaged { error, cause }) if app.tells("damaged") => {
            tracing::error!(error, cause, "request failed: stored value damaged");
        }
        Some(Fault::Password) if app.tells("password_damaged") => {
            tracing::error!("log-in failed: stored password hash damaged");
        }
        _ => {}
    }
    response
}

/// Tells about what was not logged, until the listener ends.
pub(crate) async fn tell(app: App) {
    while app.stop.run_until_cancelled(sleep(WINDOW)).await.is_some() {
        for (kind, more) in app.lines.over(Instant::now().into_std()) {
            tracing::warn!(kind, more, "more lines about requests, not written");
        }
    }
}
