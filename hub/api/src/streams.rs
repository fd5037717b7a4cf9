//! Event streams: who holds how many, and one look at the store for all of them, so that five hundred readers cost it as much as one.

use crate::limits::Limits;
use crate::state::App;
use hub_core::actor::Actor;
use hub_core::ticket::HUB;
use hub_store::error::Result;
use hub_store::event::{Event, EventCursor};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;

/// Events read from the store at once.
pub(crate) const BATCH: usize = 100;
/// Events that a stream may be behind; one that is further behind reads them from the store.
const BEHIND_MAX: usize = 1_024;
/// Longest wait for news before the store is asked again.
const PATIENCE: Duration = Duration::from_secs(1);

/// The streams that are open.
#[derive(Debug)]
pub(crate) struct Streams {
    max: usize,
    person_max: usize,
    /// By the hash of the session's token.
    open: Mutex<HashMap<[u8; 32], usize>>,
    /// Where events are told, while somebody listens.
    news: tokio::sync::Mutex<Option<broadcast::Sender<Arc<Event>>>>,
}

/// One of the streams that may be open; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct OpenStream {
    streams: Arc<Streams>,
    session: [u8; 32],
}

impl Streams {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            max: limits.streams_max,
            person_max: limits.person_streams_max,
            open: Mutex::default(),
            news: tokio::sync::Mutex::default(),
        })
    }

    /// `None` where as many are open as may be, of this log-in or in all.
    pub(crate) fn open(self: &Arc<Self>, session: [u8; 32]) -> Option<OpenStream> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let own = open.get(&session).copied().unwrap_or_default();
        if own >= self.person_max || open.values().sum::<usize>() >= self.max {
            return None;
        }
        open.insert(session, own + 1);
        drop(open);
        Some(OpenStream {
            streams: Arc::clone(self),
            session,
        })
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.values().sum()
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut open = self.streams.open.lock().unwrap_or_else(PoisonError::into_inner);
        match open.get_mut(&self.session) {
            Some(own) if *own > 1 => *own -= 1,
            Some(_) | None => {
                open.remove(&self.session);
            }
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_bounded_by_log_in_and_in_all_and_given_back() {
        let limits = Limits {
            streams_max: 3,
            person_streams_max: 2,
            ..Limits::default()
        };
        let streams = Streams::new(&limits);
        let one = streams.open([1; 32]).unwrap();
        let two = streams.open([1; 32]).unwrap();
        assert!(streams.open([1; 32]).is_none(), "two of a log-in");
        let other = streams.open([2; 32]).unwrap();
        assert!(streams.open([3; 32]).is_none(), "three in all");
        drop(one);
        assert_eq!(streams.count(), 2);
        let third = streams.open([3; 32]).unwrap();
        drop((two, other, third));
        assert_eq!(streams.count(), 0);
        assert!(streams.open.lock().unwrap().is_empty());
    }
}
