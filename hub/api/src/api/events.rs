//! GET /api/v1/events: what changes, as server-sent events, without a gap and without an end.

use crate::auth::session::{Session, wall_clock};
use crate::error::{ApiError, Problem, Result};
use crate::extract::Query;
use crate::state::{App, Inner};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event as Frame, KeepAlive, Sse};
use futures::Stream;
use hub_store::event::{Event, EventCursor};
use serde::Deserialize;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;
use utoipa::IntoParams;

/// Events read from the store at once.
const BATCH: usize = 100;
/// Events that wait for a slow reader.
const WAITING_MAX: usize = 64;
/// A reader that takes nothing for this long is let go; it resumes by Last-Event-ID.
const STALLED: Duration = Duration::from_secs(30);
/// Longest wait for news before the store is asked again.
const PATIENCE: Duration = Duration::from_secs(1);
/// A comment goes out after this much silence.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How often the session is looked at again.
const SESSION_CHECK: Duration = Duration::from_secs(30);

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsQuery {
    /// Id of the last event seen, if there is no Last-Event-ID header. Without both, only what is new.
    after: Option<String>,
}

/// Streams events in an order that misses nothing. Each has an `id`; send the last one as Last-Event-ID to resume.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", operation_id = "streamEvents",
    params(EventsQuery, ("Last-Event-ID" = Option<String>, Header, description = "Id of the last event seen")),
    responses(
        (status = 200, description = "Events: `data` is JSON with `kind`, `at`, `tenant`, `ticket`, `appliance`", content_type = "text/event-stream", body = String),
        (status = 400, description = "Unreadable id", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "All streams are in use", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    headers: HeaderMap,
    Query(query): Query<EventsQuery>,
) -> Result<Sse<impl Stream<Item = std::result::Result<Frame, Infallible>>>> {
    let permit = app
        .streams
        .clone()
        .try_acquire_owned()
        .map_err(|_| ApiError::StreamsFull)?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let cursor = match last.or(query.after.as_deref()) {
        Some(text) => text
            .parse()
            .map_err(|_| ApiError::BadRequest(format!("{text:?} is no event id")))?,
        None => app.store().event_head().await?,
    };
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    tokio::spawn(pump(app, session, cursor, sender, permit));
    let stream = futures::stream::unfold(receiver, async |mut receiver| {
        let frame = receiver.recv().await?;
        Some((Ok(frame), receiver))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// Carries events from the store to one reader until the reader, the session or the program ends.
async fn pump(
    app: App,
    session: Session,
    mut cursor: EventCursor,
    sender: mpsc::Sender<Frame>,
    _permit: OwnedSemaphorePermit,
) {
    // The head first: a reader that is cut off before the first event still knows where to resume.
    let hello = Frame::default().id(cursor.to_string()).event("hello").data("{}");
    let mut delivered = deliver(&sender, hello).await;
    let mut checked = Instant::now();
    while delivered {
        if checked.elapsed() >= SESSION_CHECK {
            checked = Instant::now();
            if !still_logged_in(&app, &session).await {
                return;
            }
        }
        delivered = match app.store().events_after(session.scope(), cursor, BATCH).await {
            Ok(events) if events.is_empty() => tokio::select! {
                () = app.store().event_arrived(PATIENCE) => true,
                () = sender.closed() => false,
                () = app.stop.cancelled() => false,
            },
            Ok(events) => {
                cursor = events.last().map_or(cursor, |event| event.cursor);
                deliver_all(&sender, events).await
            }
            // The reader resumes where it was.
            Err(error) => {
                if app.tells("stream") {
                    tracing::warn!(%error, "event stream ended: store unavailable");
                }
                false
            }
        };
    }
}

async fn still_logged_in(app: &Inner, session: &Session) -> bool {
    let account = app.store().session(session.token_hash, wall_clock()).await;
    matches!(account, Ok(Some(_)))
}

async fn deliver_all(sender: &mpsc::Sender<Frame>, events: Vec<Event>) -> bool {
    for event in events {
        let data = serde_json::json!({
            "kind": event.kind, "at": event.at, "tenant": event.tenant,
            "ticket": event.ticket, "appliance": event.appliance,
        });
        let frame = Frame::default().id(event.cursor.to_string()).data(data.to_string());
        if !deliver(sender, frame).await {
            return false;
        }
    }
    true
}

async fn deliver(sender: &mpsc::Sender<Frame>, frame: Frame) -> bool {
    sender.send_timeout(frame, STALLED).await.is_ok()
}
