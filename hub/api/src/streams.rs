//! Event streams: who holds how many.

use crate::limits::Limits;
use hub_store::event::Event;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast;

/// The streams that are open.
#[derive(Debug)]
pub(crate) struct Streams {
    max: usize,
    person_max: usize,
    /// By the hash of the session's token.
    open: Mutex<HashMap<[u8; 32], usize>>,
    /// Where events are told, while somebody listens.
    pub(crate) news: tokio::sync::Mutex<Option<broadcast::Sender<Arc<Event>>>>,
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
