//! One look at the store for all event streams, so that five hundred readers cost it as much as one.

use crate::state::App;
use hub_core::actor::Actor;
use hub_core::ticket::HUB;
use hub_store::error::Result;
use hub_store::event::{Event, EventCursor};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;

/// Events read from the store at once.
pub(crate) const BATCH: usize = 100;
/// Events that a stream may be behind; one that is further behind reads them from the store.
const BEHIND_MAX: usize = 1_024;
/// Longest wait for news before the store is asked again.
const PATIENCE: Duration = Duration::from_secs(1);

/// Events of all tenants in their order, from some position before this call on. A reader that asks the store after this call, and
/// then takes from here what comes behind the store's last, misses none. It ends when the store cannot be read.
pub(crate) async fn follow(app: &App) -> Result<broadcast::Receiver<Arc<Event>>> {
    let mut news = app.streams.news.lock().await;
    if let Some(sender) = news.as_ref() {
        return Ok(sender.subscribe());
    }
    let head = app.store().event_head().await?;
    let (sender, receiver) = broadcast::channel(BEHIND_MAX);
    *news = Some(sender.clone());
    drop(news);
    tokio::spawn(tell(Arc::clone(app), sender, head));
    Ok(receiver)
}

/// Tells what comes until nobody listens, the store cannot be read, or the program stops.
async fn tell(app: App, sender: broadcast::Sender<Arc<Event>>, mut cursor: EventCursor) {
    loop {
        match app.store().events_after(&Actor::hub(HUB), cursor, BATCH).await {
            Ok(events) if events.is_empty() => tokio::select! {
                () = app.store().event_arrived(PATIENCE) => {}
                () = app.stop.cancelled() => break,
            },
            Ok(events) => {
                for event in events {
                    cursor = event.cursor;
                    // Nobody listens: seen below.
                    let _ = sender.send(Arc::new(event));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "event streams ended: store unavailable");
                break;
            }
        }
        // Locked, so that nobody subscribes between the look and the end.
        let mut news = app.streams.news.lock().await;
        if sender.receiver_count() == 0 {
            *news = None;
            return;
        }
    }
    *app.streams.news.lock().await = None;
}
