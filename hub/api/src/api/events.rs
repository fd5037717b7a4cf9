//! GET /api/v1/events: what changes, as server-sent events, without a gap and without an end.

use crate::auth::session::{Session, wall_clock};
use crate::error::{ApiError, Problem, Result};
use crate::extract::Query;
use crate::news::BATCH;
use crate::state::{App, Inner};
use crate::streams::OpenStream;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName};
use axum::response::IntoResponse;
use axum::response::sse::{Event as Frame, KeepAlive, Sse};
use hub_core::actor::Act;
use hub_store::event::{Event, EventCursor};
use serde::Deserialize;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio::time::{Instant, interval_at};
use utoipa::IntoParams;

/// Events that wait for a slow reader.
const WAITING_MAX: usize = 64;
/// A reader that takes nothing for this long is cut off; it resumes by Last-Event-ID.
const STALLED: Duration = Duration::from_secs(30);
/// A comment goes out after this much silence: proxies cut off what says nothing for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How often the session is looked at again.
const SESSION_CHECK: Duration = Duration::from_secs(30);
/// Tells nginx, and proxies that learned it from there, to pass each event on at once.
const UNBUFFERED: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsQuery {
    /// Id of the last event seen, if there is no Last-Event-ID header. Without both, only what is new.
    #[param(pattern = "^[0-9]{1,19}(-[0-9]{1,19}){0,2}$")]
    after: Option<String>,
}

/// Streams events in an order that misses nothing. Each has an `id`; send the last one as Last-Event-ID to resume.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", operation_id = "streamEvents",
    params(EventsQuery, ("Last-Event-ID" = Option<String>, Header, description = "Id of the last event seen")),
    responses(
        (status = 200, description = "Events: `data` is JSON with `kind`, `at`, `tenant`, `ticket`, `appliance`", content_type = "text/event-stream", body = String),
        (status = 400, description = "Unreadable id", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "All streams are in use, or all of this log-in", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    headers: HeaderMap,
    Query(query): Query<EventsQuery>,
) -> Result<impl IntoResponse> {
    session.actor().may(Act::ReadEvents)?;
    let place = app.streams.open(session.token_hash).ok_or(ApiError::StreamsFull)?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let asked = match last.or(query.after.as_deref()) {
        Some(text) => Some(
            text.parse::<EventCursor>()
                .map_err(|_| ApiError::BadRequest("this is no event id; send one as it came".to_owned()))?,
        ),
        None => None,
    };
    // Before the position is read from which this reader begins: what comes in between is told by one or the other.
    let news = crate::news::follow(&app).await?;
    let cursor = match asked {
        Some(cursor) => cursor,
        None => app.store().event_head().await?,
    };
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    let reader = Reader {
        app,
        session,
        cursor,
        sender,
        _place: place,
    };
    tokio::spawn(reader.serve(news));
    let stream = futures::stream::unfold(receiver, async |mut receiver| {
        let frame: Frame = receiver.recv().await?;
        Some((Ok::<_, Infallible>(frame), receiver))
    });
    Ok((
        [UNBUFFERED],
        Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)),
    ))
}

/// Who reads a stream, and how far they are.
struct Reader {
    app: App,
    session: Session,
    cursor: EventCursor,
    sender: mpsc::Sender<Frame>,
    _place: OpenStream,
}

impl Reader {
    /// Carries events to the reader until the reader, the session or the program ends.
    async fn serve(mut self, mut news: broadcast::Receiver<Arc<Event>>) {
        // The head first: a reader that is cut off before the first event still knows where to resume.
        let hello = Frame::default().id(self.cursor.to_string()).event("hello").data("{}");
        let mut goes_on = self.deliver(hello).await && self.catch_up().await;
        let mut check = interval_at(Instant::now() + SESSION_CHECK, SESSION_CHECK);
        while goes_on {
            goes_on = tokio::select! {
                told = news.recv() => match told {
                    // Only the store knows at which site an appliance is. What it has not shown by now it never shows.
                    Ok(event) if self.session.actor().sites.is_some() => {
                        let goes_on = !self.session.actor().includes(&event.tenant) || self.catch_up().await;
                        self.cursor = self.cursor.max(event.cursor);
                        goes_on
                    }
                    Ok(event) => self.tell(&event).await,
                    Err(RecvError::Lagged(_)) => self.catch_up().await,
                    // The reader resumes where it was.
                    Err(RecvError::Closed) => false,
                },
                _ = check.tick() => still_logged_in(&self.app, &self.session).await,
                () = self.sender.closed() => false,
                () = self.app.stop.cancelled() => false,
            };
        }
    }

    /// Tells what the store has after the cursor.
    async fn catch_up(&mut self) -> bool {
        loop {
            let (store, actor) = (self.app.store(), self.session.actor());
            let found = store.events_after(actor, self.cursor, BATCH).await;
            match found {
                Ok(events) if events.is_empty() => return true,
                Ok(events) => {
                    for event in events {
                        if self.app.stop.is_cancelled() || !self.tell(&event).await {
                            return false;
                        }
                    }
                }
                Err(error) => {
                    if self.app.tells("stream") {
                        tracing::warn!(%error, "event stream ended: store unavailable");
                    }
                    return false;
                }
            }
        }
    }

    /// Tells an event once, if it is for this reader.
    async fn tell(&mut self, event: &Event) -> bool {
        if event.cursor <= self.cursor {
            return true;
        }
        self.cursor = event.cursor;
        if !self.session.actor().includes(&event.tenant) {
            return true;
        }
        let data = serde_json::json!({
            "kind": event.kind, "at": event.at, "tenant": event.tenant,
            "ticket": event.ticket, "appliance": event.appliance,
        });
        let frame = Frame::default().id(event.cursor.to_string()).data(data.to_string());
        self.deliver(frame).await
    }

    async fn deliver(&self, frame: Frame) -> bool {
        self.sender.send_timeout(frame, STALLED).await.is_ok()
    }
}

async fn still_logged_in(app: &Inner, session: &Session) -> bool {
    let account = app.store().session(session.token_hash, wall_clock()).await;
    // With other roles than it was opened with, a stream ends: it is opened again by what counts now.
    matches!(account, Ok(Some(account)) if account.actor == session.account.actor)
}
